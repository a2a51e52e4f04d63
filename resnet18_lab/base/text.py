"""File names may hold any character: make them safe for terminals, encodings and spreadsheets."""

import re
import unicodedata


def printable(text: str) -> str:
    """The text with every character escaped that a terminal or an encoder could not handle."""
    encoded = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in encoded)


_ESCAPE = re.compile(r"\\(?:\\|x[0-9a-f]{2}|u[0-9a-f]{4})")
_UNSAFE = ("Cc", "Cs", "Zl", "Zp")  # control characters, surrogates (bytes that are not UTF-8), line separators
_GUARDED = ("=", "+", "-", "@", "'")


def as_cell(name: str) -> str:
    """The spreadsheet cell for a file's name: unsafe characters escaped, formulas disabled."""
    if _ESCAPE.search(name) or any(unicodedata.category(char) in _UNSAFE for char in name):
        name = "".join(map(_escaped, name))
    return "'" + name if name.startswith(_GUARDED) else name


def _escaped(char: str) -> str:
    if char == "\\":
        return r"\\"
    if unicodedata.category(char) not in _UNSAFE:
        return char
    return f"\\x{ord(char):02x}" if ord(char) < 0x100 else f"\\u{ord(char):04x}"


def from_cell(cell: str) -> str:
    """The file's name from which ``as_cell`` made the cell; ``os.fsencode`` gives its bytes."""
    return _ESCAPE.sub(lambda match: _unescaped(match[0]), cell.removeprefix("'"))


def _unescaped(escape: str) -> str:
    return "\\" if escape == r"\\" else chr(int(escape[2:], 16))
