import re

import pytest
from support.project import run_cli
from support.small_course import course_folder, write_notebook

from resnet18_lab.base.errors import ParameterError, ReportError
from resnet18_lab.benchmark.kept_records import read_record
from resnet18_lab.course.notebooks import all_notebooks
from resnet18_lab.course.report import parameters
from resnet18_lab.course.report.execution import class_of
from resnet18_lab.course.report.make import make_report
from resnet18_lab.course.report.plan import plan

RESOURCE = re.compile(r"""(?:(?:src|url|import)\s*[=(]|<link\b[^>]*\bhref\s*=)\s*["']?\s*(https?:)?//""", re.IGNORECASE)
"""What a browser fetches by itself; a reader's link to a paper is none."""


@pytest.fixture
def course(tmp_path, monkeypatch, untrained_home):
    folder = course_folder(tmp_path, monkeypatch, untrained_home, "01_good:\n  count: 5\n")
    write_notebook(folder, "01_good", "print('count is', count)")
    return folder


@pytest.mark.slow
def test_a_report_has_an_index_a_page_and_the_executed_notebook(course, tmp_path):
    made = make_report(tmp_path / "out", weights="untrained")
    assert made.failed == []
    assert {"index.html", "01_good.html", "01_good.ipynb"} <= {file.name for file in (tmp_path / "out").iterdir()}
    page = (tmp_path / "out" / "01_good.html").read_text(encoding="utf-8")
    assert "count is 3" in page
    assert '<details class="code">' in page


def test_untrained_weights_are_named_at_the_top_of_every_page(course, tmp_path):
    make_report(tmp_path / "out", weights="untrained")
    for name in ("index.html", "01_good.html"):
        page = (tmp_path / "out" / name).read_text(encoding="utf-8")
        assert page.index("UNTRAINED") < page.index("<h1")


def test_the_full_profile_and_the_command_line_set_parameters(course, tmp_path):
    made = make_report(tmp_path / "out", weights="untrained", profile="full")
    assert made.runs[0].parameters["count"] == 5
    made = make_report(tmp_path / "out", weights="untrained", profile="full", overrides={"count": 7})
    assert "count is 7" in (tmp_path / "out" / "01_good.html").read_text(encoding="utf-8")


FAILURES = {
    "ASSERTION": "assert 1 == 2, 'sums are off'",
    "MISSING_DEPENDENCY": "import a_package_nobody_has",
    "DOWNLOAD": "from resnet18_lab.base.errors import FetchError\nraise FetchError('no network')",
    "KERNEL_DIED": "import os\nos._exit(1)",
    "OTHER": "1 / 0",
}


@pytest.mark.slow
def test_each_failure_is_classed_with_its_cell_and_the_others_still_run(course, tmp_path):
    for number, (kind, source) in enumerate(FAILURES.items()):
        write_notebook(course, f"0{number + 2}_{kind.lower()}", source, "print('never reached')")
    write_notebook(course, "09_last", "print('still run')")
    made = make_report(tmp_path / "out", weights="untrained")
    kinds = {run.name[3:].upper(): run.failure.kind for run in made.failed}
    assert kinds == {kind: kind for kind in FAILURES}
    assert made.runs[-1].failure is None
    assert all(run.executed.is_file() for run in made.runs)
    index = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert "sums are off" in index
    assert "assert 1 == 2" in index


def test_a_cell_that_takes_too_long_is_a_timeout(course, tmp_path, monkeypatch):
    monkeypatch.setattr("resnet18_lab.course.report.make.CELL_TIMEOUT", {"fast": 2})
    write_notebook(course, "02_slow", "import time\ntime.sleep(60)")
    (run,) = make_report(tmp_path / "out", weights="untrained", names=["slow"]).failed
    assert run.failure.kind == "TIMEOUT"
    assert "time.sleep" in run.failure.source


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"cuont": 3}, "Did you mean count"),
        ({"count": "many"}, "of type int"),
        ({"count": True}, "of type int"),
    ],
)
def test_wrong_parameters_are_refused_before_anything_runs(course, overrides, words):
    with pytest.raises(ParameterError, match=words):
        plan([], "fast", overrides)


def test_an_unknown_notebook_or_profile_is_refused_with_the_nearest(course):
    with pytest.raises(ParameterError, match="Did you mean 01_good"):
        plan(["01_god"], "fast", {})
    with pytest.raises(ParameterError, match="Did you mean full"):
        plan([], "ful", {})


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("a=3", "int", 3), ("a=x=y", "str", "x=y"), ("a=[1, 2]", "list", [1, 2]), ("a=True", "bool", True), ("a=", "str", ""),
        ("a=2024", "str", "2024"), ("a=true", "str", "true"), ("a=1.5", "float", 1.5), ("a=null", "str", "null"),
    ],
)  # fmt: skip
def test_assignments_are_read_as_the_notebooks_declare(text, kind, value):
    assert parameters.typed(dict([parameters.parse_assignment(text)]), {"a": kind}) == {"a": value}


def test_files_and_folders_are_seen_from_where_the_command_is_given(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.jpg").write_bytes(b"x")
    (tmp_path / "auto").write_bytes(b"x")
    kinds = dict.fromkeys(("picture", "weights", "images_dir", "results_dir", "backend"), "str")
    given = {"picture": "mine.jpg", "weights": "auto", "images_dir": "photos", "results_dir": "", "backend": "mine.jpg"}
    assert parameters.typed(given, kinds) == {
        "picture": str(tmp_path / "mine.jpg"), "weights": "auto", "images_dir": str(tmp_path / "photos"),
        "results_dir": "", "backend": "mine.jpg",
    }  # fmt: skip
    assert parameters.typed({"picture": "coffee.jpg"}, kinds) == {"picture": "coffee.jpg"}  # one of the samples


@pytest.mark.parametrize(
    ("value", "kind"), [("NaN", "float"), ("Infinity", "float"), ("-1", "float"), ("1e9", "float")]
)  # fmt: skip
def test_numbers_that_break_a_cell_are_refused_before_anything_runs(value, kind):
    typed = parameters.typed({"seconds": value}, {"seconds": kind})
    with pytest.raises(ParameterError, match="seconds"):
        parameters.check(typed, {"seconds": kind}, "08_serving")


@pytest.mark.parametrize(("name", "value"), [("top_k", 0), ("top_k", 1001), ("threads", [1, 0]), ("pictures", -3)])
def test_numbers_out_of_range_are_refused(name, value):
    kind = "list" if isinstance(value, list) else "int"
    with pytest.raises(ParameterError, match=f"{name} of x must be from 1 to"):
        parameters.check({name: value}, {name: kind}, "x")


def test_an_assignment_without_a_value_is_refused():
    with pytest.raises(ParameterError, match="name=value"):
        parameters.parse_assignment("top_k")


def test_two_reports_into_one_folder_are_refused(course, tmp_path):
    from filelock import FileLock

    (tmp_path / "out").mkdir()
    with FileLock(tmp_path / "out" / ".lock"), pytest.raises(ReportError, match="Another report"):
        make_report(tmp_path / "out", weights="untrained")


def test_unknown_exceptions_are_other():
    assert class_of("KeyError") == "OTHER"


def test_every_parameter_of_the_full_profile_exists():
    for notebook in all_notebooks():
        parameters.check(parameters.profile_values("full", notebook.stem), parameters.declared(notebook), notebook.stem)


@pytest.mark.slow
def test_the_real_report_opens_without_a_network(tmp_path, course_home):
    done = run_cli("report", "--output", tmp_path, "--notebook", "02", home=course_home, timeout=600)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str((tmp_path / "index.html").resolve())
    pages = list(tmp_path.glob("*.html"))
    assert len(pages) == 2
    for page in pages:
        assert not RESOURCE.search(page.read_text(encoding="utf-8")), page.name
    record = read_record(tmp_path / "results" / "02_classification.json")
    assert record["engine"]["backend"] == "eager"


@pytest.mark.slow
def test_where_nothing_can_be_fetched_the_report_is_of_the_distilled_weights_and_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr("resnet18_lab.weights.find.search_places", list)
    monkeypatch.delenv("RESNET18_LAB_WEIGHTS", raising=False)
    monkeypatch.setenv("RESNET18_LAB_HOME", str(tmp_path / "home"))
    said = []
    made = make_report(tmp_path / "out", names=["02"], notify=said.append)
    assert made.failed == []
    assert sum("the distilled weights answer" in line for line in said) == 1
    page = (tmp_path / "out" / "02_classification.html").read_text(encoding="utf-8")
    assert "UNTRAINED" not in page
    assert "distilled" in page
