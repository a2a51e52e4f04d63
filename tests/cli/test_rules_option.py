"""Rules and --no-unknown where people use them: the command line, files of many pictures, the service and its page."""

import csv
import json

import pytest
from support.page_actions import choose
from support.page_driver import open_page, running_service
from support.project import run_cli, samples_dir

from resnet18_lab.service import client

expect = pytest.importorskip("playwright.sync_api", reason="needs the test extra: playwright").expect
pytestmark = pytest.mark.slow
CAT = samples_dir() / "cat.jpg"
RULES = """
[[rule]]
shorter_than = 10000
score_below = 1.0
reject = "not looked at closely"
"""


@pytest.fixture
def rules(tmp_path):
    path = tmp_path / "rules.toml"
    path.write_text(RULES, encoding="utf-8")
    return path


def classify(home, *arguments):
    return run_cli("classify", CAT, "--weights", "untrained", *arguments, home=home)


def test_every_output_holds_the_reason(untrained_home, rules, tmp_path):
    done = classify(untrained_home, "--rules", rules, "-f", "json")
    assert json.loads(done.stdout)[0]["rejected"] == "not looked at closely"
    assert "rejected: not looked at closely" in " ".join(classify(untrained_home, "--rules", rules).stdout.split())
    out = tmp_path / "out.csv"
    assert classify(untrained_home, "--rules", rules, "-o", out, "--cache", tmp_path / "c.sqlite").returncode == 0
    (row,) = csv.DictReader(out.open(encoding="utf-8"))
    assert row["rejected"] == "not looked at closely"
    plain = tmp_path / "plain.csv"
    assert classify(untrained_home, "-o", plain, "--cache", tmp_path / "c.sqlite").returncode == 0
    (row,) = csv.DictReader(plain.open(encoding="utf-8"))
    assert row["rejected"] == ""


def test_a_cached_answer_keeps_the_names_that_rules_gave(untrained_home, tmp_path):
    first = json.loads(classify(untrained_home, "-f", "json").stdout)[0]["predictions"]
    rules = tmp_path / "rules.toml"
    both = ", ".join(json.dumps(one["wnid"]) for one in first[:2])
    rules.write_text(f'[[rule]]\nclasses = [{both}]\nmerge = "both"\n', encoding="utf-8")
    answers = []
    for name in ("one", "two"):
        out = tmp_path / f"{name}.jsonl"
        done = classify(untrained_home, "--rules", rules, "-o", out, "--cache", tmp_path / "c.sqlite")
        assert done.returncode == 0, done.stderr
        answers.append(json.loads(out.read_text(encoding="utf-8"))["predictions"])
    assert answers[0] == answers[1]
    assert (answers[0][0]["en"], answers[0][0]["wnid"]) == ("both", None)
    assert answers[0][0]["score"] == pytest.approx(first[0]["score"] + first[1]["score"])


def test_a_run_begun_with_other_rules_is_not_gone_on_with(untrained_home, rules, tmp_path):
    out = tmp_path / "out.csv"
    part = run_cli("classify", CAT, samples_dir(), "--weights", "untrained", "--rules", rules, "-o", out, "--shard", "1/2",
                   home=untrained_home)  # fmt: skip
    assert part.returncode == 0, part.stderr
    told = json.loads(next(tmp_path.glob("*.run.json")).read_text(encoding="utf-8"))
    assert len(told["rules_sha256"]) == 64
    other = tmp_path / "other.csv"
    run_cli(
        "classify", CAT, samples_dir(), "--weights", "untrained", "-o", other, "--shard", "2/2", home=untrained_home
    )
    for parts in ((out, other), (other, out)):
        merged = run_cli("merge", *parts, "-o", tmp_path / "all.csv", home=untrained_home)
        assert merged.returncode == 2
        assert "rules_sha256" in merged.stderr
    whole = tmp_path / "whole.csv"
    for options in (("--rules", rules), ("--resume",), ("--no-unknown", "--resume")):
        done = run_cli("classify", CAT, "--weights", "untrained", *options, "-o", whole, home=untrained_home)
        assert done.returncode == 0, done.stderr
        assert ("not looked at closely" in whole.read_text(encoding="utf-8")) is (options[0] == "--rules")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[[rule]]\nclasses = ["tabi"]\nreject = "x"', "rule 1: no class is called 'tabi'; did you mean"),
        ('[[rule]]\nunknown = true\nreject = "x"', "The rules ask for unknown, which cannot be told here"),
        (None, "cannot be read"),
    ],
)
def test_wrong_rules_are_one_line_before_anything_runs(untrained_home, tmp_path, text, words):
    path = tmp_path / "rules.toml"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    done = classify(untrained_home, "--rules", path)
    assert done.returncode == 2
    assert words in done.stderr
    assert not done.stdout


def test_the_service_and_its_page_show_the_reason(untrained_home, rules, browser):
    with running_service(untrained_home, "--weights", "untrained", "--rules", str(rules)) as running:
        answer = client.classify(running.url, CAT.read_bytes(), "cat.jpg")
        assert answer["rejected"] == "not looked at closely"
        assert len(client.get(running.url, "/api/v1/model")[1]["network"]["rules_sha256"]) == 64
        with open_page(browser, running.url) as page:
            choose(page, CAT)
            page.click("#recognise")
            expect(page.locator("#list li.done")).to_have_count(1)
            expect(page.locator("#rejected")).to_have_text("rejected: not looked at closely")
            assert page.evaluate(
                "document.getElementById('rejected').scrollWidth <= document.getElementById('rejected').clientWidth"
            )
