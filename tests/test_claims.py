"""The page of claims follows from its records, and drops nothing."""

import json
from dataclasses import replace

import pytest
from conftest import tool

from resnet18_lab import claims, paths
from resnet18_lab.benchmark import record as records

make_claims = tool("make_claims")


def test_the_page_is_what_the_records_give():
    assert make_claims.PAGE.read_text(encoding="utf-8") == make_claims.page(), "run tools/make_claims.py"


def test_no_statement_is_dropped_and_each_has_a_verdict_and_a_command():
    rows = claims.table(make_claims.evidence())
    assert len(rows) == len(claims.stated()) >= 22
    assert {row["verdict"] for row in rows} <= set(claims.VERDICTS)
    assert all(row["why"].endswith(".") and row["command"] for row in rows)
    assert set(claims.CHECKS) == {claim["check"] for claim in claims.stated()}


def test_what_the_record_lacks_is_said_and_its_rows_stay(tmp_path):
    evidence = make_claims.evidence()
    empty = records.new("fast", evidence.bench.effort, evidence.bench.weights, evidence.bench.rows[:1])
    empty.rows[0].results.clear()
    rows = claims.table(replace(evidence, bench=empty))
    assert len(rows) == len(claims.stated())
    lacking = [row for row in rows if "not in the record" in row["measured here"]]
    assert len(lacking) >= 10
    assert {row["verdict"] for row in lacking} == {claims.UNCHECKED}


def test_a_verdict_turns_when_the_measurement_does():
    evidence = make_claims.evidence()
    network = {**evidence.network, "convolutions": 18, "streetlight": 1}
    turned = replace(evidence, network=network)
    before, after = ({row["statement"]: row["verdict"] for row in claims.table(e)} for e in (evidence, turned))
    changed = {statement for statement in before if before[statement] != after[statement]}
    assert changed == {
        "the network has 18 convolution layers", "example answers: alp 92.3, ski 88.7, tabby 95.1, streetlight 76.5",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["benchmark", "claims", "quantization_variants", "quantization_methods"])
def test_a_record_holds_no_local_path(name):
    text = (paths.records_dir() / f"{name}.json").read_text(encoding="utf-8")
    json.loads(text)
    assert "/home/" not in text
    assert "/work/" not in text
    assert "/root/" not in text
