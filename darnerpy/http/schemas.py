"""What JSON looks like, for OpenAPI: each shape once."""

from collections.abc import Mapping
from typing import Any

__all__ = [
    "BINARY",
    "CHANGED",
    "CHANGES",
    "CONSUMER",
    "CONSUMERS",
    "HOW_CONSUMER",
    "IDS",
    "ITEM",
    "LEASED",
    "MOVED",
    "NEW_ITEM",
    "PAUSED",
    "PURGED",
    "QUEUE",
    "QUEUES",
    "SERVER",
    "SIZE",
    "Schema",
    "UNTIL",
    "listed",
    "object_of",
]

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

CONSUMERS: Schema = object_of({"consumers": listed(_COUNTED)})

HOW_CONSUMER: Schema = {
    **object_of(
        {
            "start": {"type": ["string", "null"], "enum": ["tail", "head", None]},
            "copy_from": {"type": ["string", "null"], "description": "Percent-encoded."},
        },
        optional=("start", "copy_from"),
    ),
    "additionalProperties": False,
}

QUEUES: Schema = object_of({"queues": listed(_COUNTED), "next": {"type": ["string", "null"]}})

_SETTINGS: Schema = {
    "type": "object",
    "additionalProperties": object_of(
        {
            "value": {"type": "string"},
            "from": {"type": "string", "description": "A line, variable or flag."},
        }
    ),
}

QUEUE: Schema = object_of({**_NAMED, "consumers": listed(_COUNTED), "settings": _SETTINGS})

CHANGED: Schema = object_of({**_NAMED, "settings": _SETTINGS, "until": {"type": "string"}})

CHANGES: Schema = {
    "type": "object",
    "additionalProperties": {"type": ["string", "integer", "boolean", "array", "null"]},
    "description": "By key, as in the file; null takes a change back.",
}

SERVER: Schema = object_of(
    {
        "version": {"type": "string"},
        "pid": {"type": "integer"},
        "uptime": {"type": "integer", "description": "Seconds since the start."},
        "status": {"type": "string", "enum": ["up", "writeavoid", "readonly", "quiescent"]},
        "listen": {**listed({"type": "string"}), "description": "For memcache clients."},
        "http": listed({"type": "string"}),
        "read_only": {"type": "boolean", "description": "Nothing is changed over HTTP."},
        "get_consumes": {"type": "boolean", "description": "Whether `/get` takes an item."},
    }
)

BINARY: Schema = {}
"""Any bytes: OpenAPI 3.1 has no other word for them."""

IDS: Schema = object_of({"ids": listed({"type": "integer"})})

_BASE64: Schema = {"type": "string", "contentEncoding": "base64"}
_DURATION: Schema = {"type": "string", "pattern": "^[0-9]{1,9}(ms|s|m|h|d)$"}
_FLAGS: Schema = {"type": "integer", "minimum": 0, "maximum": 2**32 - 1}

_ITEM = {
    "id": {"type": "integer"},
    "flags": _FLAGS,
    "ttl": {**_DURATION, "description": "What is left until it expires, if it does."},
    "attempts": {"type": "integer", "description": "Deliveries that came back."},
    "age": {"type": "number", "description": "Seconds since it was put."},
    "size": {"type": "integer", "description": "Bytes it has, also if fewer are shown."},
    "data": _BASE64,
}

ITEM: Schema = object_of(_ITEM, optional=("ttl",))

LEASED: Schema = object_of(
    {
        **_ITEM,
        "lease": {"type": "string", "description": "What the lease is called."},
        "until": {"type": "number", "description": "When it is over, seconds since the epoch."},
    },
    optional=("ttl",),
)

_AS_GIVEN = {
    **{key: {"type": "integer", "description": "Not looked at."} for key in ("id", "attempts")},
    **{key: {"type": "number", "description": "Not looked at."} for key in ("age", "until")},
    "lease": {"type": "string", "description": "Not looked at."},
    "size": {"type": "integer", "description": "If it is not that of data, the line was cut."},
}
"""What lines have that were given, so that they can be put as they are."""

NEW_ITEM: Schema = {
    **object_of(
        {
            "data": _BASE64,
            "text": {"type": "string", "description": "Instead of data."},
            "flags": _FLAGS,
            "ttl": _DURATION,
            "delay": _DURATION,
            **_AS_GIVEN,
        },
        optional=("data", "text", "flags", "ttl", "delay", *_AS_GIVEN),
    ),
    "additionalProperties": False,
}

SIZE: Schema = {
    **object_of({"queueSize": {"type": "integer"}}),
    "additionalProperties": {"type": ["integer", "string"]},
}

UNTIL: Schema = object_of({"until": {"type": "number"}})

PAUSED: Schema = object_of({"paused": listed({"type": "string", "enum": ["puts", "gets"]})})

PURGED: Schema = object_of({"purged": {"type": "integer"}})

MOVED: Schema = object_of(
    {
        "moved": {"type": "integer"},
        "left": {"type": "integer", "description": "That still wait."},
        "unknown": {"type": "integer", "description": "Of these, from nobody knows where."},
        "stopped": {"type": "string", "description": "Why others that were to go did not, if any."},
    },
    optional=("stopped",),
)
