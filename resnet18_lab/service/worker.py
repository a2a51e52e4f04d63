"""One worker process: the application under uvicorn on a socket it was handed."""

import os
import signal
import socket
import sys
import threading
from multiprocessing.connection import Connection

STARTED_WRONG = 3
MOST_CONNECTIONS = 1000
"""Over these a worker answers 503 to whatever comes; it stays under the usual 1,024 descriptors."""


def work(settings_fields: dict[str, object], sock: socket.socket, parent: Connection) -> None:
    """Serve until SIGTERM; tells the parent when it is ready, or why it cannot be."""
    import uvicorn

    from resnet18_lab.errors import LabError
    from resnet18_lab.service.app import create_app
    from resnet18_lab.service.protocol import DeadlineProtocol
    from resnet18_lab.service.settings import Settings

    settings = Settings(**settings_fields)  # type: ignore[arg-type]
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            parent.send("ready")

    class Protocol(DeadlineProtocol):
        header_seconds = settings.header_seconds

    config = uvicorn.Config(
        create_app(settings),
        http=Protocol,
        ws="none",
        loop="asyncio",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=max(1, int(settings.drain_seconds)),
        limit_concurrency=MOST_CONNECTIONS,
    )
    try:
        Server(config).run(sockets=[sock])
    except LabError as error:
        parent.send(str(error))
        sys.exit(STARTED_WRONG)


def _end_with(parent: Connection) -> None:
    """Leave when the parent is gone: its end of the pipe closes with it."""
    try:
        parent.recv()
    except (EOFError, OSError):
        os.kill(os.getpid(), signal.SIGTERM)
