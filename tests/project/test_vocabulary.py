"""The page of vocabulary: each term once, in two languages, with a place that exists."""

import importlib
import re

import pytest
from support.project import ROOT

ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (ROOT / "docs" / "vocabulary.md").read_text(encoding="utf-8").splitlines()
    if re.match(r"\| (?!term|-)", line)
]


def test_it_has_enough_terms_each_once_and_sorted():
    terms = [row[0] for row in ROWS]
    assert 40 <= len(terms) <= 90
    assert terms == sorted(set(terms), key=str.casefold)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_term_has_a_chinese_word_one_sentence_and_a_place(row):
    _, chinese, meaning, place = row
    assert re.search(r"[\u4e00-\u9fff]", chinese)
    assert meaning.endswith(".")
    assert meaning.count(". ") == 0
    module, name = place.strip("`").rsplit(".", 1)
    assert hasattr(importlib.import_module(f"resnet18_lab.{module}"), name), place
