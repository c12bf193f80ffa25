"""What JSON looks like, for OpenAPI: each shape once."""

from collections.abc import Mapping
from typing import Any

__all__ = ["CONSUMER", "QUEUE", "QUEUES", "SERVER", "Schema", "listed", "object_of"]

Schema = Mapping[str, Any]

_NAMED: Mapping[str, Any] = {
    "name": {"type": "string", "description": "Percent-encoded, as addresses have it."},
    "text": {"type": "string", "description": "For people."},
}


def object_of(properties: Mapping[str, Any], *, optional: tuple[str, ...] = ()) -> Schema:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": dict(properties), "required": required}


def listed(items: Schema) -> Schema:
    return {"type": "array", "items": items}


_COUNTED = {**object_of(_NAMED), "additionalProperties": {"type": ["integer", "string"]}}
"""The names of stats: docs/monitoring.md explains them."""

CONSUMER: Schema = _COUNTED

QUEUES: Schema = object_of({"queues": listed(_COUNTED), "next": {"type": ["string", "null"]}})

QUEUE: Schema = object_of(
    {
        **_NAMED,
        "consumers": listed(_COUNTED),
        "settings": {
            "type": "object",
            "additionalProperties": object_of(
                {
                    "value": {"type": "string"},
                    "from": {"type": "string", "description": "A line, variable or flag."},
                }
            ),
        },
    }
)

SERVER: Schema = object_of(
    {
        "version": {"type": "string"},
        "pid": {"type": "integer"},
        "uptime": {"type": "integer", "description": "Seconds since the start."},
        "status": {"type": "string", "enum": ["up", "writeavoid", "readonly", "quiescent"]},
        "listen": listed({"type": "string"}),
        "read_only": {"type": "boolean", "description": "Nothing is changed over HTTP."},
        "get_consumes": {"type": "boolean", "description": "Whether `/get` takes an item."},
    }
)
