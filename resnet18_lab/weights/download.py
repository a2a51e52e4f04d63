"""The bytes of one download: asked for, resumed after a break, and kept when it breaks again."""

import contextlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from resnet18_lab.base.errors import FetchError
from resnet18_lab.base.notify import Notify
from resnet18_lab.weights.catalogue import CatalogueEntry
from resnet18_lab.weights.find import VARIABLE

if TYPE_CHECKING:
    import http.client
    import urllib.error
    import urllib.request

_CHUNK = 1 << 16


@dataclass(frozen=True)
class Download:
    """One download: which file, from where to where, and how patiently."""

    entry: CatalogueEntry
    url: str
    target: Path
    progress: bool
    connect_timeout: float
    read_timeout: float
    notify: Notify

    @property
    def part(self) -> Path:
        """Where the bytes go until they are all there."""
        return self.target.with_name(self.target.name + ".part")

    @property
    def etag_file(self) -> Path:
        """Beside the part: the server's name for the version it is a part of."""
        return self.part.with_name(self.part.name + ".etag")

    @property
    def shown_url(self) -> str:
        """The URL for messages, without a password."""
        return re.sub(r"//[^/]*@", "//", self.url)

    def kept(self) -> int:
        """Bytes of an earlier try."""
        return self.part.stat().st_size if self.part.is_file() else 0

    def discard(self) -> None:
        """Throw away what came."""
        self.part.unlink(missing_ok=True)
        self.etag_file.unlink(missing_ok=True)

    def failure(self, reason: str) -> FetchError:
        """The error that says what was fetched from where, why it failed, and what is kept."""
        kept = 0
        with contextlib.suppress(OSError):
            kept = self.kept()
        resume = f" {kept:,} of {self.entry.bytes:,} bytes are kept: run it again to go on." if kept else ""
        return FetchError(
            f"Could not fetch {self.entry.filename} from {self.shown_url} to {self.target}: {reason}.{resume}"
            f" Set {VARIABLE} to a copy if you have one, HTTPS_PROXY if a proxy is needed."
        )


def transfer(job: Download, offset: int) -> None:
    """Append to the ``.part`` what comes after ``offset`` bytes; raises FetchError, and keeps what came."""
    try:
        going_on = f", going on after {offset:,} bytes" if offset else ""
        job.notify(f"fetching {job.entry.name} weights ({job.entry.bytes:,} bytes{going_on}) from {job.shown_url}")
        with _request(job, offset) as response:
            if response.status != 206:
                offset = 0
                _start_afresh(job, response)
            _receive(job, response, offset)
    except KeyboardInterrupt:
        job.notify(f"interrupted; {job.kept():,} bytes are kept in {job.part}: run it again to go on")
        raise


def _request(job: Download, offset: int) -> "http.client.HTTPResponse":
    """The server's answer: 206 goes on at ``offset``, anything else starts at the first byte."""
    import http.client
    import urllib.error
    import urllib.request

    headers = {"User-Agent": "resnet18-lab", "Accept-Encoding": "identity"}
    if offset:
        headers["Range"] = f"bytes={offset}-"
        with contextlib.suppress(OSError):
            headers["If-Range"] = job.etag_file.read_text(encoding="latin-1")
    try:
        request = urllib.request.Request(job.url, headers=headers)  # noqa: S310 - _check_url allowed the scheme
        response: http.client.HTTPResponse = _opener(job).open(request, timeout=job.connect_timeout)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416 and offset:  # the server's file ends before our part does
            return _request(job, offset=0)
        raise job.failure(_status_reason(error)) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise job.failure(_network_reason(job, error)) from error
    if response.status == 206 and not _continues(job, response, offset):
        response.close()
        if not offset:
            raise job.failure("the server sends a part of the file where the whole was asked for")
        return _request(job, offset=0)
    return response


def _opener(job: Download) -> "urllib.request.OpenerDirector":
    """Opener for http and https alone, with one timeout for the connection and another for reading."""
    import http.client
    import urllib.request

    class Connection(http.client.HTTPConnection):
        def connect(self) -> None:
            super().connect()
            self.sock.settimeout(job.read_timeout)

    class SecureConnection(http.client.HTTPSConnection):
        def connect(self) -> None:
            super().connect()
            self.sock.settimeout(job.read_timeout)

    class Handler(urllib.request.HTTPSHandler, urllib.request.HTTPHandler):
        def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
            return self.do_open(Connection, req)

        def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
            return self.do_open(SecureConnection, req)

    opener = urllib.request.OpenerDirector()
    opener.add_handler(urllib.request.ProxyHandler())
    opener.add_handler(Handler())
    opener.add_handler(urllib.request.HTTPRedirectHandler())
    opener.add_handler(urllib.request.HTTPDefaultErrorHandler())
    opener.add_handler(urllib.request.HTTPErrorProcessor())
    opener.add_handler(urllib.request.UnknownHandler())
    return opener


def _continues(job: Download, response: "http.client.HTTPResponse", offset: int) -> bool:
    """True when a 206 answer goes on where our part ends, in a file of the right size, as asked."""
    found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
    if found is None or int(found[1]) != offset or not offset:
        return False
    return found[2] == "*" or job.entry.fits_size(int(found[2]))


def _start_afresh(job: Download, response: "http.client.HTTPResponse") -> None:
    announced = response.headers.get("Content-Length")
    if announced and not (announced.isdigit() and job.entry.fits_size(int(announced))):
        kind = response.headers.get_content_type()
        raise job.failure(
            f"the server offers {announced} bytes of {kind} in place of {job.entry.bytes}: another "
            "file, or a log-in page"
        )
    job.discard()
    etag = response.headers.get("ETag", "")
    if etag and not etag.startswith("W/"):  # If-Range takes no weak validator (RFC 9110, 13.1.5)
        job.etag_file.write_text(etag, encoding="latin-1")


def _receive(job: Download, response: "http.client.HTTPResponse", offset: int) -> None:
    from tqdm import tqdm

    received = offset
    quiet = None if job.progress else True  # None: quiet where stderr is no terminal
    size, slack = _size_told(job, response, offset)
    bar = tqdm(desc=job.target.name, total=size, initial=offset, unit="B", unit_scale=True, disable=quiet)
    with job.part.open("ab") as file, bar:
        for chunk in _chunks(job, response):
            received += len(chunk)
            if received > size + slack:
                break
            file.write(chunk)
            file.flush()  # what came is kept even if the process is killed
            bar.update(len(chunk))
        os.fsync(file.fileno())
    if received > size + slack:
        job.discard()
        raise job.failure(f"the server sent more than the {size:,} bytes of the file; they were deleted")
    if received < size - slack:
        raise job.failure("the connection was cut off")


def _size_told(job: Download, response: "http.client.HTTPResponse", offset: int) -> tuple[int, int]:
    """Bytes of the whole file and what they may be off: as the catalogue has them, or as the server says them."""
    announced = response.headers.get("Content-Length", "")
    if job.entry.bytes_within and announced.isdigit():
        return offset + int(announced), 0
    return job.entry.bytes, job.entry.bytes_within


def _chunks(job: Download, response: "http.client.HTTPResponse") -> Iterator[bytes]:
    import http.client

    while True:
        try:
            chunk = response.read1(_CHUNK)
        except (OSError, http.client.HTTPException) as error:
            slow = isinstance(error, TimeoutError)
            raise job.failure(
                f"no byte came for {job.read_timeout:g} s" if slow else "the connection was cut off"
            ) from error
        if not chunk:
            return
        yield chunk


def _status_reason(error: "urllib.error.HTTPError") -> str:
    known = {404: "the server has no such file (404)", 407: "the proxy asks for a name and password (407)"}
    return known.get(error.code) or f"the server answered {error.code} {error.reason}"


def _network_reason(job: Download, error: Exception) -> str:
    import socket
    import ssl
    import urllib.error

    if isinstance(error, TimeoutError):
        return f"the server did not answer within {job.read_timeout:g} s"
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(cause, TimeoutError):
        return f"no connection within {job.connect_timeout:g} s"
    if isinstance(cause, socket.gaierror):
        return "the host's name cannot be resolved (no network?)"
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"the server's certificate is not trusted ({cause.verify_message})"
    return f"no connection ({getattr(cause, 'strerror', None) or cause})"
