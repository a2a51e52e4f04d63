"""The socket that all workers accept connections from."""

import os
import socket

from resnet18_lab.base.errors import ServeError
from resnet18_lab.service.settings import Settings


def bound_socket(settings: Settings) -> socket.socket:
    """A socket bound to the address, not yet listening; ServeError when it cannot be bound."""
    try:
        family, _, _, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        # Without IPPROTO_TCP asyncio leaves Nagle's algorithm on: an answer's body would wait 40 ms for an ACK.
        sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        if os.name == "posix":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
    except OSError as error:
        raise ServeError(
            f"{settings.host}:{settings.port} cannot be served on ({error.strerror or error}); "
            "choose another --port (0 takes any free one) or --host."
        ) from error
    sock.set_inheritable(True)
    return sock
