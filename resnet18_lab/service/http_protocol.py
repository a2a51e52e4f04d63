"""uvicorn's HTTP/1.1 protocol with what it lacks: deadlines for heads and for reading answers, and our refusals."""

import asyncio
import time
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from resnet18_lab.service import log
from resnet18_lab.service.middleware import OVER_LIMIT
from resnet18_lab.service.refusals import ServiceError, service_error
from resnet18_lab.service.responses import HEADERS, refusal
from resnet18_lab.service.settings import Settings


class DeadlineProtocol(H11Protocol):
    """Drops a client that does not send a whole head in time, or does not read what it is sent.

    ``settings`` is set by the subclass that ``protocol_with`` makes.
    """

    settings: Settings
    _head_timer: asyncio.TimerHandle | None = None
    _close_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock: a connection without a request costs a descriptor."""
        super().connection_made(transport)
        if len(self.connections) > self.settings.connections:
            self.app_state = {**self.app_state, OVER_LIMIT: True}
        self._since = time.perf_counter()
        self._mind_clock()
        self._look_at_closing(was_closing=False)

    def data_received(self, data: bytes) -> None:
        """Stop the clock when the head is whole; start it when a next one has begun."""
        super().data_received(data)
        self._mind_clock()

    def on_response_complete(self) -> None:
        """Start the clock for the rest of a body that was answered before its end."""
        super().on_response_complete()
        self._mind_clock()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clocks."""
        self._stop_waiting()
        if self._close_timer is not None:
            self._close_timer.cancel()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Our answer to what is no HTTP, in place of uvicorn's."""
        self._refuse(service_error("bad_request", reason=msg.rstrip(".")))

    def _owes(self) -> bool:
        """Whether the client has to send something now: its first head, the rest of a head, or of an answered body."""
        if self.conn.their_state is h11.SEND_BODY:
            return self.conn.our_state is h11.DONE
        begun = bool(self.conn.trailing_data[0])
        return self.conn.their_state is h11.IDLE and (begun or self.cycle is None)

    def _mind_clock(self) -> None:
        if self.transport.is_closing():
            return
        if not self._owes():
            self._stop_waiting()
            self._keep_alive_at_most()
        elif self._head_timer is None:
            self._since = time.perf_counter()
            self._head_timer = self.loop.call_later(self.settings.header_seconds, self._give_up)

    def _keep_alive_at_most(self) -> None:
        """Start a clock that uvicorn forgets: of an idle connection whose last body was answered before its end."""
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
        """Answer where no request reaches the application, and close."""
        if self.transport.is_closing():
            return
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):  # an answer has left already
            self.transport.close()
            return
        answer = refusal(error, "")
        own = {**HEADERS, "cache-control": "no-store", "connection": "close"}
        headers = [*answer.raw_headers, *((name.encode(), value.encode()) for name, value in own.items())]
        events: list[Any] = [h11.Response(status_code=error.status, headers=headers), h11.Data(data=bytes(answer.body))]
        for event in (*events, h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()
        line = {"client": self.client[0] if self.client else "", "code": error.code}
        seconds = time.perf_counter() - self._since
        log.note_request("other", "other", error.status, seconds, line if self.settings.access_log else None)

    def _look_at_closing(self, *, was_closing: bool) -> None:
        """A closed connection ends when its last bytes are read; one whose client does not read them is cut off."""
        closing = self.transport.is_closing()
        if closing and was_closing:
            self.transport.abort()
            return
        self._close_timer = self.loop.call_later(
            self.settings.close_seconds, lambda: self._look_at_closing(was_closing=closing)
        )


def protocol_with(settings: Settings) -> type[DeadlineProtocol]:
    """The protocol with these deadlines, as uvicorn takes it."""
    return type("Protocol", (DeadlineProtocol,), {"settings": settings})
