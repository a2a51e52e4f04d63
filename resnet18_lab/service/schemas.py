"""The bodies of requests and the kinds of answers in the OpenAPI document."""

from typing import Any

BINARY = {"type": "string", "format": "binary"}


def _form(schema: dict[str, Any]) -> dict[str, Any]:
    return {"schema": {"type": "object", "properties": {"file": schema}, "required": ["file"]}}


PICTURE_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": _form(BINARY),
            "application/octet-stream": {"schema": BINARY},
        },
    }
}
BATCH_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"multipart/form-data": _form({"type": "array", "items": BINARY})},
    }
}


SCHEMAS = "#/components/schemas/"
_WORDS = {
    400: "No file, or a body that cannot be parsed.",
    401: "No key, or one that is not known.",
    403: "A page of another site asks, which is not named.",
    404: "There is nothing of that name.",
    408: "The body came too slowly.",
    413: "Too many bytes, pixels or files.",
    415: "No picture of a format that is taken, or an encoding other than gzip.",
    421: "The service is not of that name.",
    422: "A broken picture, or a parameter out of range.",
    429: "Too many requests came from this address; Retry-After says when to come again.",
    503: "The queue is full; Retry-After says when to come again.",
    504: "The answer was not ready in time.",
}
Responses = dict[int | str, dict[str, Any]]


def ref(model: str) -> dict[str, Any]:
    """A schema that the document describes under this name: a model of ``schema_models`` or ``tensor_models``.

    By name, because making the models takes longer than all the rest of the application: who asks for the document
    waits for them, not who starts the service.
    """
    return {"$ref": f"{SCHEMAS}{model}"}


def answered(model: str, *refusals: int, error: str = "ErrorAnswer", many: bool = False) -> Responses:
    """The answers of a route: 200 with such a body (a list of such, with ``many``), and these refusals."""
    schema = {"type": "array", "items": ref(model)} if many else ref(model)
    return {200: {"description": "The answer.", **_json(schema)}, **refused(*refusals, error=error)}


def refused(*statuses: int, error: str = "ErrorAnswer") -> Responses:
    """The refusals with these statuses."""
    return {status: {"description": _WORDS[status], **_json(ref(error))} for status in statuses}


def not_ready(model: str) -> Responses:
    """503 with the body that an answer would have."""
    return {503: {"description": "Not ready.", **_json(ref(model))}}


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": schema}}}


def file_of(kind: str) -> Responses:
    """The bytes of a file of that type, or 404."""
    return {200: {"description": "The file.", "content": {kind: {"schema": BINARY}}}, **refused(404)}


OF_PICTURES = (400, 408, 413, 415, 422, 503, 504)
OF_TENSORS = (400, 404, 408, 413, 415, 503, 504)
_INFER = {
    "type": "object",
    "required": ["inputs"],
    "properties": {
        "id": {"type": "string", "maxLength": 200},
        "inputs": {"type": "array", "minItems": 1, "maxItems": 1, "items": ref("InputTensor")},
        "outputs": {"type": "array", "maxItems": 1, "items": {"type": "object"}},
        "parameters": {"type": "object"},
    },
}
TENSOR_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": _INFER},
            "application/octet-stream": {"schema": BINARY},
        },
    }
}
