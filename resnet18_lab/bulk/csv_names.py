r"""File names in a CSV cell: on one line, no formula, and reversible.

A name without line ends, other control characters and bytes that are no UTF-8 stands as it is, whatever its
language. In any other, ``\xHH`` and ``\uHHHH`` stand for these and ``\\`` for a backslash; so too in a
name that would read like that. A name that a spreadsheet might run gets an apostrophe in front.
"""

import re
import unicodedata

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
