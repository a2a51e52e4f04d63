"""One worker process: the application under uvicorn on a socket that its parent passes."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import socket
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection
    from multiprocessing.connection import Connection

    import uvicorn
    from starlette.types import ASGIApp

    from resnet18_lab.service.settings import Settings

_STARTED_WRONG = 3
BEAT_SECONDS = 1.0
LAST_REQUESTS_SECONDS = 0.3
"""How long connections that have been accepted may still send a request before the idle ones are closed."""
_LAST_TURNS = 2_000
_LAST_READINGS = 50
READY, ALIVE, DRAIN = "ready", "alive", "drain"
"""What worker and parent tell each other; anything else a worker says is why it cannot start."""


def work(settings_fields: dict[str, object], sock: socket.socket, parent: Connection) -> None:
    """Serve until SIGTERM; tell the parent when the worker is ready and that it is alive, or why it cannot start."""
    from resnet18_lab.service.metrics_files import reserve

    has_shared_metrics = reserve()  # before anything imports prometheus_client
    import uvicorn

    from resnet18_lab.base.errors import LabError
    from resnet18_lab.service import log
    from resnet18_lab.service.app import create_app
    from resnet18_lab.service.settings import Settings

    log.take_over_logging()
    if not has_shared_metrics:
        log.write({"level": "warning", "message": "no room for metrics that workers share: each counts for itself"})
    settings, draining = Settings(**settings_fields), threading.Event()  # type: ignore[arg-type]
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # it is meant for the parent, which replaces workers in order
    threading.Thread(target=_obey, args=(parent, draining), daemon=True).start()

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            parent.send(READY)
            self.beating = asyncio.create_task(_beat(parent))

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            draining.set()  # each connection ends with its next answer
            await _accept_the_last(sockets or [])
            for server in self.servers:
                server.close()
            await _read_the_last(self.server_state.connections)
            await super().shutdown(sockets)

    try:
        Server(server_config(create_app(settings, draining), settings)).run(sockets=[sock])
    except LabError as error:
        parent.send(str(error))
        sys.exit(_STARTED_WRONG)
    finally:
        log.flush()  # an application that cannot start has said why, and uvicorn ends the process at once


def server_config(app: ASGIApp, settings: Settings) -> uvicorn.Config:
    """The settings of uvicorn: our protocol, and no log or server header of its own."""
    import uvicorn

    from resnet18_lab.service.http_protocol import protocol_with

    return uvicorn.Config(
        app,
        http=protocol_with(settings),
        ws="none",
        loop="asyncio",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=settings.proxy_headers,
        # Who may open a socket in the file system may say who asked; else a proxy on this machine may.
        forwarded_allow_ips="*" if settings.uds is not None else "127.0.0.1",
        timeout_keep_alive=15,
        timeout_graceful_shutdown=max(1, int(settings.drain_seconds)),
    )


async def _beat(parent: Connection) -> None:
    """Say again and again that the event loop turns; a parent that does not listen is not waited for."""
    while True:
        with suppress(OSError):
            if select.select([], [parent], [], 0)[1]:
                parent.send(ALIVE)
        await asyncio.sleep(BEAT_SECONDS)


async def _accept_the_last(sockets: list[socket.socket]) -> None:
    """Let the event loop take the connections that wait: closing a listening socket resets them."""
    for _ in range(_LAST_TURNS):
        if not sockets or not select.select(sockets, [], [], 0)[0]:
            return
        await asyncio.sleep(0)


async def _read_the_last(connections: Collection[Any]) -> None:
    """Let the event loop read what has come: closing a connection with a request that is not read yet resets it."""
    if connections:
        await asyncio.sleep(LAST_REQUESTS_SECONDS)
    for _ in range(_LAST_READINGS):
        if not _has_unread(connections):
            return
        await asyncio.sleep(0.01)


def _has_unread(connections: Collection[Any]) -> bool:
    if not hasattr(select, "poll"):
        return False
    poll = select.poll()
    for connection in connections:
        sock = connection.transport.get_extra_info("socket")
        if sock is not None and sock.fileno() >= 0:
            poll.register(sock.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def _obey(parent: Connection, draining: threading.Event) -> None:
    """Do what the parent says, and end this process when it has died: its end of the pipe closes with it."""
    with suppress(EOFError, OSError):
        while parent.recv() == DRAIN:
            draining.set()
    os.kill(os.getpid(), signal.SIGTERM)
