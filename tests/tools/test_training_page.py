"""The card of the shipped weights and docs/training.md say what the kept record says."""

import pytest
from support.project import tool

from resnet18_lab.benchmark.kept_records import read_record
from resnet18_lab.weights.find import find_weights

pages = tool("pages/training")


@pytest.fixture(scope="module")
def record():
    return read_record(pages.RECORD)


def test_both_pages_follow_from_the_record(record):
    assert pages.CARD.read_text(encoding="utf-8") == pages.card(record), "run tools/pages/training.py"
    assert pages.PAGE.read_text(encoding="utf-8") == pages.page(record), "run tools/pages/training.py"


def test_the_record_is_of_the_weights_that_are_shipped_and_they_hold_the_bars(record):
    assert record["weights"]["sha256"] == find_weights("distilled").sha256
    assert record["labelled"]["top1"]["hits"] >= 172
    assert record["labelled"]["top5"]["hits"] >= 224
    assert record["int8"]["paired"]["agreement"] >= 0.95


def test_no_run_that_was_kept_answers_more_than_what_is_shipped(record):
    shipped = record["labelled"]["top1"]["hits"], record["labelled"]["top5"]["hits"]
    for run in record["runs"]:
        assert (run["labelled"]["top1"]["hits"], run["labelled"]["top5"]["hits"]) <= shipped, run["name"]


def test_the_card_names_parent_teacher_pictures_and_licence(record):
    card = pages.card(record)
    for said in ("MIT", "Apache-2.0", "66,891", "ImageNet's terms", "173 of 250", "docs/training.md"):
        assert said in card
