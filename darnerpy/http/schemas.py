"""What JSON looks like, for OpenAPI: each shape once."""

from collections.abc import Mapping
from typing import Any

__all__ = ["CONSUMER", "QUEUE", "QUEUES", "Schema", "listed", "object_of"]

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
        "settings": {"type": "object", "additionalProperties": {"type": "string"}},
    }
)
