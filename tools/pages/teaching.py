"""Write the tables of docs/teaching.md: what lessons take, from the lessons, and what they hold, from the record.

Usage: python tools/pages/teaching.py     (tools/records/class_memory.py measures the memory)
"""

import json
import re
from typing import Any

from resnet18_lab.base import paths
from resnet18_lab.base.files import write_text
from resnet18_lab.benchmark.kept_records import read_record
from resnet18_lab.course.notebooks import all_notebooks

RECORD = paths.records_dir() / "class_memory.json"
PAGE = paths.documents_dir() / "teaching.md"
_PART = "<!-- {name}: written by tools/pages/teaching.py -->"
_END = "<!-- end -->"
_TIME = re.compile(r"\*\*Time:\*\* (\d+) minutes to read, (\d+) s to run on (.+)\.")
_STUDENTS = 30


def lessons_table() -> list[str]:
    """A row a lesson: what it asks, and how long it takes."""
    rows, places = [], set()
    for notebook in all_notebooks():
        text = "".join(json.loads(notebook.read_text(encoding="utf-8"))["cells"][0]["source"])
        minutes, seconds, place = _TIME.findall(text)[0]
        places.add(place)
        title = text.splitlines()[0].removeprefix("# ")
        rows.append(f"| [{notebook.stem}](../notebooks/{notebook.name}) | {title} | {minutes} | {seconds} |")
    told = ["| lesson | | minutes to read | seconds to run |", "|---|---|---:|---:|", *rows]
    return [*told, "", f"Run on {'; '.join(sorted(places))}."]


def memory_table(record: dict[str, Any]) -> list[str]:
    """A row a lesson: what its kernel held; and what that means for a class."""
    lessons = record["lessons"]
    most = max(lessons, key=lambda name: lessons[name]["all"])
    kernel = max(peaks["kernel"] for peaks in lessons.values())
    rows = [
        f"| {name} | {peaks['kernel'] / 1e9:.2f} | {peaks['all'] / 1e9:.2f} |"
        for name, peaks in sorted(lessons.items())
    ]
    return [
        "| lesson | GB, its kernel | GB, with the processes it starts |", "|---|---:|---:|", *rows, "",
        f"Peaks of one student, what processes share counted once (PSS), on {record['environment']['cpu']}, "
        f"{record['started'][:10]}. {_STUDENTS} kernels that are left open after the largest lesson hold up to "
        f"{_STUDENTS * kernel / 1e9:.0f} GB; {_STUDENTS} students who all run {most} at the same moment need "
        f"{_STUDENTS * lessons[most]['all'] / 1e9:.0f} GB. Kernels of several students share what they read from the same "
        "files, so a class needs somewhat less.",
    ]  # fmt: skip


def page(text: str, record: dict[str, Any]) -> str:
    """The page with its tables written anew; the rest stays as it is."""
    for name, lines in (("lessons", lessons_table()), ("memory", memory_table(record))):
        before, opening, rest = text.partition(_PART.format(name=name))
        assert opening, f"{PAGE.name} has no part {name}"
        text = "\n".join([before + opening, *lines, _END]) + rest.partition(_END)[2]
    return text


if __name__ == "__main__":
    write_text(PAGE, page(PAGE.read_text(encoding="utf-8"), read_record(RECORD)))
