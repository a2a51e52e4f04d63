"""One request and its answer: id, deadlines, headers, the rest of a refused body, log and metrics."""

from __future__ import annotations

import asyncio
import random
import re
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from starlette.requests import ClientDisconnect

from resnet18_lab.service import log, prometheus
from resnet18_lab.service.refusals import service_error
from resnet18_lab.service.responses import HEADERS, refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from resnet18_lab.base.errors import CodedError
    from resnet18_lab.service.settings import Settings

_CLIENT_GONE = 499
"""Status in the log for a client that disconnected, as in nginx; it is never sent."""
OVER_LIMIT = "over_limit"
"""Key in a request's state: its connection exceeds the number that a worker serves."""
FOR_PICTURES = ("/api/v1/classify", "/api/v1/classify/batch", "/predict")
_LINGER_SECONDS = 2.0
_LINGER_BYTES = 50_000_000
_TOO_SLOW = 408
_SMALL_BYTES = 1_000_000
_FILES = re.compile(r"/(static|docs|samples)\b")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_TRACE_PARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")  # W3C Trace Context, version 00


def _given(headers: Mapping[bytes, bytes], name: bytes, form: re.Pattern[str]) -> str:
    """A header that the client or a proxy sent, where it has the form it should have."""
    text = headers.get(name, b"").decode("latin-1")
    return text if form.fullmatch(text) else ""


class Exchange:
    """One request and its answer."""

    def __init__(
        self, settings: Settings, scope: Scope, path: str, receive: Receive, send: Send, *, is_last: bool = False
    ) -> None:
        self._settings, self._receive, self._send = settings, receive, send
        self._method, self._path = scope["method"], path
        # HEAD is a GET whose body is not sent, which the server below sees to.
        method = "GET" if self._method == "HEAD" else self._method
        self._scope = {**scope, "method": method, "path": settings.root_path + path, "root_path": settings.root_path}
        self._started = time.perf_counter()
        headers = dict(scope["headers"])
        self._id = _given(headers, b"x-request-id", _REQUEST_ID) or f"{random.getrandbits(64):016x}"
        self._trace = _given(headers, b"traceparent", _TRACE_PARENT)
        self._status = 0
        self._in = self._out = 0
        is_chunked, length = b"transfer-encoding" in headers, headers.get(b"content-length", b"0")
        self._body_left = is_chunked or length != b"0"
        # The rest of a small refused body is left to the connection, which can then be used again.
        is_small = length.isdigit() and int(length) <= _SMALL_BYTES and not is_chunked and b"expect" not in headers
        self._closes = not is_small or OVER_LIMIT in scope.get("state", {})
        # RFC 9112, 6.1: a request with both a length and chunks is answered, and the connection closed.
        is_ambiguous = is_chunked and b"content-length" in headers
        self._is_last = is_last or is_ambiguous or OVER_LIMIT in scope.get("state", {})
        self._scope["state"] = {**scope.get("state", {}), "request_id": self._id, "path": path}
        self._deadline: asyncio.Timeout | None = None

    async def answer_with(self, app: ASGIApp) -> None:
        """Let the application answer, within the time; what goes wrong in it is answered as an error, and noted."""
        error: CodedError | None = None
        try:
            seconds = self._settings.request_seconds
            if self._body_left:  # which has a time of its own; the answer's time begins at its end
                seconds += self._settings.most_body_seconds
            async with asyncio.timeout(seconds) as self._deadline:
                await app(self._scope, self.receive, self.send)
        except ClientDisconnect:
            prometheus.DROPPED.inc()
            self._status = _CLIENT_GONE
        except TimeoutError:
            error = service_error("timeout", seconds=self._settings.request_seconds)
        except Exception as unforeseen:
            error = service_error("internal_error")
            log.complain(unforeseen, self._id)
        if error is not None and not self._status:
            await refusal(error, self._id, path=self._path)(self._scope, self.receive, self.send)
        self._note()

    async def receive(self) -> Message:
        """The next part of the body, counted; at its end the answer's time begins."""
        message = await self._receive()
        if message["type"] == "http.request":
            self._in += len(message.get("body", b""))
            had_more, self._body_left = self._body_left, bool(message.get("more_body", False))
            if had_more and not self._body_left and self._deadline is not None and not self._deadline.expired():
                self._deadline.reschedule(asyncio.get_running_loop().time() + self._settings.request_seconds)
        return message

    async def send(self, message: Message) -> None:
        """Send a part of the answer, with this service's headers; a refused body is read to its end first."""
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self._closes |= self._status == _TOO_SLOW
            message = {**message, "headers": self._with_own_headers(list(message.get("headers", [])))}
        elif message["type"] == "http.response.body":
            self._out += len(message.get("body", b""))
            lingers = self._body_left and self._closes and self._status != _TOO_SLOW
            if lingers and not message.get("more_body", False):
                await self._send({**message, "more_body": True})
                await self._take_rest()
                message = {"type": "http.response.body", "body": b"", "more_body": False}
        await self._send(message)

    def _with_own_headers(self, headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        names = {name.lower() for name, _ in headers}
        # The page's files are revalidated each time: after an upgrade new files must not be mixed with old ones.
        caching = "no-cache" if _FILES.match(self._path) or self._path == "/" else "no-store"
        own_headers = {**HEADERS, "x-request-id": self._id, "cache-control": caching}
        if self._trace:
            own_headers["traceparent"] = self._trace
        if self._is_last or (self._closes and self._body_left):
            own_headers["connection"] = "close"  # the rest of the body would be taken for the next request
        new_headers = [
            (name.encode(), value.encode()) for name, value in own_headers.items() if name.encode() not in names
        ]
        return headers + new_headers

    async def _take_rest(self) -> None:
        """Read and discard the rest of a refused body.

        Otherwise a client that is still sending would see a reset connection instead of the answer.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(_LINGER_SECONDS):
                while self._body_left and self._in < _LINGER_BYTES:
                    if (await self.receive())["type"] == "http.disconnect":
                        return

    def _route(self) -> str:
        """The path of the route, not of the request, so that the metrics have few labels."""
        route = self._scope.get("route")
        if route is not None:
            return str(route.path)
        if self._path in FOR_PICTURES:
            return self._path
        match = _FILES.match(self._path)
        return f"/{match[1]}" if match else "other"

    def _note(self) -> None:
        client = self._scope.get("client") or ("", 0)
        line = {
            "request_id": self._id,
            "client": client[0],
            "method": self._method,
            "path": self._path[:200],
            "bytes_in": self._in,
            "bytes_out": self._out,
            **({"trace_id": self._trace.split("-")[1]} if self._trace else {}),
            **self._scope["state"].get("log_fields", {}),
        }
        seconds = time.perf_counter() - self._started
        access_line = line if self._settings.access_log else None
        log.note_request(self._route(), self._method, self._status, seconds, access_line)
