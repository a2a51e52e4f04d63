"""Requests that a service must survive."""

import http.client
import json
import socket
import struct
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

from resnet18_lab.service.client import CLASSIFY, PATIENCE


@dataclass(frozen=True)
class Refusal:
    """What a request that cannot be answered gets: HTTP status, stable code, and a sentence in two languages."""

    status: int
    code: str
    message: str
    message_zh: str


def refusal(url: str, data: bytes) -> Refusal:
    """Status, code and messages that the service gives for bytes it cannot take."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=PATIENCE)
    try:
        with suppress(ConnectionError):  # it may answer before everything is sent; the answer can still be read
            connection.request("POST", CLASSIFY, data, {"Content-Type": "application/octet-stream"})
        answer = connection.getresponse()
        error = json.loads(answer.read())["error"]
    finally:
        connection.close()
    return Refusal(answer.status, error["code"], error["message"], error["message_zh"])


def announced_png(side: int) -> bytes:
    """A PNG of some forty bytes whose head announces ``side`` × ``side`` pixels, none of which follow."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", b"")


@contextmanager
def half_open(url: str, count: int) -> Iterator[None]:
    """That many connections which have each sent half a request and now say nothing."""
    where = urlsplit(url)
    with ExitStack() as stack:
        for number in range(count):
            caller = stack.enter_context(socket.create_connection((where.hostname, where.port), timeout=PATIENCE))
            caller.sendall(f"POST {CLASSIFY} HTTP/1.1\r\nHost: {where.netloc}\r\n".encode())
            if number % 2:
                caller.sendall(b"Content-Type: image/jpeg\r\nContent-Length: 50000\r\n\r\n\xff\xd8\xff")
        yield
