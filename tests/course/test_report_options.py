"""Options of a report: files of parameters, sweeps, time limits, JUnit, Ctrl-C, and how kernels are started."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from functools import partial
from xml.etree import ElementTree

import pytest
from support import small_course
from support.project import run_cli
from support.small_course import course_folder

from resnet18_lab import _bootstrap
from resnet18_lab.base.errors import ParameterError
from resnet18_lab.course.notebooks import all_notebooks
from resnet18_lab.course.report import parameters, sweep
from resnet18_lab.course.report.make import make_report
from resnet18_lab.course.report.parameter_file import read_parameters
from resnet18_lab.course.report.plan import plan

DECLARED = """weights: str = "auto"  # w
results_dir: str = ""  # r
count: int = 3  # c
threads: list = [1, 2]  # t
backend: str = "eager"  # b"""
RESULTS = """import json, pathlib
pathlib.Path(results_dir).mkdir(parents=True, exist_ok=True)
content = {"threads": threads, "conclusions": [
    {"name": "loud", "said": "", "withheld": "others had 40%"}, {"name": "clear", "said": "it is so", "withheld": ""}]}
pathlib.Path(results_dir, NAME + ".json").write_text(json.dumps(content))"""


write_notebook = partial(small_course.write_notebook, declared=DECLARED)


@pytest.fixture
def course(tmp_path, monkeypatch, untrained_home):
    folder = course_folder(tmp_path, monkeypatch, untrained_home, "01_first:\n  count: 5\n")
    write_notebook(folder, "01_first", "print('threads are', threads, 'count is', count)")
    write_notebook(
        folder,
        "02_second",
        "print('seconds', seconds)",
        declared='weights: str = "auto"  # w\nseconds: float = 1.0  # s',
    )
    return folder


def values(steps, notebook="01_first"):
    return [step.parameters for step in steps if step.notebook.stem == notebook]


def yaml_file(tmp_path, text):
    (tmp_path / "params.yml").write_bytes(text if isinstance(text, bytes) else text.encode())
    return tmp_path / "params.yml"


@pytest.mark.parametrize(
    ("text", "first", "second"),
    [
        ("count: 7\nseconds: 2", {"count": 7}, {"seconds": 2}),
        ("01_first:\n  count: 7", {"count": 7}, {}),
        ("count: 7\nfirst: {count: 9, threads: [4]}", {"count": 9, "threads": [4]}, {}),
        ("\ufeffcount: 7\n02_second:", {"count": 7}, {}),
    ],
)
def test_a_file_sets_parameters_for_all_or_for_one_notebook(course, tmp_path, text, first, second):
    steps = plan([], "fast", {}, file=yaml_file(tmp_path, text))
    assert values(steps) == [first]
    assert values(steps, "02_second") == [second]


def test_a_file_wins_over_the_profile_and_the_command_line_over_the_file(course, tmp_path):
    file = yaml_file(tmp_path, "count: 7\nbackend: x")
    assert values(plan([], "full", {}, file=file)) == [{"count": 7, "backend": "x"}]
    assert values(plan([], "full", {}, {"count": "9"}, file=file)) == [{"count": 9, "backend": "x"}]
    assert values(plan(["second"], "full", {}, file=file), "02_second") == [{}]  # what it sets is another's


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("cuont: 7", "Did you mean count"),
        ("count: many", "of type int"),
        ("count: true", "of type int"),
        ("01_first: {cuont: 7}", "Did you mean count"),
        ("01_first: {seconds: 1.0}", "no parameter of 01_first 'seconds'"),
        ("01_frist: {count: 7}", "Did you mean 01_first"),
        ("01_first: 7", "write its parameters below it"),
        ("01_first: {count: 1}\nfirst: {count: 2}", "01_first is there twice"),
        ("1: 2", "1 is no name"),
        ("backend: 2024-01-01", "of type str"),
        ("seconds: .nan", "must be finite"),
        ("count: 1\ncount: 2", "'count' is there twice, line 1"),
        ("- count", "holds no parameters"),
        ("", "holds no parameters"),
        ("a: [", "no YAML that can be read .*line 1"),
        ("a: 2024-99-99", "no YAML that can be read"),
        (b"a: \xff", "no YAML that can be read .*utf-8"),
        ("a: !!python/object/apply:os.system [ls]", "no YAML that can be read"),
        ("[" * 5000, "no YAML that can be read"),
        ("x: " + "y" * 70_000, "more than 64 KiB"),
        ("a: &a [1,1,1,1,1,1,1,1,1]\n" + "\n".join(f"{b}: &{b} [{','.join(['*' + a] * 9)}]" for a, b in zip("abcdef", "bcdefg", strict=True)), "more than 10,000 values"),
        ("a: &a [*a]", "more than 10,000 values"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_refused_before_anything_runs(course, tmp_path, text, words):
    with pytest.raises(ParameterError, match=words) as caught:
        read_parameters(yaml_file(tmp_path, text))
    assert "params.yml" in str(caught.value)
    assert len(str(caught.value)) < 500


def test_a_file_that_is_not_there_is_named(course, tmp_path):
    with pytest.raises(ParameterError, match=r"none.yml cannot be read \(No such file"):
        plan([], "fast", {}, file=tmp_path / "none.yml")


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        ("1,2,4", "int", [1, 2, 4]),
        ("1,2,4", "list", [[1], [2], [4]]),
        ("[1,2],[4]", "list", [[1, 2], [4]]),
        ("eager,onnxruntime-fp32", "list", [["eager"], ["onnxruntime-fp32"]]),
        ('["a","b"],"c"', "list", [["a", "b"], ["c"]]),
        ("eager,2024,true", "str", ["eager", "2024", "true"]),
        ('"a,b",""', "str", ["a,b", ""]),
        ("True,false", "bool", [True, False]),
        ("0.5,1", "float", [0.5, 1]),
    ],
)
def test_the_values_of_a_sweep_are_read_as_the_notebook_declares(text, kind, expected):
    assert sweep.values_of("x", text, kind) == expected


def test_a_sweep_runs_the_product_and_leaves_other_notebooks_once(course):
    steps = plan([], "full", {}, sweeps=["threads=1,[1,2]", "backend=eager,a/b"])
    assert [step.name for step in steps] == [
        "01_first-threads=1,backend=eager", "01_first-threads=1,backend=a_b", "01_first-threads=1+2,backend=eager",
        "01_first-threads=1+2,backend=a_b", "02_second",
    ]  # fmt: skip
    assert steps[2].parameters == {"count": 5, "threads": [1, 2], "backend": "eager"}
    assert sweep.shown(steps[2].swept) == "threads=[1, 2], backend=eager"


def test_runs_whose_values_look_alike_in_a_file_name_are_told_apart(course):
    assert [step.name for step in plan(["first"], "fast", {}, sweeps=["backend=a/b,a b,A_B"])] == [
        "01_first-backend=a_b", "01_first-backend=a_b-2", "01_first-backend=A_B-3",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("sweeps", "given", "words"),
    [
        (["threads"], {}, "is no sweep; write name=value"),
        (["threads="], {}, "is no sweep"),
        (["=1"], {}, "is no sweep"),
        (["threads=1", "threads=2"], {}, "given twice"),
        (["threads=1,1"], {}, "has .1. twice"),
        (["count=1,,2"], {}, "an empty value"),
        (["count= "], {}, "of type int"),
        (["count=1,many"], {}, "of type int"),
        (["count=[1,2]"], {}, "of type int"),
        (["threads=0"], {}, "from 1 to 1024"),
        (["cuont=1"], {}, "Did you mean count"),
        (["count=1,2"], {"count": "3"}, "one of -p and --sweep"),
        (["results_dir=a,b"], {}, "cannot be swept"),
        (["count=1,2"], {"results_dir": "x"}, "leave out results_dir"),
        (["count=" + ",".join(map(str, range(101)))], {}, "makes 101 runs of these notebooks; 100 are the most"),
        ([f"{name}=" + ",".join(map(str, range(1, 3000))) for name in ("count", "threads", "backend")], {}, r"at most|most"),
        (["count=" + ",".join(map(str, range(100)))], {}, "makes 101 runs"),
    ],
)  # fmt: skip
def test_a_wrong_sweep_is_refused_before_anything_runs(course, sweeps, given, words):
    with pytest.raises(ParameterError, match=words):
        plan([], "fast", {}, given, sweeps=sweeps)


@pytest.mark.slow
def test_each_run_of_a_sweep_has_a_page_and_results_and_the_index_its_values(course, tmp_path):
    write_notebook(course, "01_first", "NAME = '01_first'\n" + RESULTS, "print('threads are', threads)")
    out = tmp_path / "out"
    made = make_report(out, names=["first"], weights="untrained", sweeps=["threads=1,2"])
    assert made.failed == []
    assert [run.swept for run in made.runs] == [{"threads": [1]}, {"threads": [2]}]
    for count in (1, 2):
        assert f"threads are [{count}]" in (out / f"01_first-threads={count}.html").read_text(encoding="utf-8")
        results = json.loads((out / "results" / f"01_first-threads={count}" / "01_first.json").read_text())
        assert results["threads"] == [count]
    index = (out / "index.html").read_text(encoding="utf-8")
    assert "About 01_first (threads=1)" in index
    assert "About 01_first (threads=2)" in index
    assert made.runs[0].noisy == ("loud: others had 40%",)


@pytest.mark.slow
def test_results_of_an_earlier_run_say_nothing_about_this_one(course, tmp_path):
    write_notebook(course, "01_first", "NAME = '01_first'\n" + RESULTS)
    assert make_report(tmp_path / "out", names=["first"], weights="untrained").runs[0].noisy
    write_notebook(course, "01_first", "print(1)")
    assert make_report(tmp_path / "out", names=["first"], weights="untrained").runs[0].noisy == ()


@pytest.mark.slow
def test_a_cell_has_the_seconds_that_were_asked_for(course, tmp_path):
    write_notebook(course, "01_first", "import time\ntime.sleep(120)")
    began = time.monotonic()
    (run,) = make_report(tmp_path / "out", names=["first"], weights="untrained", cell_timeout=2).failed
    assert run.failure.kind == "TIMEOUT"
    assert "within 2 s" in run.failure.message
    assert time.monotonic() - began < 100


@pytest.mark.slow
def test_fail_fast_leaves_the_rest_and_says_so_in_index_and_junit(course, tmp_path):
    write_notebook(course, "01_first", "raise ValueError('\\x1b[31mred\\x1b[0m \\x00 <&>')")
    said = []
    made = make_report(
        tmp_path / "out", weights="untrained", fail_fast=True, junit=tmp_path / "ci" / "report.xml",
        given={"count": "4"}, notify=said.append,
    )  # fmt: skip
    assert [run.name for run in made.runs] == ["01_first"]
    assert made.not_run == ["02_second"]
    assert "02_second" in (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert "[1/2] 01_first" in said
    assert "[2/2] 02_second" not in said
    suite = ElementTree.parse(tmp_path / "ci" / "report.xml").getroot().find("testsuite")
    assert [suite.get(name) for name in ("tests", "failures", "skipped", "errors")] == ["2", "1", "1", "0"]
    first, second = suite.findall("testcase")
    assert float(first.get("time")) > 0
    assert {one.get("name"): one.get("value") for one in first.iter("property")}["count"] == "4"
    assert first.find("failure").get("type") == "OTHER"
    assert first.find("failure").get("message").endswith(": ValueError: red \ufffd <&>")
    assert "raise ValueError" in first.find("failure").text
    assert second.find("skipped") is not None
    assert [file.name for file in (tmp_path / "ci").iterdir()] == ["report.xml"]


@pytest.mark.slow
def test_junit_of_a_sweep_has_a_case_each_and_the_withheld_conclusions(course, tmp_path):
    write_notebook(course, "01_first", "NAME = '01_first'\n" + RESULTS)
    make_report(tmp_path / "out", names=["first"], weights="untrained", sweeps=["count=1,2"], junit=tmp_path / "r.xml")
    cases = ElementTree.parse(tmp_path / "r.xml").getroot().findall("testsuite/testcase")
    assert [case.get("name") for case in cases] == ["01_first-count=1", "01_first-count=2"]
    assert [case.find("failure") for case in cases] == [None, None]
    withheld = [one.get("value") for one in cases[0].iter("property") if one.get("name") == "withheld"]
    assert withheld == ["loud: others had 40%"]


@pytest.mark.parametrize("name", ["", "."])
def test_a_folder_for_junit_is_refused_before_anything_runs(course, tmp_path, name):
    with pytest.raises(ParameterError, match="is a folder"):
        make_report(tmp_path / "out", weights="untrained", junit=tmp_path / name)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_kernels_wait_asleep_and_know_the_profile_while_this_process_stays_as_it_is(course, tmp_path, monkeypatch):
    for name in ("OMP_WAIT_POLICY", "KMP_BLOCKTIME", "RESNET18_LAB_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    ask = "import os\nprint([os.environ.get(name) for name in ('OMP_WAIT_POLICY', 'KMP_BLOCKTIME', 'RESNET18_LAB_PROFILE')])"
    write_notebook(course, "01_first", ask)
    before = dict(os.environ)
    make_report(tmp_path / "out", names=["first"], weights="untrained", profile="full")
    assert dict(os.environ) == before
    page = (tmp_path / "out" / "01_first.ipynb").read_text(encoding="utf-8")
    assert "['passive', '0', 'full']" in page
    monkeypatch.setenv("OMP_WAIT_POLICY", "active")
    make_report(tmp_path / "out", names=["first"], weights="untrained")
    assert "['active', '0', 'fast']" in (tmp_path / "out" / "01_first.ipynb").read_text(encoding="utf-8")


@pytest.mark.slow
def test_weights_of_a_sweep_are_named_on_each_page(course, tmp_path):
    made = make_report(tmp_path / "out", names=["first"], weights="untrained", sweeps=["weights=untrained,distilled"])
    assert made.failed == []
    assert "UNTRAINED" in (tmp_path / "out" / "01_first-weights=untrained.html").read_text(encoding="utf-8")
    page = (tmp_path / "out" / "01_first-weights=distilled.html").read_text(encoding="utf-8")
    assert "UNTRAINED" not in page
    assert "weights distilled" in page


SLEEPING = """
import sys
from pathlib import Path
from resnet18_lab.base import paths
paths.notebooks_dir = lambda: Path({course!r})
from resnet18_lab.cli.main import main
sys.argv[1:] = ["report", "--weights", "untrained", "--output", {out!r}, "--junit", {junit!r}]
sys.exit(main())
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals are other things on Windows")
def test_ctrl_c_leaves_an_index_of_what_is_done(course, tmp_path):
    out, started = tmp_path / "out", tmp_path / "started"
    write_notebook(
        course, "02_second", f"import pathlib, time\npathlib.Path({str(started)!r}).touch()\ntime.sleep(300)"
    )
    code = SLEEPING.format(course=str(course), out=str(out), junit=str(tmp_path / "r.xml"))
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        deadline = time.monotonic() + 240
        while not started.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=120)
    assert process.returncode == 130, said
    assert said.strip().splitlines()[-1] == "resnet18-lab: interrupted"
    assert "Traceback" not in said
    index = (out / "index.html").read_text(encoding="utf-8")
    assert "About 01_first" in index
    assert "02_second" in index
    assert "02_second.html" not in (out / "01_first.html").read_text(encoding="utf-8")
    cases = ElementTree.parse(tmp_path / "r.xml").getroot().findall("testsuite/testcase")
    assert [case.find("skipped") is not None for case in cases] == [False, True]


def test_the_task_lab_starts_kernels_that_wait_asleep(monkeypatch):
    asked = []
    monkeypatch.setattr(
        _bootstrap, "_in_environment", lambda *command: asked.append(os.environ["OMP_WAIT_POLICY"]) or 0
    )
    monkeypatch.setenv("OMP_WAIT_POLICY", "active")  # put back after the test, whatever the task sets
    assert _bootstrap.run("lab", []) == 0
    monkeypatch.delenv("OMP_WAIT_POLICY")
    assert _bootstrap.run("lab", []) == 0
    assert asked == ["active", "passive"]


def test_what_a_notebook_calls_its_profile_is_full_in_the_full_profile():
    for notebook in all_notebooks():
        if "profile" in parameters.declared(notebook):
            assert parameters.profile_values("full", notebook.stem)["profile"] == "full", notebook.stem


def test_help_shows_the_options_and_examples(tmp_path):
    said = run_cli("report", "--help", home=tmp_path, env={"COLUMNS": "200"}).stdout
    for option in ("--file", "--sweep", "--cell-timeout", "--fail-fast", "--junit", "--sweep threads=1,2,4"):
        assert option in said, option
    assert re.search(r"Examples:", said)
