"""A real HTTP server on this machine that behaves well or badly, as a test asks."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

STEP = 4096


class FileServer(ThreadingHTTPServer):
    """Serves ``content`` at every path; remembers the requests and counts the body bytes it sent."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, content: bytes, behaviour: str, etag: str | None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.content = content
        self.behaviour = behaviour
        self.etag = etag
        self.requests: list[dict[str, str]] = []
        self.sent = 0
        self.go_on = threading.Event()  # set when a stalled answer may end

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def url(self) -> str:
        return f"{self.address}/weights.pth"

    def handle_error(self, request: object, client_address: object) -> None:
        pass  # a client that hangs up is part of the tests


@contextmanager
def serving(content: bytes, behaviour: str = "well", *, etag: str | None = '"v1"') -> Iterator[FileServer]:
    """A running server; ``behaviour`` names a method of the handler below."""
    server = FileServer(content, behaviour, etag)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.go_on.set()
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: FileServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.requests.append({"path": self.path, **{key.title(): text for key, text in self.headers.items()}})
        self.close_connection = True
        with suppress(ConnectionError):
            getattr(self, self.server.behaviour)()

    def log_message(self, format: str, *arguments: object) -> None:
        pass

    def head(self, status: int, length: int | None, **headers: str) -> None:
        self.send_response(status)
        if length is not None:
            self.send_header("Content-Length", str(length))
        if self.server.etag:
            self.send_header("ETag", self.server.etag)
        for name, text in headers.items():
            self.send_header(name.replace("_", "-"), text)
        self.end_headers()

    def body(self, content: bytes) -> None:
        for start in range(0, len(content), STEP):
            self.wfile.write(content[start : start + STEP])
            self.server.sent += len(content[start : start + STEP])

    def well(self) -> None:
        content = self.server.content
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        condition = self.headers.get("If-Range")
        if wanted is None or (condition is not None and condition != self.server.etag):
            self.head(200, len(content))
            self.body(content)
        elif (start := int(wanted[1])) >= len(content):
            self.head(416, 0, Content_Range=f"bytes */{len(content)}")
        else:
            place = f"bytes {start}-{len(content) - 1}/{len(content)}"
            self.head(206, len(content) - start, Content_Range=place)
            self.body(content[start:])

    def ignores_range(self) -> None:
        self.head(200, len(self.server.content))
        self.body(self.server.content)

    def refuses_range(self) -> None:
        if "Range" in self.headers:
            self.head(416, 0)
        else:
            self.ignores_range()

    def wrong_range(self) -> None:
        if "Range" in self.headers:
            self.head(206, len(self.server.content), Content_Range=f"bytes 0-9/{len(self.server.content)}")
            self.body(self.server.content)
        else:
            self.ignores_range()

    def only_parts(self) -> None:
        self.head(206, 10, Content_Range=f"bytes 0-9/{len(self.server.content)}")
        self.body(self.server.content[:10])

    def without_length(self) -> None:
        self.head(200, None, Connection="close")
        self.body(self.server.content)

    def cuts_off(self) -> None:
        self.head(200, len(self.server.content))
        self.body(self.server.content[: len(self.server.content) // 2])

    def stalls(self) -> None:
        self.cuts_off()
        self.server.go_on.wait(30)

    def never_answers(self) -> None:
        self.server.go_on.wait(30)

    def pauses(self) -> None:
        half = len(self.server.content) // 2
        self.head(200, len(self.server.content))
        self.body(self.server.content[:half])
        self.server.go_on.wait(30)
        self.body(self.server.content[half:])

    def not_found(self) -> None:
        self.head(404, 0)

    def redirects(self) -> None:
        if self.path.startswith("/moved"):
            self.well()
        else:
            self.head(302, 0, Location="/moved/weights.pth")

    def redirects_to_a_file(self) -> None:
        self.head(302, 0, Location="file:///etc/passwd")

    def log_in_page(self) -> None:
        page = b"<html>log in</html>"
        self.head(200, len(page), Content_Type="text/html")
        self.body(page)
