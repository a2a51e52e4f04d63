"""uvicorn's HTTP/1.1 protocol, extended by deadlines for request heads and for reading answers, and our refusals."""

import asyncio
import time
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from resnet18_lab.service import log
from resnet18_lab.service.exchange import OVER_LIMIT
from resnet18_lab.service.refusals import ServiceError, service_error
from resnet18_lab.service.responses import HEADERS, refusal
from resnet18_lab.service.settings import Settings


class DeadlineProtocol(H11Protocol):
    """Drops a client that does not send a complete head in time, or does not read its answer.

    ``settings`` is set by the subclass that ``protocol_with`` makes.
    """

    settings: Settings
    _head_timer: asyncio.TimerHandle | None = None
    _close_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock: a connection without a request occupies a file descriptor."""
        super().connection_made(transport)
        if len(self.connections) > self.settings.connections:
            self.app_state = {**self.app_state, OVER_LIMIT: True}
        self._since = time.perf_counter()
        self._update_head_timer()
        self._check_closing(was_closing=False)

    def data_received(self, data: bytes) -> None:
        """Stop the clock when the head is complete; start it when another head begins."""
        super().data_received(data)
        self._update_head_timer()

    def on_response_complete(self) -> None:
        """Start the clock for the rest of a body that was answered before its end."""
        super().on_response_complete()
        self._update_head_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clocks."""
        self._stop_waiting()
        if self._close_timer is not None:
            self._close_timer.cancel()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Our answer to a request that is not HTTP, in place of uvicorn's."""
        self._refuse(service_error("bad_request", reason=msg.rstrip(".")))

    def _owes(self) -> bool:
        """True when the client must send something now: its first head, the rest of a head, or of an answered body."""
        if self.conn.their_state is h11.SEND_BODY:
            return self.conn.our_state is h11.DONE
        has_head_bytes = bool(self.conn.trailing_data[0])
        return self.conn.their_state is h11.IDLE and (has_head_bytes or self.cycle is None)

    def _update_head_timer(self) -> None:
        if self.transport.is_closing():
            return
        if not self._owes():
            self._stop_waiting()
            self._limit_keep_alive()
        elif self._head_timer is None:
            self._since = time.perf_counter()
            self._head_timer = self.loop.call_later(self.settings.header_seconds, self._give_up)

    def _limit_keep_alive(self) -> None:
        """Start the keep-alive clock where uvicorn does not: after a body that was answered before its end."""
        if self.conn.their_state is h11.IDLE and self.timeout_keep_alive_task is None:
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def _stop_waiting(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _give_up(self) -> None:
        self._head_timer = None
        self._refuse(service_error("slow_head", seconds=self.settings.header_seconds))

    def _refuse(self, error: ServiceError) -> None:
        """Answer a request that does not reach the application, and close the connection."""
        if self.transport.is_closing():
            return
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):  # an answer has been started already
            self.transport.close()
            return
        answer = refusal(error, "")
        own_headers = {**HEADERS, "cache-control": "no-store", "connection": "close"}
        headers = [*answer.raw_headers, *((name.encode(), value.encode()) for name, value in own_headers.items())]
        events: list[Any] = [h11.Response(status_code=error.status, headers=headers), h11.Data(data=bytes(answer.body))]
        for event in (*events, h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()
        line = {"client": self.client[0] if self.client else "", "code": error.code}
        seconds = time.perf_counter() - self._since
        log.note_request("other", "other", error.status, seconds, line if self.settings.access_log else None)

    def _check_closing(self, *, was_closing: bool) -> None:
        """Abort a connection that has been closing for ``close_seconds``: its client does not read the last bytes."""
        closing = self.transport.is_closing()
        if closing and was_closing:
            self.transport.abort()
            return
        self._close_timer = self.loop.call_later(
            self.settings.close_seconds, lambda: self._check_closing(was_closing=closing)
        )


def protocol_with(settings: Settings) -> type[DeadlineProtocol]:
    """The protocol class with these deadlines, in the form that uvicorn expects."""
    return type("Protocol", (DeadlineProtocol,), {"settings": settings})
