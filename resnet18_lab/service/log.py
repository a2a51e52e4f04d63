"""All output of a worker: JSON lines on stderr, one per request and one per warning."""

import json
import logging
import os
import time
import traceback
from collections.abc import Mapping

from resnet18_lab.service import prometheus
from resnet18_lab.service.lines import Lines

_lines = Lines(prometheus.LOST_LINES.inc)
_METHODS = ("GET", "HEAD", "POST", "OPTIONS", "PUT", "DELETE", "PATCH")


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {"level": record.levelname.lower(), "logger": record.name, "message": record.getMessage()}
        if record.exc_info and record.exc_info[1] is not None:
            line["error"] = "".join(traceback.format_exception(record.exc_info[1]))
        return json.dumps({"time": _now(), **line})


class _Handler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        _lines.put(self.format(record))


def take_over_logging() -> None:
    """Write warnings of libraries (uvicorn, python_multipart, asyncio) and of Python as JSON lines, too."""
    _lines.descriptor = os.dup(2)
    handler = _Handler()
    handler.setFormatter(_JsonLines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.captureWarnings(capture=True)


def note_request(route: str, method: str, status: int, seconds: float, line: Mapping[str, object] | None) -> None:
    """Count an answered request, and write its log line unless ``line`` is None."""
    prometheus.REQUESTS.labels(route, method if method in _METHODS else "other", str(status)).inc()
    prometheus.REQUEST_SECONDS.labels(route).observe(seconds)
    if line is not None:
        write({**line, "status": status, "ms": round(seconds * 1000, 1)})


def complain(error: BaseException, request_id: str) -> None:
    """Write the traceback of an unexpected error."""
    write({"request_id": request_id, "error": "".join(traceback.format_exception(error))})


def write(line: Mapping[str, object]) -> None:
    """One line, with the time before it."""
    _lines.put(json.dumps({"time": _now(), **line}))


def flush() -> None:
    """Return when what was logged is written, or after a second."""
    _lines.flush()


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
