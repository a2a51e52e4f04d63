"""Names of files as clients write them, and as they are shown in answers, which is their only use."""

import re
from collections.abc import Mapping, Sequence
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import Message
from typing import Any
from urllib.parse import unquote

_SHOWN = 100
"""Characters of a name that are repeated in the answer."""
_LONGEST = 9 * _SHOWN
"""Characters that are read: in percent-encoded UTF-8 a character has nine for three bytes."""
_NOT_SHOWN = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c\ud800-\udfff\u2028\u2029]")
"""Control characters, those that turn the direction of text, surrogates, separators of lines."""
_ENCODED_WORD = re.compile(r"=\?[A-Za-z0-9_-]+\?[bBqQ]\?[^?]*\?=")


def shown(name: str) -> str:
    """The name as it was sent, but for what is no text, shortened to 100 characters."""
    return _NOT_SHOWN.sub("", name)[:_SHOWN]


def of_header(value: str) -> str:
    """The name in a header ``X-Filename``, percent-encoded UTF-8."""
    return shown(unquote(value[:_LONGEST]))


def of_disposition(disposition: bytes, options: Mapping[bytes, bytes]) -> str:
    """The name in a Content-Disposition: ``filename*`` (RFC 8187) before ``filename``, in which RFC 2047 is read.

    ``options`` are what the parser of forms found in it. RFC 7578 forbids ``filename*`` in forms, so that parser leaves
    it out; programs send it all the same.
    """
    if b"*" in disposition:
        message = Message()
        message["Content-Disposition"] = disposition.decode("latin-1").replace("\n", " ").replace("\r", " ")
        parameters: Sequence[tuple[str, Any]] = message.get_params([], "content-disposition")
        for key, value in parameters:
            if key.lower() == "filename" and isinstance(value, tuple):  # charset, language, text
                return _decoded(value[2], value[0] or "utf-8")
    name = options.get(b"filename", b"").decode("utf-8", "replace")
    return _with_words_decoded(name) if _ENCODED_WORD.search(name[:_LONGEST]) else name


def _decoded(text: str, charset: str) -> str:
    """The text whose bytes the mail library has put into the characters 0 to 255."""
    try:
        return text.encode("latin-1").decode(charset, "replace")
    except (LookupError, UnicodeError):  # a character set that does not exist
        return text.encode("latin-1", "replace").decode("utf-8", "replace")


def _with_words_decoded(name: str) -> str:
    """The name with words such as ``=?UTF-8?B?54yr?=`` decoded; as it was sent where they are none."""
    try:
        return str(make_header(decode_header(name[:_LONGEST])))
    except (HeaderParseError, ValueError, LookupError):
        return name
