"""What schemathesis does not know by itself: lines of JSON, and that nobody here has hours to wait."""

import json
from typing import Any

import schemathesis

__all__: list[str] = []


@schemathesis.serializer("application/jsonl")
def _line(context: Any, value: Any) -> bytes:
    return json.dumps(value).encode()


@schemathesis.deserializer("application/jsonl")
def _first_line(context: Any, response: Any) -> Any:
    lines = response.content.splitlines()
    return json.loads(lines[0]) if lines else None


@schemathesis.hook
def map_query(context: Any, query: dict[str, Any] | None) -> dict[str, Any] | None:
    if query and "wait" in query and len(str(query["wait"])) > 1:
        query["wait"] = "10ms"
    return query
