"""The OpenAPI document, completed by what holds for every route: refusals at the edge, and keys."""

from collections.abc import Callable, Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute

from resnet18_lab.service.keys import is_free
from resnet18_lab.service.schemas import SCHEMAS, refused

_EVERYWHERE = (421, 503)
_OF_POSTS = (403, 429)
_KEYS = 401
_NEVER = "HTTPValidationError"
"""The framework's own form of 422, which our handler replaces."""


def name_of(route: APIRoute) -> str:
    """The operation's id, of which generated clients make the name of a function."""
    return f"{route.name}_of_version" if "{version}" in route.path else route.name


def completed(app: FastAPI, *, asks_for_keys: bool) -> Callable[[], dict[str, Any]]:
    """What makes the document, once."""
    plain = app.openapi

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            whole = plain()
            for path, method, operation in _operations(whole):
                needs_key = asks_for_keys and not is_free(path)
                statuses = (*_EVERYWHERE, *(_OF_POSTS if method == "post" else ()), *((_KEYS,) if needs_key else ()))
                _complete(operation, path, statuses)
                if needs_key:
                    operation["security"] = [{"key": []}]
            components = whole["components"]
            components["schemas"] |= _models()
            for unused in (_NEVER, "ValidationError"):
                components["schemas"].pop(unused, None)
            if asks_for_keys:
                components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        return app.openapi_schema or {}

    return document


def _models() -> dict[str, Any]:
    """The schemas of all answers, by name."""
    from pydantic.json_schema import models_json_schema

    from resnet18_lab.service import schema_models, tensor_models

    models = [*schema_models.MODELS, *tensor_models.MODELS]
    _, found = models_json_schema([(model, "validation") for model in models], ref_template=f"{SCHEMAS}{{model}}")
    return dict(found["$defs"])


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def _complete(operation: dict[str, Any], path: str, statuses: tuple[int, ...]) -> None:
    answers = operation["responses"]
    if _NEVER in str(answers.get("422")):
        del answers["422"]
    name = "TensorError" if path.startswith("/v2") else "ErrorAnswer"
    for status, told in refused(*statuses, error=name).items():
        answers.setdefault(str(status), told)
