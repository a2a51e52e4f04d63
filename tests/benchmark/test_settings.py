"""Settings of a row: told apart by their key, said where they reach the engine, and effective."""

import os
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

from resnet18_lab.base.conclusion import lines
from resnet18_lab.base.machine import usable_cores
from resnet18_lab.benchmark import record
from resnet18_lab.benchmark.configuration import EFFORTS, OURS, Configuration, Effort, shortened
from resnet18_lab.benchmark.measure import coldstart, runner
from resnet18_lab.benchmark.measure.folder_loops import chunk_of
from resnet18_lab.benchmark.record import Row
from resnet18_lab.benchmark.results import conclusions, figures, tables, targets, tuning
from resnet18_lab.benchmark.suites import extras_plan, first_core, plan
from resnet18_lab.course.threads.conclusions import _times, amdahl, crowding, decision, fixed_four
from resnet18_lab.inference import artifacts, tuned
from resnet18_lab.inference.onnxruntime import make_session

SHORT = Effort(1, 1, 0.0, 0.0, 2, 3, 0.2)


def make(*rows):
    return record.new("full", EFFORTS["full"], {"name": "x", "sha256": "0", "asked": "x"}, list(rows))


def row(configuration, seconds, **more):
    results = [
        {"samples": [seconds * (1 + 0.001 * start)] * 30, "load": 0.1, "first": 0.1, **more} for start in range(5)
    ]
    return Row(configuration, results, cores=4)


def files():
    return [Configuration("latency", "onnxruntime", file=f"/{folder}/model.onnx") for folder in ("one", "other")]


def test_files_of_one_name_and_interop_threads_are_rows_of_their_own():
    one = Configuration("latency", "eager")
    rows = [*files(), one, replace(one, interop_threads=2), replace(one, affinity=(0,)), replace(one, twin=True)]
    assert len({configuration.key() for configuration in rows}) == len(rows)
    table = tables.latency(make(*(row(configuration, 0.01) for configuration in rows)))
    assert table["engine"].tolist() == [
        "one/model.onnx", "other/model.onnx", "eager", "eager (interop 2)", "eager (on core 0)", "eager (A/A)",
    ]  # fmt: skip


def test_files_are_lines_of_their_own_and_tune_nothing():
    kept = make(*(row(configuration, seconds) for configuration, seconds in zip(files(), (0.01, 0.02), strict=True)))
    (axes,) = figures.latency_by_threads(kept).axes
    assert [container.get_label() for container in axes.containers] == ["one/model.onnx", "other/model.onnx"]
    assert tuning.best_threads(kept) == {}


def test_a_target_finds_its_row_whatever_the_settings():
    rows = [
        row(Configuration("sizes", "o", variant=f"400×300 {how}", spinning=False, affinity=(0,)), seconds)
        for how, seconds in (("ours", 0.002), ("torchvision", 0.004))
    ]
    rows += [row(Configuration("sizes", "onnxruntime-int8", variant=f"400×300 {how}", spinning=False), seconds)
             for how, seconds in (("ours", 0.002), ("torchvision", 0.004))]  # fmt: skip
    (found,) = targets.targets(make(*rows))
    assert found.value == pytest.approx(0.5)


def test_a_pinned_row_is_not_taken_for_the_engine_as_it_comes():
    one = Configuration("latency", "eager")
    kept = make(
        row(one, 0.05), row(replace(one, affinity=(0,)), 0.5), row(Configuration("latency", "onnxruntime-int8"), 0.01)
    )
    (found,) = targets.targets(kept)
    assert found.value == pytest.approx(5)
    assert _times(kept)["eager"][1].value == pytest.approx(0.05, rel=0.01)


def ratio(value, low, high, limit=1.0, at_least=False):
    return targets.Target("x", value, limit, "×", at_least, targets.Interval(value, low, high))


def test_a_target_says_when_noise_decides():
    verdicts = [ratio(*span).verdict for span in ((0.8, 0.7, 0.9), (0.9, 0.7, 1.1), (1.1, 0.9, 1.3), (1.2, 1.1, 1.3))]
    assert verdicts == ["yes", "yes, within the noise", "no, within the noise", "no"]
    assert ratio(1.2, 1.1, 1.3, at_least=True).verdict == "yes"
    assert str(ratio(1.1, 0.9, 1.3)) == "x: 1.1 (0.9-1.3) × (at most 1: NOT met, within the noise)"
    assert str(ratio(1.2, 1.1, 1.3)).endswith("NOT met)")
    assert str(ratio(0.8, 0.7, 0.9)).endswith(": met)")
    assert targets.table([targets.Target("x", 1.0, 2.0)])["met"].tolist() == ["yes"]


def test_spinning_is_said_of_engines_that_take_it_alone():
    cores = usable_cores()
    for name, said in (("onnxruntime-fp32", "no spinning"), ("eager", ""), ("openvino-fp32", "")):
        configuration = Configuration("throughput", name, workers=2, spinning=False)
        assert configuration.settings == said
        if cores > 1:
            several = [c for c in plan(["throughput"], [name], [cores], [1]) if c.workers > 1]
            assert [c.spinning for c in several] == [not said]


def test_the_crowd_is_pinned_to_a_core_that_is_allowed():
    if not hasattr(os, "sched_getaffinity"):
        pytest.skip("this system cannot pin")
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(allowed)})
    try:
        assert crowding("eager")[-1].affinity == extras_plan("eager")[-1].affinity == (max(allowed),)
    finally:
        os.sched_setaffinity(0, allowed)


def test_where_nothing_can_be_pinned_there_is_no_pinned_row(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert first_core() == ()
    assert not [c for c in [*crowding("eager"), *extras_plan("eager")] if c.affinity]


def test_the_clock_of_a_folder_takes_whole_rounds_of_all_workers():
    for workers, batch in ((2, 4), (8, 4), (3, 4), (64, 4), (1, 1)):
        chunk = chunk_of(Configuration("end-to-end", "x", 1, batch, workers, OURS))
        assert chunk % (workers * batch) == 0
        assert chunk >= 30 or workers * batch == 1


def test_a_shortened_profile_says_what_it_leaves_out():
    assert shortened(EFFORTS["full"]) == ""
    said = shortened(EFFORTS["fast"])
    assert "2 starts, each until 0.3 s and 10 samples, or 100 samples" in said
    assert "5 starts, each until 2 s and 30 samples, or 100 samples" in said


def test_off_linux_the_peak_of_a_command_is_not_available(monkeypatch, capsys):
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.delattr(os, "wait4", raising=False)
    monkeypatch.setattr(sys, "argv", ["coldstart.py", sys.executable, "-c", "pass"])
    coldstart.main()
    assert '"peak": null' in capsys.readouterr().out


def test_a_record_without_peaks_has_the_other_targets(monkeypatch):
    rows = [row(Configuration("cold-start", "o", variant=name), 0.3, peak=None) for name in ("bare script", "classify")]
    assert [target.what for target in targets.targets(make(*rows))] == ["classify, start to exit / bare script's"]
    assert tables.cold_start(make(*rows))["peak MB"].tolist() == [tables.NOT_AVAILABLE] * 2


def sessions(one, many, *, spread=0.001):
    starts = [1 + spread * start for start in range(5)]
    rows = []
    for workers, threads, seconds in ((1, 2, one), (2, 1, 2 * many)):
        rows.append(
            Row(
                Configuration("throughput", "eager", threads, workers=workers),
                [{"samples": [seconds * start] * 30} for start in starts],
                cores=2,
            )
        )
    return make(*rows)


def test_workers_are_remembered_when_they_are_clearly_better(tmp_path):
    assert tuning.best_workers(sessions(0.020, 0.015)) == {"eager": 2}
    assert tuning.best_workers(sessions(0.015, 0.020)) == {"eager": None}
    assert tuning.best_workers(sessions(0.020, 0.019, spread=0.1)) == {"eager": None}
    assert "2 sessions of one thread answer 1.33" in conclusions.sessions(sessions(0.020, 0.015))
    assert "decides nothing" in conclusions.sessions(sessions(0.020, 0.019, spread=0.1))
    tuning.write_tuned(sessions(0.020, 0.015), tmp_path)
    assert tuned.workers_for("eager", tmp_path) == 2
    assert tuned.workers_for("onnxruntime-fp32", tmp_path) is None
    tuning.write_tuned(sessions(0.015, 0.020), tmp_path)
    assert tuned.workers_for("eager", tmp_path) is None, "a later measurement takes it back"


def test_tuned_workers_are_used_on_the_same_machine_only(tmp_path, monkeypatch):
    assert tuned.workers_for("eager", tmp_path) is None
    tuned.write({"eager": 3}, tmp_path, {"eager": 4})
    tuned.write({"onnxruntime-fp32": 2}, tmp_path)
    assert (tuned.threads_for("eager", tmp_path), tuned.workers_for("eager", tmp_path)) == (3, 4)
    monkeypatch.setattr(tuned, "cpu_model", lambda: "another CPU")
    assert tuned.workers_for("eager", tmp_path) is None
    monkeypatch.undo()
    monkeypatch.setattr(tuned, "usable_cores", lambda: 999)
    assert tuned.workers_for("eager", tmp_path) is None


def noisy(threads, *seconds):
    return Row(Configuration("latency", "eager", threads), [{"samples": [value] * 5} for value in seconds], cores=4)


def test_what_noise_leaves_undecided_is_said_with_what_to_do():
    kept = make(noisy(1, 0.05, 0.06), noisy(2, 0.03, 0.3), noisy(4, 0.03, 0.04))
    (decided,), (four,) = decision(kept), fixed_four(kept)
    assert "too wide" in decided.withheld
    assert "measure again" in str(decided)
    assert str(four).startswith("Too noisy to say here (four threads, eager)")
    assert decision(make()) == []


def test_a_machine_that_others_kept_busy_decides_nothing():
    kept = make(
        *(row(Configuration("latency", "eager", n), seconds) for n, seconds in ((1, 0.05), (2, 0.03), (4, 0.04)))
    )
    assert not any(each.withheld for each in [*decision(kept), *fixed_four(kept)])
    for one in kept.rows:
        one.noise = [{"steal": 0.0, "others": 0.48}] * len(one.results)
    assert all("48%" in each.withheld for each in [*decision(kept), *fixed_four(kept)])


def test_the_decision_names_engine_threads_and_time():
    kept = make(
        *(row(Configuration("latency", "eager", n), seconds) for n, seconds in ((1, 0.05), (2, 0.03), (4, 0.045)))
    )
    assert lines(decision(kept)) == "eager: 2 thread(s), 30.06 ± 0.06 ms a picture"
    assert "eager: 4 threads take 1.50 × the time of 2 (1.50 to 1.50)." in lines(fixed_four(kept))


def test_an_engine_that_took_fewer_threads_teaches_nothing_about_more():
    rows = [
        row(Configuration("latency", "o", n), s, threads_read_back=min(n, 2))
        for n, s in ((1, 0.04), (2, 0.02), (4, 0.02))
    ]
    kept = make(*rows)
    assert amdahl(kept).loc["o", "threads"] == 2
    assert "never ran 4 threads" in lines(fixed_four(kept))
    assert tuning.best_threads(kept) == {"o": 2}
    (axes,) = figures.latency_by_threads(kept).axes
    assert [round(tick) for tick in axes.get_xticks()] == [1, 2]
    assert "engine ran 2 threads" in tables.latency(kept)["note"][2]


def test_the_noise_floor_is_an_interval():
    one = Configuration("latency", "eager")
    same = conclusions.noise_floor(make(row(one, 0.05), row(replace(one, twin=True), 0.05)))
    assert "0.99 to 1.00" in same or "1.00 to 1.00" in same
    assert "is noise" in same
    apart = conclusions.noise_floor(make(row(one, 0.05), row(replace(one, twin=True), 0.06)))
    assert "noisier than its intervals say" in apart
    assert "No control row" in conclusions.noise_floor(make(row(one, 0.05)))


@pytest.mark.slow
def test_pinning_and_interop_threads_are_recorded_and_reach_the_process(untrained_home, monkeypatch):
    monkeypatch.setenv("RESNET18_LAB_HOME", str(untrained_home))
    one = Configuration("latency", "eager")
    pinned, interop = runner.run_configurations(
        [replace(one, affinity=first_core()), replace(one, interop_threads=3)], "fast", SHORT, weights="untrained"
    ).rows
    assert pinned.results[0]["settings_read_back"]["affinity"] == (list(first_core()) or None)
    assert pinned.results[0]["settings_read_back"]["interop_threads"] == 1
    assert interop.results[0]["settings_read_back"]["interop_threads"] == 3


@pytest.mark.slow
def test_a_pool_that_does_not_spin_leaves_its_cores_idle(untrained_home, monkeypatch):
    monkeypatch.setenv("RESNET18_LAB_HOME", str(untrained_home))
    path = artifacts.load("onnx-fp32", "untrained").path

    def busy_after_a_run(spinning):
        session = make_session(str(path), 2, spinning=spinning)
        batch = np.zeros((1, 3, 224, 224), np.float32)
        spent = 0.0
        for _ in range(5):
            session.run(None, {session.get_inputs()[0].name: batch})
            before = time.process_time()
            time.sleep(0.1)
            spent += time.process_time() - before
        return spent

    assert busy_after_a_run(False) < 0.02
    assert busy_after_a_run(True) > 2 * busy_after_a_run(False)


@pytest.mark.slow
def test_stages_are_warmed_up_and_sampled_like_latency(untrained_home, monkeypatch):
    monkeypatch.setenv("RESNET18_LAB_HOME", str(untrained_home))
    effort = Effort(1, 10, 0.3, 0.0, 7, 100, 5.0)
    kept = runner.run(["stages"], backends=["onnxruntime-fp32"], threads=[1], weights="untrained", effort=effort)
    (result,) = kept.of("stages")[0].results
    assert len(result["samples"]) == 7
    assert {len(values) for values in result["parts"].values()} == {7}
    assert result["first"] > 0
