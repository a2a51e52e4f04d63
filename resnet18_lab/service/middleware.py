"""Wraps every request: id, deadline, security headers, access log, metrics, and handling of unexpected errors."""

from __future__ import annotations

import asyncio
import re
import time
import uuid
from contextlib import suppress
from typing import TYPE_CHECKING

from starlette.requests import ClientDisconnect

from resnet18_lab.service import log, prometheus
from resnet18_lab.service.refusals import service_error
from resnet18_lab.service.responses import HEADERS, refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from resnet18_lab.base.errors import CodedError
    from resnet18_lab.service.settings import Settings

_CLIENT_GONE = 499
"""Status in the log for a client that disconnected, as in nginx; it is never sent."""
OVER_LIMIT = "over_limit"
"""Key in a request's state: its connection exceeds the number that a worker serves."""
_LINGER_SECONDS = 2.0
_LINGER_BYTES = 50_000_000
_TOO_SLOW = 408
_SMALL_BYTES = 1_000_000
_FOR_PICTURES = ("/api/v1/classify", "/api/v1/classify/batch", "/predict")
_FILES = re.compile(r"/(static|docs|samples)\b")


class Edge:
    """The outermost ASGI application."""

    def __init__(self, app: ASGIApp, settings: Settings, is_full: Callable[[], bool] = bool) -> None:
        self.app = app
        self._settings = settings
        self._is_full = is_full

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whatever happens in the application."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        app = _busy if self._turns_away(scope) else self.app
        await _Exchange(self._settings, scope, receive, send).answer_with(app)

    def _turns_away(self, scope: Scope) -> bool:
        """True when the request brings a picture and the queue is full.

        Refusing it here costs half as much as in the application, which under overload leaves time for the others.
        With CORS the answer needs headers that the application adds.
        """
        if OVER_LIMIT in scope.get("state", {}):
            return True
        is_upload = scope["method"] == "POST" and scope["path"] in _FOR_PICTURES and not self._settings.cors_origins
        return is_upload and self._is_full()


async def _busy(scope: Scope, receive: Receive, send: Send) -> None:
    error = service_error("server_busy")
    await refusal(error, scope["state"]["request_id"], path=scope["path"])(scope, receive, send)


class _Exchange:
    """One request and its answer."""

    def __init__(self, settings: Settings, scope: Scope, receive: Receive, send: Send) -> None:
        self._settings, self._scope, self._receive, self._send = settings, scope, receive, send
        self._started = time.perf_counter()
        self._id = uuid.uuid4().hex[:16]
        self._status = 0
        self._in = self._out = 0
        headers = dict(scope["headers"])
        is_chunked, length = b"transfer-encoding" in headers, headers.get(b"content-length", b"0")
        self._body_left = is_chunked or length != b"0"
        # The rest of a small refused body is left to the connection, which can then be used again.
        is_small = length.isdigit() and int(length) <= _SMALL_BYTES and not is_chunked and b"expect" not in headers
        self._closes = not is_small or OVER_LIMIT in scope.get("state", {})
        scope.setdefault("state", {})["request_id"] = self._id

    async def answer_with(self, app: ASGIApp) -> None:
        error: CodedError | None = None
        try:
            async with asyncio.timeout(self._settings.request_seconds):
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
            await refusal(error, self._id, path=self._scope["path"])(self._scope, self.receive, self.send)
        self._note()

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._in += len(message.get("body", b""))
            self._body_left = bool(message.get("more_body", False))
        return message

    async def send(self, message: Message) -> None:
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
        caching = "no-cache" if _FILES.match(self._scope["path"]) or self._scope["path"] == "/" else "no-store"
        own_headers = {**HEADERS, "x-request-id": self._id, "cache-control": caching}
        if self._closes and (self._body_left or OVER_LIMIT in self._scope["state"]):
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
        if self._scope["path"] in _FOR_PICTURES:
            return str(self._scope["path"])
        match = _FILES.match(self._scope["path"])
        return f"/{match[1]}" if match else "other"

    def _note(self) -> None:
        client = self._scope.get("client") or ("", 0)
        line = {
            "request_id": self._id,
            "client": client[0],
            "method": self._scope["method"],
            "path": self._scope["path"][:200],
            "bytes_in": self._in,
            "bytes_out": self._out,
            **self._scope["state"].get("log_fields", {}),
        }
        seconds = time.perf_counter() - self._started
        access_line = line if self._settings.access_log else None
        log.note_request(self._route(), self._scope["method"], self._status, seconds, access_line)
