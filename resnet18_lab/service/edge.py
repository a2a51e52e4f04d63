"""What surrounds every request: id, deadline, security headers, access log, numbers, and a last resort."""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
import traceback
import uuid
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from fastapi.responses import Response
from starlette.requests import ClientDisconnect

from resnet18_lab.errors import ImageError
from resnet18_lab.service import metrics
from resnet18_lab.service.problems import RETRY_AFTER_SECONDS, error_body, service_error, status_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from resnet18_lab.service.settings import Settings

CLIENT_GONE = 499
"""Status in the log for a client that hung up, as nginx writes it; it is never sent."""
_LINGER_SECONDS = 2.0
_LINGER_BYTES = 50_000_000
_SMALL_BYTES = 1_000_000
_SMALL_SECONDS = 0.25
_FOR_PICTURES = ("/api/v1/classify", "/api/v1/classify/batch", "/predict")
_SAFE = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"})
_POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; style-src 'self'; script-src 'self'; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(self), microphone=(), geolocation=()",
}


class JsonAnswer(Response):
    """UTF-8 JSON in which no ``<``, ``>`` or ``&`` stands as itself: nothing in it can be taken for HTML."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:  # noqa: ANN401 - whatever JSON can hold
        """The bytes of the body; a number that JSON does not know is a ValueError."""
        text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return text.translate(_SAFE).encode("utf-8", "replace")


def refusal(error: ImageError, request_id: str, file: str = "") -> JsonAnswer:
    """The answer for a request or picture that is refused."""
    status = status_of(error)
    headers = {"retry-after": str(RETRY_AFTER_SECONDS)} if status == 503 else {}
    return JsonAnswer(error_body(error, request_id, file), status, headers)


class Edge:
    """The outermost ASGI application."""

    def __init__(self, app: ASGIApp, settings: Settings, is_full: Callable[[], bool] = bool) -> None:
        self._app = app
        self._settings = settings
        self._is_full = is_full

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whatever happens in the application."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        app = _busy if self._turns_away(scope) else self._app
        await _Exchange(self._settings, scope, receive, send).answer_with(app)

    def _turns_away(self, scope: Scope) -> bool:
        """Whether the request is one more picture for a full queue. Turned away here it costs half of what it does
        further in, which under overload is time for the others. With CORS the answer needs headers from further in.
        """  # noqa: D205 - one sentence after the other
        asks = scope["method"] == "POST" and scope["path"] in _FOR_PICTURES and not self._settings.cors_origins
        return asks and self._is_full()


async def _busy(scope: Scope, receive: Receive, send: Send) -> None:
    await refusal(service_error("server_busy"), scope["state"]["request_id"])(scope, receive, send)


class _Exchange:
    """One request and its answer."""

    def __init__(self, settings: Settings, scope: Scope, receive: Receive, send: Send) -> None:
        self._settings, self._scope, self._receive, self._send = settings, scope, receive, send
        self._started = time.perf_counter()
        self._id = uuid.uuid4().hex[:16]
        self._status = 0
        self._in = self._out = 0
        headers = {name: value for name, value in scope["headers"] if name in (b"content-length", b"transfer-encoding")}
        length = headers.get(b"content-length", b"0")
        self._body_left = b"transfer-encoding" in headers or length != b"0"
        self._small = b"transfer-encoding" not in headers and length.isdigit() and int(length) <= _SMALL_BYTES
        scope.setdefault("state", {})["request_id"] = self._id

    async def answer_with(self, app: ASGIApp) -> None:
        error: ImageError | None = None
        try:
            async with asyncio.timeout(self._settings.request_seconds):
                await app(self._scope, self.receive, self.send)
        except ClientDisconnect:
            metrics.DROPPED.inc()
            self._status = CLIENT_GONE
        except TimeoutError:
            error = service_error("timeout", seconds=self._settings.request_seconds)
        except Exception as unforeseen:
            if not getattr(self, "_status", 0):
                error = service_error("internal_error")
            self._complain(unforeseen)
        if error is not None and not self._status:
            await refusal(error, self._id)(self._scope, self.receive, self.send)
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
            if self._body_left and self._small:
                await self._take_rest(_SMALL_SECONDS)  # or the connection could not be used again
            message = {**message, "headers": self._with_own(list(message.get("headers", [])))}
        elif message["type"] == "http.response.body":
            self._out += len(message.get("body", b""))
            if self._body_left and not message.get("more_body", False):
                await self._send({**message, "more_body": True})
                await self._take_rest(_LINGER_SECONDS)
                message = {"type": "http.response.body", "body": b"", "more_body": False}
        await self._send(message)

    def _with_own(self, headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        present = {name.lower() for name, _ in headers}
        own = {**HEADERS, "x-request-id": self._id}
        if not self._scope["path"].startswith(("/static", "/docs", "/samples")):
            own["cache-control"] = "no-store"
        if self._body_left:
            own["connection"] = "close"  # the rest of the body would be taken for the next request
        added = [(name.encode(), value.encode()) for name, value in own.items() if name.encode() not in present]
        return headers + added

    async def _take_rest(self, seconds: float) -> None:
        """Take in and forget the rest of a refused body: a client that is still sending would see a reset
        connection instead of the answer.
        """  # noqa: D205 - one sentence
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._body_left and self._in < _LINGER_BYTES:
                    if (await self.receive())["type"] == "http.disconnect":
                        return

    def _route(self) -> str:
        """The route's own path, so that the numbers have few names."""
        route = getattr(self._scope.get("route"), "path", None)
        if route:
            return str(route)
        if self._scope["path"] in _FOR_PICTURES:
            return str(self._scope["path"])
        found = re.match(r"/(static|docs|samples)\b", self._scope["path"])
        return f"/{found[1]}" if found else "other"

    def _note(self) -> None:
        seconds = time.perf_counter() - self._started
        route = self._route()
        metrics.REQUESTS.labels(route, _method(self._scope["method"]), str(self._status)).inc()
        metrics.REQUEST_SECONDS.labels(route).observe(seconds)
        if not self._settings.access_log:
            return
        client = self._scope.get("client") or ("", 0)
        line = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "request_id": self._id,
            "client": client[0],
            "method": self._scope["method"],
            "path": self._scope["path"][:200],
            "status": self._status,
            "ms": round(seconds * 1000, 1),
            "bytes_in": self._in,
            "bytes_out": self._out,
            **self._scope["state"].get("noted", {}),
        }
        sys.stderr.write(json.dumps(line) + "\n")

    def _complain(self, error: Exception) -> None:
        text = "".join(traceback.format_exception(error))
        sys.stderr.write(json.dumps({"request_id": self._id, "error": text}) + "\n")


def _method(method: str) -> str:
    return method if method in ("GET", "HEAD", "POST", "OPTIONS", "PUT", "DELETE", "PATCH") else "other"
