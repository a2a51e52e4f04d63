"""The request bodies and refusals in the OpenAPI document."""

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


def _texts(*names: str) -> dict[str, Any]:
    return {"type": "object", "required": list(names), "properties": {name: {"type": "string"} for name in names}}


_ERROR_SCHEMA = {
    "type": "object",
    "required": ["file", "error", "request_id"],
    "description": "`file` and `error.filename` are the name that came with the picture, cut; empty when none did.",
    "properties": {
        "file": {"type": "string"},
        "request_id": {"type": "string"},
        "error": _texts("code", "message", "message_zh", "filename"),
    },
}
_WORDS = {
    400: "No file, or a body that cannot be parsed.",
    404: "There is nothing of that name.",
    408: "The body came too slowly.",
    413: "Too many bytes, pixels or files.",
    415: "No picture of a format that is taken.",
    422: "A broken picture, or a parameter out of range.",
    503: "The queue is full; Retry-After says when to come again.",
    504: "The answer was not ready in time.",
}


def _refusals(schema: dict[str, Any], *statuses: int) -> dict[int | str, dict[str, Any]]:
    return {
        status: {"description": _WORDS[status], "content": {"application/json": {"schema": schema}}}
        for status in statuses
    }


REFUSALS = _refusals(_ERROR_SCHEMA, 400, 408, 413, 415, 422, 503, 504)
TENSOR_REFUSALS = _refusals(_texts("error", "code", "request_id"), 400, 404, 408, 413, 415, 503, 504)
"""Under /v2 ``error`` is the message itself, as the protocol requires."""
_TENSOR = {
    "type": "object",
    "required": ["name", "datatype", "shape"],
    "properties": {
        "name": {"type": "string"},
        "datatype": {"type": "string"},
        "shape": {"type": "array", "items": {"type": "integer"}},
        "data": {"type": "array", "items": {}},
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
