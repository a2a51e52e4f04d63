"""Real runs: what reaches the engines, what the parent costs, and what happens when something breaks."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from operator import eq

import psutil
import pytest
from support.built_homes import built_home
from support.project import run_cli

from resnet18_lab.base.machine import usable_cores
from resnet18_lab.benchmark import record
from resnet18_lab.benchmark.configuration import OURS, Configuration, Effort
from resnet18_lab.benchmark.measure import runner, spawn
from resnet18_lab.benchmark.results.tables import TABLES, bound_of
from resnet18_lab.inference import registry

pytestmark = pytest.mark.slow
SHORT = Effort(1, 2, 0.0, 0.2, 5, 20, 1.0)


@pytest.fixture(autouse=True)
def _home(untrained_home, monkeypatch):
    monkeypatch.setenv("RESNET18_LAB_HOME", str(untrained_home))


def run(*suites, **options):
    return runner.run(
        list(suites), **{"weights": "untrained", "effort": SHORT, "threads": [1], "batches": [1], **options}
    )


@pytest.fixture(scope="module")
def every_engine(tmp_path_factory):
    """A home with all that any installed engine runs, of the untrained network."""
    wanted = sorted({spec.artifact for spec in registry.SPECS if spec.artifact and registry.is_installed(spec)})
    return built_home(tmp_path_factory, "untrained", *wanted, few=True)


@pytest.mark.timeout(1500)  # the first one makes all artifacts
@pytest.mark.parametrize("backend", registry.names())
def test_threads_reach_every_engine_and_the_parent_only_waits(backend, every_engine, monkeypatch):
    if not registry.is_installed(next(spec for spec in registry.SPECS if spec.name == backend)):
        pytest.skip(f"needs the packages of {backend}")
    monkeypatch.setenv("RESNET18_LAB_HOME", str(every_engine))
    counts = sorted({1, min(2, usable_cores())})
    kept = runner.run_configurations(
        [Configuration("latency", backend, count) for count in counts], "fast", Effort(1, 1, 0.0, 0.5, 4, 40, 1.0),
        weights="untrained",
    )  # fmt: skip
    rows = kept.of("latency")
    if any("needs a CPU with" in failure for row in rows for failure in row.failures):
        pytest.skip(rows[0].failures[0])
    assert [row.results[0]["threads_read_back"] for row in rows] == counts
    for row in rows:
        assert row.results[0]["cpu_per_wall"] <= row.configuration.threads + 0.2
    assert kept.parent_cpu_share < 0.02


def test_children_start_with_a_clean_environment_and_memory_of_their_own(monkeypatch):
    monkeypatch.setenv("A_SECRET", "x")
    monkeypatch.setenv("OMP_NUM_THREADS", "99")
    environment = spawn.clean_environment(3)
    assert "A_SECRET" not in environment
    assert environment["OMP_NUM_THREADS"] == "3"
    ballast = bytearray(600_000_000)  # a child that inherited this peak would show it
    ballast[::4096] = b"x" * len(ballast[::4096])
    (row,) = run("memory", backends=["onnxruntime-fp32"]).of("memory")
    if row.results[0]["import_peak"] is None:
        pytest.skip("needs /proc to read the peak memory")
    assert row.results[0]["import_peak"] < 300_000_000 < len(ballast)


@pytest.mark.parametrize(
    ("source", "reason", "deadline"),
    [("import os\nos.abort()", "killed by signal 6", 60.0), ("raise ImportError('half an installation')", "half an installation", 60.0),
     ("import time\ntime.sleep(600)", "timeout", 12.0)],
)  # fmt: skip
def test_a_broken_engine_is_a_row_with_its_reason_and_the_rest_goes_on(source, reason, deadline, tmp_path, monkeypatch):
    (tmp_path / "onnxruntime.py").write_text(source, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(spawn, "DEADLINE", deadline)
    kept = run("memory", backends=["onnxruntime-fp32", "openvino-fp32"])  # which start in a second even beside others
    broken, other = kept.of("memory")
    assert reason in broken.failures[0]
    assert broken.results == []
    assert other.results
    assert reason in TABLES["memory"](kept)["note"][0]


def test_an_engine_without_its_artifact_is_a_row_that_names_the_command():
    (row,) = run("memory", backends=["torchscript"]).of("memory")
    assert "resnet18-lab build" in row.failures[0]


def test_every_suite_gives_a_table():
    kept = run("throughput", "cold-start", "stages", "sizes", backends=["onnxruntime-fp32"], threads=[1, 2])
    for suite in ("throughput", "cold-start", "stages", "sizes"):
        rows = kept.of(suite)
        assert rows
        assert all(row.results for row in rows), [row.failures for row in rows]
        assert len(TABLES[suite](kept)) >= len(rows)
    parts = next(row for row in kept.of("cold-start") if not row.configuration.variant).results[0]
    assert sum(parts["parts"].values()) == pytest.approx(parts["samples"][0], rel=0.01)


def test_a_folder_goes_through_the_tutorials_loop_and_through_ours_with_the_same_answers():
    loop, ours = kept = runner.run_configurations(
        [
            Configuration("end-to-end", "onnxruntime-fp32", 2, variant="tutorial loop"),
            Configuration("end-to-end", "onnxruntime-fp32", 1, 4, workers=2, variant=OURS, spinning=False),
        ],
        "fast", replace(SHORT, pictures=44, folder_starts=1), weights="untrained",
    ).rows  # fmt: skip
    assert not any(row.failures for row in kept)
    assert len(ours.results[0]["answers"]) == ours.results[0]["pictures"] == 44
    same = sum(map(eq, ours.results[0]["answers"], loop.results[0]["answers"]))
    assert same >= 40, "one-resample crops differ by a grey level: untrained scores may flip, most answers not"
    assert bound_of(loop) is None
    assert bound_of(ours) > 0
    assert all(row.results[0]["rate"] > 0 for row in kept)


def test_the_peak_is_measured_with_the_latency():
    kept = run("latency", backends=["onnxruntime-fp32"])
    (peak,) = kept.of("peak")
    assert peak.results[0]["gflops"] > 1
    assert peak.results[0]["int8_gops"] > 1
    assert peak.results[0]["gbytes_per_second"] > 0.1


def test_the_command_writes_record_tables_and_tuned_threads(tmp_path, untrained_home):
    arguments = [
        "bench",
        "--suite",
        "latency",
        "--backend",
        "onnxruntime-fp32",
        "--threads",
        "1",
        "--weights",
        "untrained",
    ]
    done = run_cli(*arguments, "--output", tmp_path / "r.json", "--csv", tmp_path / "csv", home=untrained_home)
    assert done.returncode == 0, done.stderr
    assert "onnxruntime-fp32 (A/A)" in done.stdout
    tuned_files = list(untrained_home.glob("artifacts/*/tuned.json"))
    # a busy machine gives intervals too wide to decide by: then the command says that it kept nothing
    assert ("remembered in" if tuned_files else "no best threads remembered") in done.stderr
    assert record.read(tmp_path / "r.json").interrupted is False
    assert (tmp_path / "csv" / "latency.csv").is_file()
    for tuned_file in tuned_files:
        tuned_file.unlink()
    compared = run_cli(
        *arguments, "--no-tune", "--output", tmp_path / "s.json", "--compare", tmp_path / "r.json", home=untrained_home
    )
    assert "configurations compared" in compared.stdout
    assert not list(untrained_home.glob("artifacts/*/tuned.json"))


def test_ctrl_c_leaves_no_child_and_keeps_what_was_measured(tmp_path, untrained_home):
    command = [
        sys.executable,
        "-m",
        "resnet18_lab",
        "bench",
        "--suite",
        "memory",
        "--suite",
        "throughput",
        "--profile",
        "full",
    ]
    command += [
        "--weights",
        "untrained",
        "--backend",
        "onnxruntime-fp32",
        "--no-tune",
        "--output",
        str(tmp_path / "r.json"),
    ]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=dict(os.environ))
    for line in process.stderr:
        if line.startswith("[3/"):  # two starts are done
            break
    time.sleep(0.5)
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert children
    assert not [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]
    kept = record.read(tmp_path / "r.json")
    assert kept.interrupted is True
    assert sum(len(row.results) for row in kept.rows) >= 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["--suite", "latencie"], "Did you mean latency"), (["--profile", "slow"], "fast, full"), (["--threads", "one"], "whole numbers"),
     (["--threads", "0"], "1 or more"), (["--backend", "eagr"], "Did you mean eager"), (["--compare", "missing.json"], "no record")],
)  # fmt: skip
def test_wrong_options_are_one_line(arguments, words, untrained_home):
    done = run_cli("bench", "--weights", "untrained", *arguments, home=untrained_home)
    assert done.returncode == 2
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
