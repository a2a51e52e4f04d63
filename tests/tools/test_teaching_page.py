"""The lecturer's page: its tables are those of the lessons and of the record, and what it tells to run exists."""

import json
import re

import teaching
from support.project import ROOT

from resnet18_lab.benchmark.kept_records import read_record

TEXT = (ROOT / "docs" / "teaching.md").read_text(encoding="utf-8")


def test_the_tables_are_those_of_the_lessons_and_the_record():
    assert teaching.page(TEXT, read_record(teaching.RECORD)) == TEXT, "run tools/pages/teaching.py"


def test_every_lesson_is_measured_and_has_its_meeting():
    names = {path.stem for path in (ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb")}
    assert set(read_record(teaching.RECORD)["lessons"]) == names
    meetings = re.findall(r"^### \d\. .*? — (.*)$", TEXT, re.MULTILINE)
    assert len(meetings) == 8
    assert {name for meeting in meetings for name in meeting.split(", ")} == names
    for part in ("**Show**", "**Ask**", "**Let them run**", "**Set**"):
        assert TEXT.count(part) == 8


def test_the_development_container_runs_what_the_project_has():
    content = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8"))
    assert content["image"].startswith("python:3.11")
    (target,) = re.findall(r"make ([\w-]+)", content["postCreateCommand"])
    assert f"\n{target}:" in (ROOT / "Makefile").read_text(encoding="utf-8")
