"""One worker process: the application under uvicorn on a socket that its parent passes."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    import uvicorn
    from starlette.types import ASGIApp

    from resnet18_lab.service.settings import Settings

_STARTED_WRONG = 3


def work(settings_fields: dict[str, object], sock: socket.socket, parent: Connection) -> None:
    """Serve until SIGTERM; tell the parent when the worker is ready, or why it cannot start."""
    import uvicorn

    from resnet18_lab.base.errors import LabError
    from resnet18_lab.service.app import create_app
    from resnet18_lab.service.log import take_over_logging
    from resnet18_lab.service.settings import Settings

    take_over_logging()
    settings = Settings(**settings_fields)  # type: ignore[arg-type]
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            parent.send("ready")

    try:
        Server(server_config(create_app(settings), settings)).run(sockets=[sock])
    except LabError as error:
        parent.send(str(error))
        sys.exit(_STARTED_WRONG)


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
        timeout_keep_alive=15,
        timeout_graceful_shutdown=max(1, int(settings.drain_seconds)),
    )


def _end_with(parent: Connection) -> None:
    """End this process when the parent has died: its end of the pipe closes with it."""
    try:
        parent.recv()
    except (EOFError, OSError):
        os.kill(os.getpid(), signal.SIGTERM)
