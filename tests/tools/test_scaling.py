"""docs/scaling.md says what its record says, and the record can be true."""

import copy
import json

import pytest
from support import project as conftest

from resnet18_lab.benchmark.kept_records import read_record

tool, measuring = conftest.tool("pages/scaling"), conftest.tool("records/scaling")


@pytest.fixture
def record():
    return read_record(tool.RECORD)


@pytest.fixture
def memory():
    return json.loads(tool.MEMORY.read_text(encoding="utf-8"))


def test_the_page_is_what_the_kept_records_give(record, memory):
    assert tool.PAGE.read_text(encoding="utf-8") == tool.page(record, memory), "run tools/pages/scaling.py"


def test_the_kept_peaks_of_a_long_run_are_those_of_a_short_one(memory):
    for suffix in ("csv", "parquet"):
        few, many = memory[suffix]
        assert (few["pictures"], many["pictures"]) == (2_000, 20_000)
        for what in ("parent", "all"):
            assert many[what] - few[what] < 15e6


def test_the_summary_is_what_the_rounds_give(record):
    for name in ("local", "cluster"):
        assert record[name] == measuring.summarised(record["rounds"], name)
    assert [row["workers"] for row in record["local"]] == [row["nodes"] for row in record["cluster"]] == [1, 2]


def test_no_kept_rate_is_above_its_bound(record):
    for row in (*record["local"], *record["cluster"]):
        assert 0 < row["of_bound"] <= 1.05, "the machine's pace changed while it was measured: measure again"


def test_a_rate_above_its_bound_is_said_to_mean_nothing(record, memory):
    higher = copy.deepcopy(record)
    higher["cluster"][0]["of_bound_range"][1] = 1.26
    assert "The highest single share is 126%, which no pipeline can have" in tool.page(higher, memory)
    lower = copy.deepcopy(record)
    for row in (*lower["local"], *lower["cluster"]):
        row["of_bound_range"] = [0.8, 0.9]
    assert "No rate is above its bound." in tool.page(lower, memory)


def test_the_rate_is_that_of_the_steady_part_and_the_rest_is_start():
    written = [(20.0, 100), *((20.0 + second, 10) for second in range(1, 31))]
    found = measuring.steady(written)
    assert found["rate"] == pytest.approx(10)
    assert found["start"] == pytest.approx(50 - 400 / 10)


def test_too_few_pictures_for_a_rate_are_refused():
    with pytest.raises(SystemExit, match="--pictures"):
        measuring.steady([(3.0, 16)])
