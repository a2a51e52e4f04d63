"""What the OpenAPI document says of bodies and refusals."""

from typing import Any

_BINARY = {"type": "string", "format": "binary"}


def _form(schema: dict[str, Any]) -> dict[str, Any]:
    return {"schema": {"type": "object", "properties": {"file": schema}, "required": ["file"]}}


PICTURE_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": _form(_BINARY),
            "application/octet-stream": {"schema": _BINARY},
        },
    }
}
BATCH_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"multipart/form-data": _form({"type": "array", "items": _BINARY})},
    }
}
_ERROR_SCHEMA = {
    "type": "object",
    "required": ["error", "request_id"],
    "properties": {
        "file": {"type": "string"},
        "request_id": {"type": "string"},
        "error": {
            "type": "object",
            "required": ["code", "message", "message_zh"],
            "properties": {name: {"type": "string"} for name in ("code", "message", "message_zh")},
        },
    },
}
_WORDS = {
    400: "No file, or a body that cannot be parsed.",
    408: "The body came too slowly.",
    413: "Too many bytes, pixels or files.",
    415: "No picture of a format that is taken.",
    422: "A broken picture, or a parameter out of range.",
    503: "The queue is full; Retry-After says when to come again.",
    504: "The answer was not ready in time.",
}
REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"description": words, "content": {"application/json": {"schema": _ERROR_SCHEMA}}}
    for status, words in _WORDS.items()
}
_TENSOR = {
    "type": "object",
    "required": ["name", "datatype", "shape"],
    "properties": {
        "name": {"type": "string"},
        "datatype": {"type": "string"},
        "shape": {"type": "array", "items": {"type": "integer"}},
        "data": {"type": "array"},
        "parameters": {"type": "object"},
    },
}
_INFER = {"type": "object", "required": ["inputs"], "properties": {"inputs": {"type": "array", "items": _TENSOR}}}
TENSOR_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": _INFER},
            "application/octet-stream": {"schema": _BINARY},
        },
    }
}
