"""docs/own_classes.md says what the kept record says, and the record holds the bars that are promised."""

import pytest
from support.project import tool

from resnet18_lab.benchmark.kept_records import read_record
from resnet18_lab.course.own_classes import story

pages = tool("pages/own_classes")


@pytest.fixture(scope="module")
def record():
    return read_record(pages.RECORD)


def test_the_page_is_what_the_kept_record_gives(record):
    assert pages.PAGE.read_text(encoding="utf-8") == pages.page(record), "run tools/pages/own_classes.py"


def test_int8_costs_little_and_what_is_none_of_the_classes_is_refused(record):
    for row in record["rows"]:
        if row["int8"]:  # a Lite has none on a CPU without VNNI
            assert abs(row["int8"]["top1"]["share"] - row["top1"]["share"]) <= 0.015, row["name"]
        assert row["refused"]["share"] >= 0.9, row["name"]


def test_the_lesson_says_of_depth_what_the_intervals_allow(record):
    said = story.worth(record)
    rows = {row["name"]: row["top1"] for row in record["rows"]}
    apart = rows["layer4"]["low"] > rows["head"]["high"]
    assert bool(said.withheld) is not apart
    assert len(story.table(record)) == len(record["rows"])
