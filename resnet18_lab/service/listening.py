"""The socket that all workers accept connections from."""

import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from resnet18_lab.base.errors import ServeError
from resnet18_lab.service.settings import Settings


def bound_socket(settings: Settings) -> socket.socket:
    """A socket bound to the address, not yet listening; ServeError when it cannot be bound."""
    if settings.uds is not None:
        return _bound_in_files(Path(settings.uds))
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


def _bound_in_files(path: Path) -> socket.socket:
    """A socket in the file system, which this user and group may use; what a dead service left is replaced."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if path.exists() and _is_left_over(path):
            path.unlink()
        sock.bind(str(path))
        path.chmod(stat.S_IRUSR | stat.S_IWUSR | stat.S_IRGRP | stat.S_IWGRP)
    except OSError as error:
        sock.close()
        raise ServeError(
            f"{path} cannot be served on ({error.strerror or error}); choose another --uds, or end what serves there."
        ) from error
    sock.set_inheritable(True)
    return sock


def _is_left_over(path: Path) -> bool:
    """True for a socket that nobody listens on; never for anything else."""
    if not path.is_socket():
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            return True
    return False


def address_of(sock: socket.socket) -> str:
    """The address as people and clients write it: ``http://127.0.0.1:8000``, or ``unix:/run/pictures.sock``."""
    address = sock.getsockname()
    if isinstance(address, str):
        return f"unix:{address}"
    host, port = address[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


@contextmanager
def listening(settings: Settings) -> Iterator[socket.socket]:
    """The bound socket for a ``with`` block, at whose end it is closed, and taken out of the file system."""
    with bound_socket(settings) as sock:
        try:
            yield sock
        finally:
            if settings.uds is not None:
                with suppress(OSError):
                    Path(settings.uds).unlink()
