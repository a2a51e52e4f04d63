"""Write README's tree of rooms from the rooms' own first sentences.

Usage: python tools/pages/rooms.py
"""

import ast
from pathlib import Path

from resnet18_lab.base.files import write_text

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
FLOORS = {
    "ground": ("base", "preprocessing", "weights"),
    "runtime": ("inference", "bulk", "service"),
    "workshop": ("model", "quantization", "export", "training"),
    "study": ("benchmark", "course"),
    "door": ("cli",),
}
ROOMS = tuple(room for rooms in FLOORS.values() for room in rooms)
"""In the order of import: a room imports only from those before it."""
WITHOUT_TORCH = ROOMS[:6]
_BEGIN, _END = "<!-- rooms: begin -->", "<!-- rooms: end -->"


def sentence(room: str) -> str:
    """The first sentence of a room's own file."""
    source = (ROOT / "resnet18_lab" / room / "__init__.py").read_text(encoding="utf-8")
    return str(ast.get_docstring(ast.parse(source))).split("\n\n", 1)[0]


def tree() -> str:
    """The rooms from the ground up, a line each, with the line that torch does not cross."""
    lines = []
    for floor, rooms in FLOORS.items():
        if floor == "workshop":
            lines.append(f"{'':9} {'─' * 13} no torch above this line {'─' * 40}")
        lines += [f"{floor if room == rooms[0] else '':9} {room:13} {sentence(room)}" for room in rooms]
    return "\n".join(["```", *lines, "```"])


def readme() -> str:
    """README with today's tree."""
    text = README.read_text(encoding="utf-8")
    before, rest = text.split(_BEGIN)
    return f"{before}{_BEGIN}\n{tree()}\n{_END}{rest.split(_END)[1]}"


if __name__ == "__main__":
    write_text(README, readme())
