"""Results of notebooks in one table, and two runs compared."""

import csv
import json

import pytest
from support.project import run_cli

from resnet18_lab.base import paths
from resnet18_lab.base.errors import LabError, ParameterError
from resnet18_lab.benchmark.kept_records import Measuring
from resnet18_lab.cli import results as command
from resnet18_lab.course.results import comparing, long_form, reading

CONTRACT = ["run", "notebook", "key", "value", "low", "high", "unit"]
CONTENT = {
    "weights": "compact",
    "latency_seconds": {"eager t1": {"value": 0.02, "low": 0.018, "high": 0.022}},
    "rate": {"value": 50, "low": 45, "high": 55, "unit": "img/s"},
    "table": {"img/s": {"one": 3}, "peak_bytes": 10, "cpu_share": 0.4, "times_ms": {"decode": 1.5, "share": 0.1}},
    "same": True,
    "nothing": None,
    "stages": [{"stage": "stem", "ms": 2.0}, {"stage": "layer1", "ms": 3.0}],
    "shape": [64, 56],
}


def written(folder, name="05_threads", content=CONTENT, profile="full"):
    path = folder / "results" / f"{name}.json"
    Measuring(profile=profile, threads=[1]).write(path, content)
    return path


def by_key(rows):
    return {row.key: row for row in rows}


def test_each_number_is_a_row_with_its_path_interval_and_unit(tmp_path):
    rows, complaints = reading.read_places([str(written(tmp_path).parent.parent)])
    assert complaints == []
    found = {key: (row.value, row.low, row.high, row.unit) for key, row in by_key(rows).items()}
    assert found == {
        "weights": (None, None, None, None),
        "latency_seconds.eager t1": (0.02, 0.018, 0.022, "s"),
        "rate": (50.0, 45.0, 55.0, "img/s"),
        "table.img/s.one": (3.0, None, None, "img/s"),
        "table.peak_bytes": (10.0, None, None, "bytes"),
        "table.cpu_share": (0.4, None, None, None),
        "table.times_ms.decode": (1.5, None, None, "ms"),
        "table.times_ms.share": (0.1, None, None, None),
        "same": (1.0, None, None, None),
        "stages.stem.stage": (None, None, None, None),
        "stages.layer1.stage": (None, None, None, None),
        "stages.stem.ms": (2.0, None, None, "ms"),
        "stages.layer1.ms": (3.0, None, None, "ms"),
        "shape.0": (64.0, None, None, None),
        "shape.1": (56.0, None, None, None),
    }
    row = by_key(rows)["weights"]
    assert (row.text, row.notebook, row.profile, row.run) == ("compact", "05_threads", "full", str(tmp_path))
    assert row.cpu
    assert row.started.startswith("20")


@pytest.mark.parametrize(
    ("path", "unit"),
    [
        (("a_ms",), "ms"), (("a_us",), "us"), (("seconds",), "s"), (("noise_db",), "dB"), (("pictures/s",), "pictures/s"),
        (("best img/s",), "img/s"), (("forms",), None), (("MB",), "MB"), (("times_ms", "x", "y"), "ms"), (("a_percent",), "%"),
        ((), None), (("times_ms", "count"), None),
    ],
)  # fmt: skip
def test_the_unit_is_the_suffix_of_the_nearest_part_that_has_one(path, unit):
    assert long_form.unit_of(path) == unit


def test_odd_numbers_are_floats_and_a_unit_of_its_own_makes_a_quantity():
    content = {"big": 10**400, "low_only": {"value": 1, "low": 0}, "own": {"value": 2, "unit": "dB", "of": "x"},
               "open": {"value": 1.0, "low": 0.0, "high": float("inf")}}  # fmt: skip
    rows = {one.key: one for one in long_form.quantities(content)}
    assert rows["big"].value == float("inf")
    assert rows["low_only.value"].value == 1
    assert (rows["own"].value, rows["own"].unit, rows["own.of"].text) == (2.0, "dB", "x")
    assert rows["open"].high == float("inf")


def test_results_of_the_older_form_are_read_without_facts_of_the_machine(tmp_path):
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "01_a.json").write_text('{"parameters": {"x": 1}, "seconds": 2}', encoding="utf-8")
    rows, _ = reading.read_places([str(tmp_path)])
    assert {key: row.value for key, row in by_key(rows).items()} == {"parameters.x": 1.0, "seconds": 2.0}
    assert {(row.cpu, row.commit, row.started, row.profile) for row in rows} == {(None,) * 4}


def test_a_run_is_called_by_its_folder_its_label_and_the_folder_of_a_sweep(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("a", "b/deep"):
        written(tmp_path / folder)
    Measuring().write(tmp_path / "a" / "results" / "05_threads-threads=4" / "05_threads.json", {"x": 1})
    (tmp_path / "a" / "other.json").write_text("{}", encoding="utf-8")
    rows, complaints = reading.read_places(["a", "mine=b", "a/results/05_threads.json", "a/results"])
    assert complaints == []
    runs = {(row.run, row.notebook) for row in rows}
    assert runs == {("a", "05_threads"), ("a/05_threads-threads=4", "05_threads"), ("mine/deep", "05_threads")}
    swept, _ = reading.read_places(["a/results/05_threads-threads=4"])
    assert [row.value for row in swept] == [1.0]


def test_a_record_of_bench_gives_its_intervals_not_its_samples():
    rows, complaints = reading.read_places([str(paths.records_dir() / "benchmark.json")])
    assert complaints == []
    assert len(rows) < 300
    one = by_key(rows)["latency onnxruntime-int8 t1 b1 w1"]
    assert one.low < one.value < one.high
    assert one.unit == "s"


@pytest.mark.parametrize(
    "content", ["", "[1, 2]", "{", '{"content": 3}', "[" * 100_000, b"\xff\xfe", '{"rows": [{"configuration": {}}]}']
)
def test_a_bad_file_is_one_line_and_the_rest_goes_on(tmp_path, content):
    written(tmp_path)
    bad = tmp_path / "results" / "02_bad.json"
    bad.write_bytes(content if isinstance(content, bytes) else content.encode())
    rows, complaints = reading.read_places([str(tmp_path), str(tmp_path / "none")])
    assert rows
    assert sorted(complaints) == sorted(
        [f"{tmp_path / 'none'} does not exist", *(one for one in complaints if "02_bad" in one)]
    )
    (line,) = [one for one in complaints if "02_bad" in one]
    assert line.startswith(f"{bad} holds no results (")
    assert len(line.splitlines()) == 1


def test_the_table_has_the_columns_of_the_contract_in_parquet(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    written(tmp_path)
    assert command.results([str(tmp_path)], tmp_path / "all.parquet") == 0
    table = parquet.read_table(tmp_path / "all.parquet")
    assert table.column_names == [*CONTRACT, "text", "cpu", "commit", "started", "profile"]
    types = {field.name: str(field.type) for field in table.schema}
    assert {name: types[name] for name in CONTRACT} == {
        "run": "string", "notebook": "string", "key": "string", "value": "double", "low": "double", "high": "double",
        "unit": "string",
    }  # fmt: skip
    rows = {row["key"]: row for row in table.to_pylist()}
    assert rows["table.cpu_share"]["low"] is None
    assert rows["weights"]["value"] is None
    assert rows["latency_seconds.eager t1"]["high"] == 0.022


def test_columns_without_a_value_keep_their_type_in_parquet(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    written(tmp_path, content={"a": "text"})
    command.results([str(tmp_path)], tmp_path / "all.parquet")
    assert str(parquet.read_table(tmp_path / "all.parquet").schema.field("low").type) == "double"


def test_csv_and_json_lines_hold_the_same(tmp_path):
    written(
        tmp_path,
        content={**CONTENT, "formula": "=1+1", "half": "\ud800", "open": {"value": 1, "low": 0, "high": float("inf")}},
    )
    for suffix in ("csv", "jsonl"):
        assert command.results([str(tmp_path)], tmp_path / f"all.{suffix}") == 0
    with (tmp_path / "all.csv").open(encoding="utf-8", newline="") as file:
        cells = {row["key"]: row for row in csv.DictReader(file)}
    rows = {
        row["key"]: row for row in map(json.loads, (tmp_path / "all.jsonl").read_text(encoding="utf-8").splitlines())
    }
    assert list(rows) == list(cells)
    assert float(cells["latency_seconds.eager t1"]["low"]) == rows["latency_seconds.eager t1"]["low"] == 0.018
    assert cells["weights"]["value"] == ""
    assert cells["formula"]["text"] == "'=1+1"
    assert rows["formula"]["text"] == "=1+1"
    assert (cells["open"]["high"], rows["open"]["high"]) == ("inf", None)


def test_without_an_output_the_table_is_read_on_stdout(tmp_path, capsys):
    written(tmp_path)
    assert command.results([str(tmp_path)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].split() == ["run", "notebook", "key", "value", "95", "%", "interval", "unit"]
    assert any(line.split()[-5:] == ["0.02", "0.018", "to", "0.022", "s"] for line in said)


def interval(value, half):
    return {"value": value, "low": value - half, "high": value + half}


@pytest.fixture
def before_and_after(tmp_path):
    for name, fast, rate in (("before", 10.0, 50.0), ("after", 8.0, 49.0)):
        content = {"fast_ms": interval(fast, 0.5), "rate": {**interval(rate, 2), "unit": "img/s"}, "plain": 3, name: interval(1, 1),
                   "same": interval(10 if name == "before" else 12, 0.1)}  # fmt: skip
        written(tmp_path / name, content=content)
    return tmp_path / "before", tmp_path / "after"


def test_what_both_measured_is_compared_by_its_intervals(before_and_after):
    read = [reading.read_places([str(place)], called="")[0] for place in before_and_after]
    found = {pair.key: (round(pair.ratio, 3), pair.verdict) for pair in comparing.pairs(*read)}
    assert found == {"fast_ms": (0.8, "lower"), "rate": (0.98, "no difference shown"), "same": (1.2, "higher")}


def test_the_comparison_is_a_table_and_exits_0(before_and_after, capsys):
    before, after = map(str, before_and_after)
    assert command.results(None, None, (before, after)) == 0
    shown = capsys.readouterr()
    assert any(line.split()[-2:] == ["0.800", "lower"] for line in shown.out.splitlines())
    assert "no difference shown" in shown.out
    assert "2 of 3 differ beyond their intervals" in shown.err


def test_runs_are_compared_by_name_and_written(before_and_after, tmp_path):
    output = tmp_path / "changes.jsonl"
    assert command.results([str(tmp_path)], output, ("before", "after")) == 0
    (first, *_) = map(json.loads, output.read_text(encoding="utf-8").splitlines())
    assert first == {
        "run": "", "notebook": "05_threads", "key": "fast_ms", "unit": "ms", "a": 10.0, "a_low": 9.5, "a_high": 10.5, "b": 8.0,
        "b_low": 7.5, "b_high": 8.5, "ratio": 0.8, "verdict": "lower",
    }  # fmt: skip


def test_runs_of_a_sweep_are_compared_each_with_its_like(before_and_after, tmp_path):
    for name, values in (("before", (1, 2)), ("after", (3, 2))):
        for threads, value in zip((1, 4), values, strict=True):
            content = {"x": interval(value, 0.1)}
            written(tmp_path / name, f"05_threads-threads={threads}/05_threads", content)
    read = [reading.read_places([str(place)], called="")[0] for place in before_and_after]
    found = {pair.run: pair.ratio for pair in comparing.pairs(*read) if pair.key == "x"}
    assert found == {"05_threads-threads=1": 3.0, "05_threads-threads=4": 1.0}
    assert command.results([str(tmp_path / "before")], None, ("threads=1", "threads=4")) == 0


def test_runs_that_are_not_there_or_share_nothing_are_refused(before_and_after, tmp_path):
    for name in ("before", "after"):
        written(tmp_path / name, "05_threads-threads=1/05_threads", {"x": interval(1, 0.1)})
    with pytest.raises(ParameterError, match="no run 'later'"):
        command.results([str(tmp_path)], None, ("before", "later"))
    with pytest.raises(ParameterError, match="2 runs end in 'threads=1'"):
        command.results([str(tmp_path)], None, ("threads=1", "before"))
    written(tmp_path / "empty", content={"x": 1})
    with pytest.raises(LabError, match="no quantity with an interval in common"):
        command.results(None, None, (str(tmp_path / "before"), str(tmp_path / "empty")))


@pytest.mark.slow
def test_the_command_says_what_it_wrote_and_what_it_could_not_read(tmp_path):
    written(tmp_path)
    (tmp_path / "results" / "02_bad.json").write_text("{", encoding="utf-8")
    done = run_cli("results", tmp_path, "-o", tmp_path / "all.csv", home=tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"{tmp_path / 'results' / '02_bad.json'} holds no results (Expecting property name enclosed in double quotes: line 1 column 2 (char 1))",
        f"15 rows of 1 runs, in {tmp_path / 'all.csv'}",
    ]  # fmt: skip
    assert done.stdout == ""
    assert list(tmp_path.glob(".*")) == []


def test_help_shows_examples(tmp_path):
    said = run_cli("results", "--help", home=tmp_path, env={"COLUMNS": "200"}).stdout
    assert "resnet18-lab results reports -o all.parquet" in said
    assert "--compare before/reports after/reports" in said
