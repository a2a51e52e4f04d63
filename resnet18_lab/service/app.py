"""The ASGI application, put together from its parts."""

import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp

from resnet18_lab import __version__
from resnet18_lab.base.errors import CodedError
from resnet18_lab.inference import labels
from resnet18_lab.inference.registry import judged_by, open_engine
from resnet18_lab.inference.rules import read_text
from resnet18_lab.service import api, log, open_inference, openapi, pages, prometheus
from resnet18_lab.service.classifier import Classifier
from resnet18_lab.service.middleware import Edge
from resnet18_lab.service.refusals import of_status, service_error
from resnet18_lab.service.responses import refusal
from resnet18_lab.service.settings import Settings

_WORTH_PACKING = 2_000  # bytes; the answer to a picture has fewer


def create_app(settings: Settings, draining: threading.Event | None = None) -> Edge:
    """The application; it opens its engine when the server starts, and is not ready any more once it is draining."""
    draining = draining or threading.Event()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        labels.all_labels()  # read now rather than in the first request
        backend = open_engine(
            settings.backend, weights=settings.weights, threads=settings.threads, spinning=False
        )  # fmt: skip
        rules = None if settings.rules is None else read_text(Path(settings.rules))
        judged_by(backend, rules, tells_unknown=not settings.no_unknown)
        app.state.classifier = Classifier(settings, backend)
        app.state.classifier.wait_ready()
        prometheus.WORKERS.inc()
        yield
        prometheus.WORKERS.dec()
        app.state.classifier.close()
        log.flush()

    app = FastAPI(
        title="resnet18_lab",
        version=__version__,
        description="torchvision's ResNet-18: pictures in, the best of 1,000 classes out.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=openapi.name_of,
        redirect_slashes=False,  # it would name the host that a proxy asked
    )
    for part in (api, pages, open_inference):
        app.include_router(part.router)
    pages.mount_files(app)
    app.openapi = openapi.completed(app, asks_for_keys=settings.api_key_file is not None)  # type: ignore[method-assign]
    _add_refusals(app)
    app.add_middleware(GZipMiddleware, minimum_size=_WORTH_PACKING, compresslevel=5)  # it leaves pictures as they are
    shared = _shared_with(settings.cors_origins)
    if shared is not None:
        app.add_middleware(shared)
    app.state.draining = draining
    return Edge(app, settings, lambda: app.state.classifier.admission.is_full, draining, shared=shared)


def _shared_with(origins: tuple[str, ...]) -> Callable[[ASGIApp], CORSMiddleware] | None:
    """What adds the headers by which scripts of these sites may read an answer; None without any site."""
    if not origins:
        return None
    return partial(
        CORSMiddleware, allow_origins=origins, allow_methods=["GET", "POST"],
        allow_headers=["authorization", "content-type", "x-filename"],
        expose_headers=["x-request-id", "retry-after", "server-timing"],
    )  # fmt: skip


def _add_refusals(app: FastAPI) -> None:
    """Give all refusals the same form, whether they come from our code or from the framework."""

    def answer(request: Request, error: CodedError) -> Response:
        return refusal(error, request.state.request_id, path=request.state.path)

    async def on_image_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, CodedError)  # noqa: S101 - registered for this type
        return answer(request, error)

    async def on_http_exception(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - registered for this type
        response = answer(request, of_status(error.status_code))
        response.headers.update(error.headers or {})
        return response

    async def on_invalid_parameters(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this type
        first = error.errors()[0]
        reason = f"{'.'.join(str(part) for part in first['loc'][1:])}: {first['msg']}"
        return answer(request, service_error("bad_parameter", reason=reason))

    async def on_unexpected(request: Request, _: Exception) -> Response:
        return answer(request, service_error("internal_error"))

    app.add_exception_handler(CodedError, on_image_error)
    app.add_exception_handler(HTTPException, on_http_exception)
    app.add_exception_handler(RequestValidationError, on_invalid_parameters)
    app.add_exception_handler(Exception, on_unexpected)
