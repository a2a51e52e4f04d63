"""Routes beside the API: the page, the samples, health, metrics, and the documentation."""

from pathlib import Path

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import FileResponse, PlainTextResponse, Response
from starlette.staticfiles import StaticFiles

from resnet18_lab.base.samples import load_samples
from resnet18_lab.service import prometheus
from resnet18_lab.service.api import classifier_of
from resnet18_lab.service.refusals import service_error
from resnet18_lab.service.responses import JsonAnswer
from resnet18_lab.service.schemas import answered, file_of, not_ready

router = APIRouter()
STATIC = Path(__file__).resolve().parent / "static"


@router.get("/", include_in_schema=False)
async def page() -> FileResponse:
    """The page for people."""
    return FileResponse(STATIC / "index.html")


@router.get("/docs", include_in_schema=False)
async def documentation() -> FileResponse:
    """Swagger UI from the installed package: no network, no inline script."""
    return FileResponse(STATIC / "docs.html")


@router.get("/docs/", include_in_schema=False)
async def documentation_with_slash() -> Response:
    """The same address without the slash, said relatively: what host and prefix a proxy shows is not known here."""
    return Response(status_code=307, headers={"location": "../docs"})


@router.get("/samples/{name}", response_class=FileResponse, responses=file_of("image/jpeg"), tags=["about"])
async def sample(name: str) -> FileResponse:
    """One of the project's photographs; only names of the list are looked up."""
    for photograph in load_samples():
        if photograph.path.name == name:
            return FileResponse(photograph.path)
    raise service_error("not_found")


@router.get("/healthz", responses=answered("StatusAnswer"), tags=["health"])
async def alive() -> JsonAnswer:
    """The process answers."""
    return JsonAnswer({"status": "ok"})


@router.get("/readyz", responses={**answered("StatusAnswer"), **not_ready("StatusAnswer")}, tags=["health"])
async def ready(request: Request) -> JsonAnswer:
    """The engine and its thread work, there is a decoding process, and it is not about to stop; 503 otherwise."""
    classifier = classifier_of(request)
    is_draining = request.app.state.draining.is_set()
    is_ready = classifier.inference.is_alive() and classifier.can_decode and not is_draining
    return JsonAnswer({"status": "ready" if is_ready else "not ready"}, 200 if is_ready else 503)


@router.get("/metrics", response_class=PlainTextResponse, tags=["health"])
async def numbers() -> Response:
    """Prometheus's text format, summed over the workers."""
    return Response(prometheus.exposition(), media_type=prometheus.CONTENT_TYPE)


def mount_files(app: FastAPI) -> None:
    """The files of the page and of Swagger UI."""
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    app.mount("/docs/ui", StaticFiles(packages=[("fastapi_offline", "static")]), name="swagger")
