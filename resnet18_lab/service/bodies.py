"""The body of a request as it arrives: bounded in bytes and in time, unpacked where it is gzip."""

from __future__ import annotations

import asyncio
import zlib
from typing import TYPE_CHECKING

from resnet18_lab.service.refusals import service_error
from resnet18_lab.service.settings import MEGABYTE, Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fastapi import Request

    from resnet18_lab.service.budgets import Holding

_GZIP = ("gzip", "x-gzip")
_GZIP_WINDOW = 31  # zlib: a window of 15 bits, and 16 for a gzip header
_AT_A_TIME = 262_144
"""Bytes that are inflated before other requests have their turn."""


async def body_chunks(request: Request, limit: int, settings: Settings, holding: Holding) -> AsyncIterator[bytes]:
    """The body as it arrives; the bytes of each part are taken from the budget first.

    Raises ``body_too_large`` as soon as the announced, the received or the inflated size exceeds ``limit`` bytes.
    """
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "", *_GZIP):
        raise service_error("unsupported_encoding")
    too_large = service_error("body_too_large", limit=limit // MEGABYTE)
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > limit:
        raise too_large
    received = _received(request, settings)
    size = 0
    async for chunk in _inflated(received) if encoding in _GZIP else received:
        size += len(chunk)
        holding.take(len(chunk))
        yield chunk  # before the check: the reader may refuse it for a more precise reason
        if size > limit:
            raise too_large


async def _received(request: Request, settings: Settings) -> AsyncIterator[bytes]:
    """The bytes as they come: each that has come gives the rest a little more time, up to the longest."""
    loop = asyncio.get_running_loop()
    start, size = loop.time(), 0
    try:
        async with asyncio.timeout_at(start + settings.time_for_body(0)) as deadline:
            async for chunk in request.stream():
                size += len(chunk)
                deadline.reschedule(start + settings.time_for_body(size))
                yield chunk
    except TimeoutError:
        raise service_error("slow_client", seconds=settings.time_for_body(size)) from None


async def _inflated(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The unpacked bytes of one or several gzip members, a little at a time."""
    unpacker = zlib.decompressobj(_GZIP_WINDOW)
    try:
        async for chunk in chunks:
            waiting = chunk
            while waiting:
                if unpacker.eof:
                    unpacker = zlib.decompressobj(_GZIP_WINDOW)
                yield unpacker.decompress(waiting, _AT_A_TIME)
                waiting = unpacker.unconsumed_tail or unpacker.unused_data
                await asyncio.sleep(0)
    except zlib.error:
        raise service_error("bad_request", reason="the body is no gzip, though Content-Encoding says so") from None
    if not unpacker.eof:
        raise service_error("bad_request", reason="the gzip body ends too early")
