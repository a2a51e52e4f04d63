"""Forms as browsers and programs send them (multipart/form-data), read as they arrive; only files are kept."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from resnet18_lab.preprocessing.refusals import image_error
from resnet18_lab.service import names
from resnet18_lab.service.refusals import no_file, service_error
from resnet18_lab.service.settings import ENVELOPE_BYTES, Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from python_multipart.multipart import MultipartCallbacks

_FIELD = "file"
_MAX_PARTS = 1000
_MAX_HEADER_BYTES = 8192


@dataclass(frozen=True)
class Upload:
    """An uploaded file: its bytes, and its name as it is shown in the answer."""

    name: str
    data: bytes


def boundary_of(content_type: str | None) -> bytes | None:
    """The form's boundary; None for a raw body."""
    kind, options = parse_options_header(content_type)
    if not kind.startswith(b"multipart/"):
        return None
    boundary = options.get(b"boundary", b"")
    if not boundary:
        raise service_error("bad_multipart", reason="it names no boundary")
    return boundary


async def files_of(
    chunks: AsyncIterator[bytes], boundary: bytes, settings: Settings, *, most_files: int
) -> list[Upload]:
    """The files in the field ``file``, in order, at least one; ServiceError for a form that is broken or has none."""
    parts, preamble = _Parts(most_files, settings), _Preamble(boundary)
    try:
        parser = MultipartParser(boundary, parts.callbacks(), max_header_size=_MAX_HEADER_BYTES)
        async for chunk in chunks:
            parser.write(preamble.taken_off(chunk))
        parser.finalize()
    except (FormParserError, UnicodeError) as error:
        raise service_error("bad_multipart", reason=type(error).__name__) from error
    if not parts.ended:
        raise service_error("bad_multipart", reason="it ends too early")
    if not parts.files:
        raise no_file(parts.others)
    return parts.files


class _Preamble:
    """What may stand before the first boundary, and means nothing (RFC 2046, 5.1.1); the parser does not know it."""

    def __init__(self, boundary: bytes) -> None:
        self._start = re.compile(rb"(?:\A|\r\n)(--" + re.escape(boundary) + rb")(?=[ \t]*\r|--)")
        self._held: bytes | None = b""

    def taken_off(self, chunk: bytes) -> bytes:
        """The chunk from the first boundary on; nothing before it has come."""
        if self._held is None:
            return chunk
        held = self._held = self._held + chunk
        if found := self._start.search(held):
            self._held = None
            return held[found.start(1) :]
        if len(held) > ENVELOPE_BYTES:
            raise service_error("bad_multipart", reason="it does not begin with its boundary")
        return b""


class _Parts:
    """Collects the files of a form while the parser goes through it."""

    def __init__(self, most_files: int, settings: Settings) -> None:
        self.files: list[Upload] = []
        self.others: list[str] = []
        self.ended = False
        self._most_files = most_files
        self._settings = settings
        self._count = 0
        self._name: str | None = None  # the file's name while its part is read; None in other parts
        self._data = bytearray()
        self._field, self._value, self._disposition = b"", b"", b""

    def callbacks(self) -> MultipartCallbacks:
        return {
            "on_part_begin": self._part_begin,
            "on_header_field": self._header_field,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
            "on_part_data": self._part_data,
            "on_part_end": self._part_end,
            "on_end": self._end,
        }

    def _part_begin(self) -> None:
        self._count += 1
        if self._count > _MAX_PARTS:
            raise service_error("bad_multipart", reason=f"more than {_MAX_PARTS} parts")
        self._name, self._data, self._disposition = None, bytearray(), b""
        self._field, self._value = b"", b""

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        if self._field.lower() == b"content-disposition":
            self._disposition = self._value
        self._field, self._value = b"", b""

    def _headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        field = options.get(b"name", b"").decode("utf-8", "replace")
        if field != _FIELD:
            self.others.append(names.shown(field))
            return
        if len(self.files) >= self._most_files and self._most_files > 1:
            raise service_error("too_many_files", limit=self._most_files)
        self._name = names.of_disposition(self._disposition, options)

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._name is None:
            return
        if len(self._data) + end - start > self._settings.limits.max_bytes:
            raise image_error("file_too_large", limit=self._settings.max_mb)
        self._data += data[start:end]

    def _part_end(self) -> None:
        if self._name is None or (not self._name and not self._data):
            return  # another field, or the empty part that a browser sends when no file is chosen
        if len(self.files) >= self._most_files:
            raise service_error("too_many_files", limit=self._most_files)
        self.files.append(Upload(names.shown(self._name), bytes(self._data)))
        self._data = bytearray()

    def _end(self) -> None:
        self.ended = True
