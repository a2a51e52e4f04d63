"""File names hold anything: text that terminals, encodings and spreadsheets can take."""

import re
import unicodedata


def printable(text: str) -> str:
    """Text without characters that a terminal or an encoder would choke on (file names hold anything)."""
    encoded = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in encoded)


_ESCAPE = re.compile(r"\\(?:\\|x[0-9a-f]{2}|u[0-9a-f]{4})")
_UNSAFE = ("Cc", "Cs", "Zl", "Zp")  # control characters, bytes that are no UTF-8 (surrogates), line separators
_GUARDED = ("=", "+", "-", "@", "'")


def as_cell(name: str) -> str:
    """The cell for a file's name."""
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
    """The file's name that ``as_cell`` made the cell of; ``os.fsencode`` gives its bytes."""
    return _ESCAPE.sub(lambda found: _unescaped(found[0]), cell.removeprefix("'"))


def _unescaped(escape: str) -> str:
    return "\\" if escape == r"\\" else chr(int(escape[2:], 16))
