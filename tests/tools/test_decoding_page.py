"""docs/decoding.md says what its record says, and the costs that are granted are at least those that were measured."""

import sys

import pytest
from support import project as conftest

from resnet18_lab.benchmark.kept_records import read_record
from resnet18_lab.preprocessing.cost import TABLE
from resnet18_lab.preprocessing.decode import structure_of

tool = conftest.tool("pages/decoding")
SHARE_TO_PAY = 0.05  # of the rate on ordinary pictures


@pytest.fixture(scope="module")
def measuring():
    return conftest.tool("records/decoding")


@pytest.fixture
def record():
    return read_record(tool.RECORD)


def test_the_page_is_what_the_kept_record_gives(record):
    assert tool.PAGE.read_text(encoding="utf-8") == tool.page(record), "run tools/pages/decoding.py"


def test_every_layout_was_measured_and_is_granted_what_it_took(record):
    assert {row["layout"] for row in record["rows"]} == set(TABLE)
    for row in record["rows"]:
        assert row["memory"] <= row["foretold_memory"], row


def test_ordinary_pictures_pay_little(record):
    assert {row["what"] for row in record["price"]} == {"folder", "service"}
    for row in record["price"]:
        assert row["ratio"] >= 1 - SHARE_TO_PAY, row


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak of memory from /proc")
@pytest.mark.parametrize("name", ["JPEG colour in scans", "PNG RGB 16-bit", "GIF", "WebP", "BMP RLE"])
def test_a_layout_measured_here_keeps_within_what_is_granted(measuring, name, tmp_path):
    data = measuring.MAKERS[name](measuring.photograph(1600))
    row = measuring.measured(name, data, tmp_path)
    assert row["layout"] in TABLE
    assert row["memory"] <= row["foretold_memory"] + 24_000_000  # what a process may use beyond


def test_each_maker_makes_the_layout_of_its_name(measuring):
    picture = measuring.photograph(64)
    for name, make in measuring.MAKERS.items():
        assert structure_of(make(picture)).layout == name.removesuffix(" lossless")
