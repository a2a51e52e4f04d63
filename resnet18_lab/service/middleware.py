"""Wraps every request: whether it may be made at all, and whatever its answer needs beside the application."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resnet18_lab.service import origins
from resnet18_lab.service.exchange import FOR_PICTURES, OVER_LIMIT, Exchange
from resnet18_lab.service.keys import Keys
from resnet18_lab.service.rates import Rates
from resnet18_lab.service.refusals import service_error
from resnet18_lab.service.responses import refusal

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from starlette.types import ASGIApp, Receive, Scope, Send

    from resnet18_lab.base.errors import CodedError
    from resnet18_lab.service.settings import Settings

_ABOUT_HEALTH = ("/healthz", "/readyz", "/metrics")


class Edge:
    """The outermost ASGI application."""

    def __init__(
        self,
        app: ASGIApp,
        settings: Settings,
        is_full: Callable[[], bool] = bool,
        draining: threading.Event | None = None,
        *,
        shared: Callable[[ASGIApp], ASGIApp] | None = None,
    ) -> None:
        """``shared`` wraps what answers a refusal, so that scripts of allowed sites can read it."""
        self.app = app
        self._settings = settings
        self._is_full = is_full
        self._draining = draining
        self._rates = Rates(settings.rate)
        self._keys = Keys(settings.api_key_file)
        self._shared = shared or (lambda refusing: refusing)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whatever happens in the application."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path = self._own_path(scope)
        error = self._refusal_of(scope, path)
        is_last = self._draining is not None and self._draining.is_set()
        exchange = Exchange(self._settings, scope, path, receive, send, is_last=is_last)
        await exchange.answer_with(self.app if error is None else self._shared(_refusing(error)))

    def _own_path(self, scope: Scope) -> str:
        """The path as the service knows it, whether or not the proxy has taken off what it shows the service under."""
        root, path = self._settings.root_path, str(scope["path"])
        return path[len(root) :] if root and path.startswith(f"{root}/") else path

    def _refusal_of(self, scope: Scope, path: str) -> CodedError | None:
        """Why a request does not reach the application: from where, how often, without a key, or too much to do."""
        headers = dict(scope["headers"])
        error = origins.refusal_of(scope["method"], headers, self._settings)
        if error is None and scope["method"] == "POST":
            error = self._rates.refusal_of((scope.get("client") or ("",))[0])
        if error is None:
            error = self._keys.refusal_of(scope["method"], path, headers.get(b"authorization", b"").decode("latin-1"))
        return service_error("server_busy") if error is None and self._turns_away(scope, path) else error

    def _turns_away(self, scope: Scope, path: str) -> bool:
        """True when the request brings a picture and the queue is full.

        Refusing it here costs half as much as in the application, which under overload leaves time for the others.
        """
        if OVER_LIMIT in scope.get("state", {}):
            return path not in _ABOUT_HEALTH
        return scope["method"] == "POST" and path in FOR_PICTURES and self._is_full()


def _refusing(error: CodedError) -> ASGIApp:
    async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
        await refusal(error, scope["state"]["request_id"], path=scope["state"]["path"])(scope, receive, send)

    return refuse
