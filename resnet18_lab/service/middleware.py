"""Wraps every request: id, deadline, security headers, access log, metrics, and handling of unexpected errors."""

from __future__ import annotations

import asyncio
import re
import time
import uuid
from contextlib import suppress
from typing import TYPE_CHECKING

from starlette.requests import ClientDisconnect

from resnet18_lab.service import log, origins, prometheus
from resnet18_lab.service.rates import Rates
from resnet18_lab.service.refusals import service_error
from resnet18_lab.service.responses import HEADERS, refusal

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from resnet18_lab.base.errors import CodedError
    from resnet18_lab.service.settings import Settings

_CLIENT_GONE = 499
"""Status in the log for a client that disconnected, as in nginx; it is never sent."""
OVER_LIMIT = "over_limit"
"""Key in a request's state: its connection exceeds the number that a worker serves."""
_ABOUT_HEALTH = ("/healthz", "/readyz", "/metrics")
_LINGER_SECONDS = 2.0
_LINGER_BYTES = 50_000_000
_TOO_SLOW = 408
_SMALL_BYTES = 1_000_000
_FOR_PICTURES = ("/api/v1/classify", "/api/v1/classify/batch", "/predict")
_FILES = re.compile(r"/(static|docs|samples)\b")


_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_TRACE_PARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")  # W3C Trace Context, version 00


def _given(headers: Mapping[bytes, bytes], name: bytes, form: re.Pattern[str]) -> str:
    """A header that the client or a proxy sent, where it has the form it should have."""
    text = headers.get(name, b"").decode("latin-1")
    return text if form.fullmatch(text) else ""


class Edge:
    """The outermost ASGI application."""

    def __init__(
        self,
        app: ASGIApp,
        settings: Settings,
        is_full: Callable[[], bool] = bool,
        draining: threading.Event | None = None,
    ) -> None:
        self.app = app
        self._settings = settings
        self._is_full = is_full
        self._draining = draining
        self._rates = Rates(settings.rate)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whatever happens in the application."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        error = self._refusal_of(scope)
        is_last = self._draining is not None and self._draining.is_set()
        exchange = _Exchange(self._settings, scope, receive, send, is_last=is_last)
        await exchange.answer_with(self.app if error is None else _refusing(error))

    def _refusal_of(self, scope: Scope) -> CodedError | None:
        """Why a request does not reach the application: where it comes from, how often, or how much there is to do."""
        error = origins.refusal_of(scope["method"], dict(scope["headers"]), self._settings)
        if error is None and scope["method"] == "POST":
            error = self._rates.refusal_of((scope.get("client") or ("",))[0])
        return service_error("server_busy") if error is None and self._turns_away(scope) else error

    def _turns_away(self, scope: Scope) -> bool:
        """True when the request brings a picture and the queue is full.

        Refusing it here costs half as much as in the application, which under overload leaves time for the others.
        With CORS the answer needs headers that the application adds.
        """
        if OVER_LIMIT in scope.get("state", {}):
            return scope["path"] not in _ABOUT_HEALTH
        is_upload = scope["method"] == "POST" and scope["path"] in _FOR_PICTURES and not self._settings.cors_origins
        return is_upload and self._is_full()


def _refusing(error: CodedError) -> ASGIApp:
    async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
        await refusal(error, scope["state"]["request_id"], path=scope["path"])(scope, receive, send)

    return refuse


class _Exchange:
    """One request and its answer."""

    def __init__(
        self, settings: Settings, scope: Scope, receive: Receive, send: Send, *, is_last: bool = False
    ) -> None:
        self._settings, self._receive, self._send = settings, receive, send
        self._method = scope["method"]
        # HEAD is a GET whose body is not sent, which the server below sees to.
        self._scope = {**scope, "method": "GET"} if self._method == "HEAD" else scope
        self._started = time.perf_counter()
        headers = dict(scope["headers"])
        self._id = _given(headers, b"x-request-id", _REQUEST_ID) or uuid.uuid4().hex[:16]
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
        self._scope.setdefault("state", {})["request_id"] = self._id

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
        if self._scope["path"] in _FOR_PICTURES:
            return str(self._scope["path"])
        match = _FILES.match(self._scope["path"])
        return f"/{match[1]}" if match else "other"

    def _note(self) -> None:
        client = self._scope.get("client") or ("", 0)
        line = {
            "request_id": self._id,
            "client": client[0],
            "method": self._method,
            "path": self._scope["path"][:200],
            "bytes_in": self._in,
            "bytes_out": self._out,
            **({"trace_id": self._trace.split("-")[1]} if self._trace else {}),
            **self._scope["state"].get("log_fields", {}),
        }
        seconds = time.perf_counter() - self._started
        access_line = line if self._settings.access_log else None
        log.note_request(self._route(), self._method, self._status, seconds, access_line)
