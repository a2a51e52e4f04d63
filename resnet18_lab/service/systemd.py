"""What systemd is told of this service: the datagrams of sd_notify(3), where it started it and listens to it."""

import math
import os
import socket
import time
from collections.abc import MutableMapping
from contextlib import suppress

_SEND_SECONDS = 1.0
"""Time for a datagram: systemd may be busy, but must not hold the service up."""


class Systemd:
    """Sends to the socket named in the environment, and nothing where none is named; no failure goes further.

    The variables are taken out of the environment, so that no child speaks, or is watched, in this process's place.
    """

    def __init__(self, environment: MutableMapping[str, str]) -> None:
        address = environment.pop("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._beat_seconds = _beat_seconds(environment.pop("WATCHDOG_USEC", ""), environment.pop("WATCHDOG_PID", ""))
        self._next_beat = 0.0 if self._address else math.inf
        self._status = ""
        self.is_reloading = False
        """True from ``reloading`` to the next ``ready``."""

    def ready(self, status: str = "") -> None:
        """The service answers: for the first time, with what ``systemctl status`` shows, or again after a reload."""
        self._status = status or self._status
        self.is_reloading = False
        self._send("READY=1", f"STATUS={self._status}")

    def reloading(self) -> None:
        """The workers are being replaced; since when, by the clock that systemd compares with its own."""
        self.is_reloading = True
        self._send("RELOADING=1", f"MONOTONIC_USEC={int(time.monotonic() * 1e6)}", "STATUS=replacing the workers")

    def stopping(self) -> None:
        """The service is about to end, and finishes what it has begun."""
        self._send("STOPPING=1", "STATUS=finishing what has begun")

    def beat(self) -> None:
        """The service's loop turns; said when half the time has passed after which systemd would end it."""
        now = time.monotonic()
        if self._beat_seconds < math.inf and now >= self._next_beat:
            self._next_beat = now + self._beat_seconds
            self._send("WATCHDOG=1")

    def _send(self, *lines: str) -> None:
        if not self._address:
            return
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.settimeout(_SEND_SECONDS)
            sock.sendto("\n".join(lines).encode(), self._address)


def _beat_seconds(microseconds: str, process: str) -> float:
    """Seconds between two beats, half of what is allowed; infinite where this process is not watched."""
    if process not in ("", str(os.getpid())) or not microseconds.isdecimal() or int(microseconds) == 0:
        return math.inf
    return int(microseconds) / 2e6
