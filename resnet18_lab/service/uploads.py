"""Read uploads: into memory only, with limits checked first."""

from fastapi import Request

from resnet18_lab.preprocessing.refusals import image_error
from resnet18_lab.service import names
from resnet18_lab.service.bodies import body_chunks
from resnet18_lab.service.budgets import Holding
from resnet18_lab.service.forms import Upload, boundary_of, files_of
from resnet18_lab.service.refusals import no_file, service_error
from resnet18_lab.service.settings import ENVELOPE_BYTES, MEGABYTE, Settings


async def read_one(request: Request, settings: Settings, holding: Holding) -> Upload:
    """The one picture of a request: the field ``file`` of a form, or the raw body."""
    boundary = boundary_of(request.headers.get("content-type"))
    if boundary is None:
        return await _read_raw(request, settings, holding)
    limit = settings.limits.max_bytes + ENVELOPE_BYTES
    _refuse_announced(request, limit)
    chunks = body_chunks(request, limit, settings, holding)
    return (await files_of(chunks, boundary, settings, most_files=1))[0]


async def read_many(request: Request, settings: Settings, holding: Holding) -> list[Upload]:
    """The pictures of a batch, in order: every part ``file`` of a form."""
    boundary = boundary_of(request.headers.get("content-type"))
    if boundary is None:
        raise service_error("bad_multipart", reason="a batch is sent as multipart/form-data")
    limit = max(settings.limits.max_bytes, settings.batch_mb * MEGABYTE) + ENVELOPE_BYTES
    chunks = body_chunks(request, limit, settings, holding)
    return await files_of(chunks, boundary, settings, most_files=settings.max_files)


async def _read_raw(request: Request, settings: Settings, holding: Holding) -> Upload:
    limit = settings.limits.max_bytes
    _refuse_announced(request, limit)
    data = bytearray()
    async for chunk in body_chunks(request, limit + ENVELOPE_BYTES, settings, holding):
        data += chunk
        if len(data) > limit:
            raise image_error("file_too_large", limit=settings.max_mb)
    name = names.of_header(request.headers.get("x-filename", ""))
    if not data and not name:
        raise no_file([])
    return Upload(name, bytes(data))


def _refuse_announced(request: Request, limit: int) -> None:
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > limit:
        raise image_error("file_too_large", limit=limit // MEGABYTE)
