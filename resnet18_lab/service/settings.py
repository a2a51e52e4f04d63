"""The settings with which a service is started."""

import re
import socket
from dataclasses import dataclass

from resnet18_lab.base.errors import ParameterError
from resnet18_lab.preprocessing.defaults import DECODE_SECONDS
from resnet18_lab.preprocessing.source import Limits

MEGABYTE = 1_000_000
ENVELOPE_BYTES = 200_000
"""Bytes a multipart body may hold in addition to its files: boundaries, headers, small fields."""
METRICS_DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"
"""Environment variable that names the folder in which the workers' metrics are collected."""
LOOPBACK = ("127.0.0.1", "::1", "localhost")


_AT_LEAST_ONE = (
    "workers", "threads", "max_mb", "queue", "max_files", "max_batch", "batch_mb", "upload_mb", "connections"
)  # fmt: skip
_FEWEST_DECODERS = 2
_SECONDS = (
    "decode_seconds",
    "header_seconds",
    "body_seconds",
    "longest_body_seconds",
    "request_seconds",
    "close_seconds",
    "drain_seconds",
)
_HIGHEST_RATE = 100_000
_ROOT_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)*")
_LONGEST_SECONDS = 86_400


@dataclass(frozen=True)
class Settings:
    """All settings of the service; the command line fills them in, and each worker gets a copy.

    Limits per worker: ``queue`` is the number of pictures accepted and not yet answered, ``cache`` of answers
    remembered, ``max_batch`` of waiting pictures run together, ``connections`` of clients at a time;
    ``upload_mb`` limits the memory for all uploads. With ``proxy_headers`` a proxy on this machine names the
    client in X-Forwarded-For. ``allowed_hosts`` are the names by which the service may be asked; where it listens
    on this machine alone, loopback's are always among them, and elsewhere all names are allowed if none is given.
    ``decoders`` is the number of decoding processes, ``decode_seconds`` the CPU time that one picture may take in
    them. The other times in seconds are for a request's head, its body, the answer, reading the end of an answer,
    finishing the running requests when the service stops, and going on before that while it says that it is no
    longer ready. A body has ``body_seconds``, and beyond them as long as it keeps up with ``least_rate`` (kB a
    second; 0 gives no more time), at most ``longest_body_seconds``. ``api_key_file`` is a file of keys, one a line;
    ``rules`` is a file of rules for answers, ``no_unknown`` calls nothing unknown;
    ``uds`` a socket in the file system to listen on instead of ``host`` and ``port``; ``root_path`` the part of the
    address under which a proxy shows the service.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    uds: str | None = None
    root_path: str = ""
    api_key_file: str | None = None
    workers: int = 1
    threads: int = 1
    backend: str = "auto"
    weights: str = "auto"
    rules: str | None = None
    no_unknown: bool = False
    max_mb: int = 20
    queue: int = 64
    cache: int = 2048
    max_batch: int = 8
    max_files: int = 50
    batch_mb: int = 60
    upload_mb: int = 120
    connections: int = 1000
    decoders: int = 3
    decode_seconds: float = DECODE_SECONDS
    draft: bool = False
    access_log: bool = True
    rate: float = 0.0
    proxy_headers: bool = False
    cors_origins: tuple[str, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    header_seconds: float = 10.0
    body_seconds: float = 30.0
    longest_body_seconds: float = 300.0
    least_rate: float = 50.0
    request_seconds: float = 60.0
    close_seconds: float = 10.0
    drain_seconds: float = 10.0
    grace_seconds: float = 0.5

    def __post_init__(self) -> None:
        for name in _AT_LEAST_ONE:
            if getattr(self, name) < 1:
                raise ParameterError(f"{name}={getattr(self, name)} is not allowed; give 1 or more.")
        for name in _SECONDS:
            if not 0 < getattr(self, name) <= _LONGEST_SECONDS:  # not NaN either
                raise ParameterError(
                    f"{name}={getattr(self, name)} is not allowed; give more than 0 and at most {_LONGEST_SECONDS}."
                )
        if self.decoders < _FEWEST_DECODERS:
            raise ParameterError(
                f"decoders={self.decoders} is not allowed; give 2 or more: one is kept for small pictures."
            )
        if not 0 <= self.grace_seconds <= _LONGEST_SECONDS:
            raise ParameterError(f"grace_seconds={self.grace_seconds} is not allowed; give 0 to {_LONGEST_SECONDS}.")
        for name in ("rate", "least_rate"):
            if not 0 <= getattr(self, name) <= _HIGHEST_RATE:
                raise ParameterError(
                    f"{name}={getattr(self, name)} is not allowed; give 0 (no limit) to {_HIGHEST_RATE}."
                )
        if not _ROOT_PATH.fullmatch(self.root_path):
            raise ParameterError(f"root_path={self.root_path!r} is no path; give one like /pictures, or nothing.")
        if self.uds is not None and not hasattr(socket, "AF_UNIX"):
            raise ParameterError(
                "uds needs a socket in the file system; this system has none, so give --host and --port."
            )
        if self.cache < 0:
            raise ParameterError(f"cache={self.cache} is not allowed; give 0 (none) or more.")
        if not 0 <= self.port <= 65_535:
            raise ParameterError(f"port={self.port} does not exist; give 0 (any free one) to 65535.")

    @property
    def limits(self) -> Limits:
        """Limits checked before a picture is decoded."""
        return Limits(max_bytes=self.max_mb * MEGABYTE)

    @property
    def upload_bytes(self) -> int:
        """Bytes that all uploads in a worker's memory may have together; at least those of one largest request."""
        one = max(self.max_mb, self.batch_mb) * MEGABYTE + ENVELOPE_BYTES
        return max(one, self.upload_mb * MEGABYTE)

    def time_for_body(self, received: int) -> float:
        """Seconds from its first byte on in which a body must have come, of which so many bytes have."""
        more = received / (self.least_rate * 1000) if self.least_rate else 0.0
        return min(self.body_seconds + more, self.most_body_seconds)

    @property
    def most_body_seconds(self) -> float:
        """Seconds after which no body is waited for."""
        return max(self.body_seconds, self.longest_body_seconds)

    @property
    def draft_for(self) -> int | None:
        """Size to which large JPEGs are reduced while decoding; None to decode all pixels."""
        return 256 if self.draft else None

    @property
    def is_local(self) -> bool:
        """True when only programs of this machine can reach the service."""
        return self.uds is not None or self.host in LOOPBACK
