"""What goes wrong while measuring stays visible, and does not decide anything."""

import pytest
from support.project import run_cli

from resnet18_lab.base.errors import ParameterError
from resnet18_lab.benchmark import record
from resnet18_lab.benchmark.configuration import EFFORTS, Configuration, Effort
from resnet18_lab.benchmark.measure import coldstart, loops, runner
from resnet18_lab.benchmark.record import Row
from resnet18_lab.benchmark.results import tables, tuning
from resnet18_lab.benchmark.suites import kept_by
from resnet18_lab.inference.engine import BaseEngine

SHORT = Effort(1, 1, 0.0, 0.05, 3, 5, 0.5)


def make(*rows):
    return record.new("fast", EFFORTS["fast"], {"name": "x", "sha256": "0", "asked": "x"}, list(rows))


def latency(threads, *starts, cores=4, backend="eager"):
    results = [{"samples": [seconds] * 30, "load": 0.1, "first": 0.1} for seconds in starts]
    return Row(Configuration("latency", backend, threads), results, cores=cores)


def test_a_worker_that_fails_fails_its_row():
    class Sound(BaseEngine):
        def run(self, batch):
            return batch

    class Broken(Sound):
        def run(self, batch):
            raise RuntimeError("the engine broke")

    engines = iter([Sound(), Broken()])
    with pytest.raises(RuntimeError, match="the engine broke"):
        loops.run_engine(lambda: next(engines), Configuration("throughput", "eager", workers=2), SHORT)


def test_stages_that_failed_are_a_row_with_the_reason():
    table = tables.stages(make(Row(Configuration("stages", "eager"), failures=["exit 1: boom"])))
    assert table["note"].tolist() == ["exit 1: boom"]


def test_oversubscribed_is_judged_by_the_machine_that_measured(tmp_path, monkeypatch):
    make(latency(4, 0.05, cores=2)).save(tmp_path / "r.json")
    monkeypatch.setattr("resnet18_lab.base.machine.usable_cores", lambda: 64)
    assert record.read(tmp_path / "r.json").rows[0].oversubscribed


def test_nothing_is_tuned_when_noise_would_decide():
    quiet = make(latency(1, 0.050, 0.0501), latency(2, 0.030, 0.0301))
    assert tuning.best_threads(quiet) == {"eager": 2}
    noisy = make(latency(1, 0.050, 0.052), latency(2, 0.030, 0.300))
    assert tuning.best_threads(noisy) == {}


def test_oversubscribed_rows_do_not_widen_the_others():
    alone = tables.intervals(make(latency(1, 0.050, 0.051), latency(2, 0.030, 0.0303)), "latency")
    beside = make(latency(1, 0.050, 0.051), latency(2, 0.030, 0.0303), latency(8, 0.03, 0.3))
    found = tables.intervals(beside, "latency")
    assert all(found[key] == interval for key, interval in alone.items())


def test_without_proc_the_note_says_that_noise_is_unknown():
    row = latency(1, 0.05, 0.05)
    row.noise = [None, None]
    assert "not available" in tables.latency(make(row))["note"][0]


def test_classify_is_timed_on_the_engine_of_the_bare_script():
    command = coldstart.command_of("classify", "onnxruntime-fp32", "m.onnx", "p.jpg", "auto", 1)
    assert command[command.index("--backend") + 1] == "onnxruntime-fp32"


@pytest.mark.slow
def test_a_missing_artifact_is_a_row_of_cold_start_and_the_rest_goes_on(tmp_path, monkeypatch):
    monkeypatch.setenv("RESNET18_LAB_HOME", str(tmp_path))
    kept = runner.run(
        ["cold-start", "memory"], backends=["onnxruntime-fp32", "eager"], threads=[1], weights="untrained", effort=SHORT
    )
    script = next(row for row in kept.of("cold-start") if row.configuration.variant == "bare script")
    assert "is not built" in script.failures[0]
    assert next(row for row in kept.of("memory") if row.configuration.backend == "eager").results


def test_a_percentage_without_an_older_record_is_refused(untrained_home):
    done = run_cli("bench", "--weights", "untrained", "--fail-on-regression", "5", home=untrained_home)
    assert done.returncode == 2
    assert "--compare" in done.stderr


@pytest.mark.parametrize(("seconds", "status"), [(0.070, 1), (0.052, 0), (0.030, 0)])
def test_the_command_fails_on_a_regression_beyond_the_percentage(seconds, status, untrained_home, tmp_path):
    old, new = (make(latency(1, *(value * (1 + 0.0001 * start) for start in range(5)))) for value in (0.050, seconds))
    old.save(tmp_path / "old.json")
    new.save(tmp_path / "new.json")
    (tmp_path / "sitecustomize.py").write_text(
        "from pathlib import Path\nfrom resnet18_lab.benchmark import record; from resnet18_lab.benchmark.measure import runner\n"
        f"runner.run = lambda *_, **__: record.read(Path({str(tmp_path / 'new.json')!r}))\n",
        encoding="utf-8",
    )
    done = run_cli(
        "bench", "--weights", "untrained", "--no-tune", "--output", tmp_path / "out.json",
        "--compare", tmp_path / "old.json", "--fail-on-regression", "10",
        home=untrained_home, env={"PYTHONPATH": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == status, done.stderr
    assert "1 configurations compared" in done.stdout
    assert ("slower: latency eager t1" in done.stdout) is (seconds > 0.050)


def test_a_missing_pandas_is_said_before_measuring(untrained_home, tmp_path):
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['pandas'] = None\n", encoding="utf-8")
    done = run_cli("bench", "--weights", "untrained", home=untrained_home, env={"PYTHONPATH": str(tmp_path)})
    assert done.returncode == 2
    assert "resnet18-lab[notebooks]" in done.stderr


@pytest.mark.slow
def test_the_record_is_kept_after_every_round():
    kept = []
    effort = Effort(2, 1, 0.0, 0.0, 1, 1, 0.1)
    runner.run(
        ["memory"], backends=["eager"], threads=[1], weights="untrained", effort=effort,
        keep=lambda record: kept.append(len(record.rows[0].results)),
    )  # fmt: skip
    assert kept == [1, 2]


def test_the_fast_profile_keeps_the_sizes_its_targets_need():
    rows = [Configuration("sizes", "eager", variant=f"{size} torchvision") for size in ("224×224", "400×300")]
    assert [kept_by("fast", row) for row in rows] == [False, True]
    assert all(kept_by("full", row) for row in rows)


def test_the_slowest_engine_is_run_at_two_batches_only():
    rows = [Configuration("throughput", name, batch=batch) for name in ("quick", "slow") for batch in (1, 4, 8, 16)]
    kept = [row for row in rows if kept_by("full", row, "slow")]
    assert [(row.backend, row.batch) for row in kept] == [
        ("quick", 1), ("quick", 4), ("quick", 8), ("quick", 16), ("slow", 1), ("slow", 8),
    ]  # fmt: skip


@pytest.mark.slow
def test_any_onnx_file_can_be_timed_beside_the_engines(untrained_home, monkeypatch):
    monkeypatch.setenv("RESNET18_LAB_HOME", str(untrained_home))
    file = next(untrained_home.rglob("resnet18-fp32.onnx"))
    kept = runner.run(
        ["latency"], backends=["onnxruntime-fp32"], threads=[1], files=[file], effort=SHORT, weights="untrained"
    )
    names = [row.configuration.engine for row in kept.of("latency") if row.results]
    assert names == ["onnxruntime-fp32", "onnxruntime-fp32", "resnet18-fp32.onnx"]
    with pytest.raises(ParameterError, match="takes an ONNX file"):
        runner.run(["latency"], files=[file.with_name("missing.onnx")], effort=SHORT, weights="untrained")
