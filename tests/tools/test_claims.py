"""The page of claims follows from its records, and drops nothing."""

import copy
import json
import re
import shlex
from dataclasses import replace
from itertools import pairwise

import claim_checks
import pytest
from support.project import tool

from resnet18_lab.base import paths
from resnet18_lab.benchmark import record as records
from resnet18_lab.benchmark import suites
from resnet18_lab.benchmark.configuration import EFFORTS, Configuration
from resnet18_lab.benchmark.measure import runner
from resnet18_lab.benchmark.record import Row
from resnet18_lab.course.report.parameters import notebook_named
from resnet18_lab.inference import registry

make_claims = tool("pages/claims")

# every figure of the list of statements that the page answers, by tutorial
FIGURES = {
    "A": "11.7 44.7 18 15 30 75 1.5 2 20 200 69 89.2 76.5 42.1 208",
    "B": "40 1 2 4 8 98 62 48 52 10.2 16.1 20.8 19.2 15 92.3 88.7 95.1 76.5 1,000 10 19.5 51.2 100",
    "C": "15 25 98 82 65 320 290 260 7 85 70",
    "D": "224 480 800 600 1240 1310 1360 48 63 79 620 680 730 20 .68 .63 .59 190",
}
CORES = 2


def test_the_page_is_what_the_records_give():
    assert make_claims.PAGE.read_text(encoding="utf-8") == make_claims.page(), "run tools/pages/claims.py"


def test_no_statement_is_dropped_and_each_has_a_verdict_and_a_command():
    rows = claim_checks.table(make_claims.evidence())
    assert len(rows) == len(claim_checks.stated()) >= 22
    assert {row["verdict"] for row in rows} <= set(claim_checks.VERDICTS)
    assert all(row["why"].endswith(".") and row["command"] for row in rows)
    assert set(claim_checks.CHECKS) == {claim["check"] for claim in claim_checks.stated()}


@pytest.mark.parametrize("by", FIGURES)
def test_no_figure_of_a_statement_is_dropped(by):
    told = " ".join(f"{claim['statement']} {claim['stated']}" for claim in claim_checks.stated() if by in claim["by"])
    numbers = re.findall(r"\d*[.,]?\d+", told)
    assert not [figure for figure in FIGURES[by].split() if figure not in numbers]
    assert "Pillow-SIMD" in " ".join(claim["statement"] for claim in claim_checks.stated() if claim["by"] == "B")


def test_each_stated_figure_of_a_list_has_its_counterpart(evidence):
    rows = {row["statement"]: row for row in claim_checks.table(evidence)}
    threads = rows["1/2/4/8 threads; four are best, or one to two times the cores"]["measured here"]
    assert threads.startswith("50/25/30/35 ms, 20.0/40.0/33.3/28.6 img/s with 1/2/4/8 threads")
    sizes = next(row for statement, row in rows.items() if statement.startswith("224×224"))["measured here"]
    assert sizes.startswith("25/26/27; 11/12/13; 99/99/99 (onnxruntime-int8; first without import and load)")
    latte = next(row for statement, row in rows.items() if statement.startswith("latte"))["measured here"]
    assert latte == "coffee.jpg: espresso 0.80, cup 0.10; they sum to 90.0%"
    advice = next(row for statement, row in rows.items() if "interop" in statement)["measured here"]
    assert "interop" in advice
    assert "pinned" in advice


def test_what_the_record_lacks_is_said_and_its_rows_stay():
    evidence = make_claims.evidence()
    empty = records.new("fast", evidence.bench.effort, evidence.bench.weights, evidence.bench.rows[:1])
    empty.rows[0] = replace(empty.rows[0], results=[])
    rows = claim_checks.table(replace(evidence, bench=empty))
    assert len(rows) == len(claim_checks.stated())
    lacking = [row for row in rows if "not in the record" in row["measured here"]]
    assert len(lacking) >= 10
    assert {row["verdict"] for row in lacking} == {claim_checks.UNCHECKED}


ENGINES = {"eager": 0.050, "torchscript": 0.045, "torchscript-traced": 0.042, "onnxruntime-fp32": 0.034, "onnxruntime-int8": 0.010}  # fmt: skip
PEAKS = {"eager": 434, "torchscript-traced": 335, "onnxruntime-fp32": 223, "onnxruntime-int8": 107}
STARTS = {"eager": 2.5, "torchscript": 1.5, "onnxruntime-fp32": 0.36, "onnxruntime-int8": 0.22}


def measured(configuration, seconds, **more):
    starts = [
        {"samples": [seconds * (1 + 0.0001 * start)] * 5, "load": 0.1, "first": 0.1, **more} for start in range(5)
    ]
    return Row(configuration, starts, cores=CORES)


def bench():
    rows = [measured(Configuration("latency", name), seconds) for name, seconds in ENGINES.items()]
    rows += [measured(Configuration("latency", "onnxruntime-fp32", CORES), 0.018)]
    rows += [measured(Configuration("latency", "eager", n), s) for n, s in ((2, 0.025), (4, 0.030), (8, 0.035))]
    rows += [
        measured(Configuration("latency", "eager", CORES, interop_threads=2), 0.025),
        measured(Configuration("latency", "eager", affinity=(0,)), 0.05),
    ]
    rows += [measured(Configuration("memory", name), 0.05, peak=mb * 1_000_000) for name, mb in PEAKS.items()]
    rows += [measured(Configuration("cold-start", name), seconds) for name, seconds in STARTS.items()]
    rows += [
        measured(Configuration("sizes", "onnxruntime-int8", variant=f"{size} ours"), 0.001, first=0.025 + place / 1000,
                 answer_samples=[0.011 + place / 1000], peak=99_000_000)
        for place, size in enumerate(("224×224", "480×480", "800×600"))
    ]  # fmt: skip
    return records.new("full", EFFORTS["full"], {"name": "x", "sha256": "0", "asked": "x"}, rows)


@pytest.fixture
def evidence():
    """Kept facts of the network and the service, beside a benchmark with round figures."""
    kept = make_claims.evidence()
    answers = {"coffee.jpg": [["espresso", 0.8], ["cup", 0.1]]}
    found = replace(copy.deepcopy(kept), bench=bench(), answers=answers, used=[])
    found.serving["tutorial"] |= {"rate": 20.0, "p50": 500.0, "failed": 0, "requests": 500}
    return found


def faster(name, factor, suite="latency", **fields):
    """A change of the evidence: the rows of an engine take ``factor`` times as long."""

    def change(e):
        for row in e.bench.of(suite):
            c = row.configuration
            if c.backend == name and all(getattr(c, field) == value for field, value in fields.items()):
                for result in row.results:
                    result["samples"] = [value * factor for value in result["samples"]]

    return change


def facts(part, *path, value):
    def change(e):
        inner = getattr(e, part)
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = value

    return change


def resized(e):
    for place, row in enumerate(e.bench.of("sizes")):
        for result in row.results:
            result["peak"] = (100 + 10 * place) * 1_000_000


def light(e):
    for row in e.bench.of("memory"):
        for result in row.results:
            result["peak"] = 100_000_000


def larger(e):
    e.network["parameters"] *= 2
    e.variants["variants"]["float32"]["bytes"] *= 2


def heavy(e):
    e.serving["ours"]["memory_mb"] = 500.0


TURNS = {
    "size": (larger, "holds in part", "wrong"),
    "layers": (facts("network", "convolutions", value=18), "wrong", "holds"),
    "latency_band": (faster("eager", 5), "holds", "holds elsewhere"),
    "int8": (faster("onnxruntime-int8", 2), "holds in part", "holds"),
    "onnx_at_least": (faster("onnxruntime-fp32", 1.4), "holds", "wrong"),
    "onnx_about": (faster("onnxruntime-fp32", 1.22), "holds in part", "holds"),
    "memory": (light, "holds in part", "holds"),
    "top1": (facts("evaluation", "engines", 0, "top1", "of", value=50_000), "cannot be checked", "holds"),
    "top5": (faster("eager", 2), "holds in part", "holds elsewhere"),
    "sums": (facts("samples", 0, value=[0.9, 0.8, 0.4]), "wrong", "holds"),
    "latte": (facts("answers", "coffee.jpg", value=[["espresso", 0.9], ["cup", 0.8]]), "wrong", "holds"),
    "startup": (faster("torchscript", 2, "cold-start"), "holds", "wrong"),
    "threads": (faster("eager", 0.5, threads=4), "holds in part", "holds"),
    "numpy_recipe": (facts("network", "preparation_ms", value={"NumPy by hand": 2.0, "torchvision": 2.3}), "wrong", "holds"),
    "streetlight": (facts("network", "streetlight", value=1), "wrong", "holds"),
    "service": (facts("serving", "tutorial", "p50", value=51.0), "holds in part", "holds"),
    "torchscript": (faster("torchscript-traced", 1.1), "holds", "wrong"),
    "three_engines": (faster("torchscript-traced", 1.2), "holds", "holds in part"),
    "stem": (facts("network", "early_share", value=0.6), "wrong", "holds"),
    "dynamic": (facts("variants", "variants", "dynamic, torch (fc only)", "operators", "float Conv2d", value=0), "wrong", "holds"),
    "all_cores": (faster("onnxruntime-fp32", 3, threads=CORES), "holds in part", "wrong"),
    "sizes": (resized, "holds in part", "holds"),
}  # fmt: skip


def test_every_statement_has_a_measurement_that_turns_it():
    assert set(TURNS) == set(claim_checks.CHECKS)


@pytest.mark.parametrize("check", TURNS)
def test_a_verdict_turns_when_its_measurement_does(check, evidence):
    change, before, after = TURNS[check]
    turned = copy.deepcopy(evidence)
    change(turned)
    found = [claim_checks.CHECKS[check](e) for e in (evidence, turned)]
    assert [answer.verdict for answer in found] == [before, after]
    assert found[0] != found[1]


def test_a_part_that_holds_is_named_and_so_is_one_that_does_not(evidence):
    answer = claim_checks.CHECKS["int8"](evidence)
    assert answer.why.startswith("Holds: the size; does not: the speed.")
    assert "above" in answer.why
    heavy(evidence)
    assert claim_checks.CHECKS["memory"](evidence).verdict == claim_checks.WRONG


def planned(command):
    """What ``resnet18-lab bench`` with those options would measure on the machine of the records."""
    options = shlex.split(command)
    values = {}
    for name, value in pairwise(options):
        if name.startswith("--"):
            values.setdefault(name, []).append(value)
    threads = [int(count) for count in values["--threads"][0].split(",")] if "--threads" in values else None
    profile = values.get("--profile", ["fast"])[0]
    rows = runner.configurations_of(
        values["--suite"], profile=profile, engines=registry.names(), backends=values.get("--backend"), threads=threads
    )
    return {configuration.key() for configuration in rows}


@pytest.mark.parametrize("claim", claim_checks.stated(), ids=lambda claim: f"{claim['by']} {claim['check']}")
def test_the_command_of_a_statement_gives_the_rows_its_check_reads(claim, evidence, monkeypatch):
    for module in (runner, suites):
        monkeypatch.setattr(module, "usable_cores", lambda: CORES)
    monkeypatch.setattr(suites, "first_core", lambda: (0,))
    commands = re.findall(r"`([^`]+)`", claim["command"])
    claim_checks.CHECKS[claim["check"]](evidence)
    given = set()
    for command in commands:
        if command.startswith("resnet18-lab bench"):
            given |= planned(command)
        elif "--notebook" in command:
            assert notebook_named(command.split()[-1])
        else:
            assert command.split()[0] in ("make", "resnet18-lab")
    assert set(evidence.used) <= given


def test_a_record_says_where_and_when_it_was_measured():
    told = {"environment": {"cpu": "A CPU", "git_commit": "0123456789abcdef"}, "started": "2026-01-02T03:04:05"}
    assert (
        make_claims.source("claims", told) == "[claims](records/claims.json) (A CPU, 2026-01-02, commit `0123456789`)"
    )
    assert "not recorded" in make_claims.source("claims", {})
    text = make_claims.page()
    assert "geometric mean of the medians" in text
    for name in ("benchmark", "claims", "quantization_variants", "serving"):
        assert f"(records/{name}.json)" in text


@pytest.mark.parametrize("name", ["benchmark", "claims", "quantization_variants", "quantization_methods"])
def test_a_record_holds_no_local_path(name):
    text = (paths.records_dir() / f"{name}.json").read_text(encoding="utf-8")
    json.loads(text)
    assert "/home/" not in text
    assert "/work/" not in text
    assert "/root/" not in text
