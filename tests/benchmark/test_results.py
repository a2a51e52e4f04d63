"""Tables, comparison, tuning and targets, from records with known samples."""

import json

import pytest
from benchmark_page import FIGURES

from resnet18_lab.base import proc
from resnet18_lab.base.errors import EngineError, ParameterError
from resnet18_lab.base.machine import usable_cores
from resnet18_lab.benchmark import record
from resnet18_lab.benchmark.configuration import EFFORTS, Configuration
from resnet18_lab.benchmark.record import Row
from resnet18_lab.benchmark.results import compare, figures, roofline, tables, targets, tuning
from resnet18_lab.benchmark.suites import plan
from resnet18_lab.inference import registry, tuned


def row(configuration, seconds, **result):
    starts = [[seconds * (1 + 0.001 * number)] * 30 for number in range(5)]
    filled = {
        "first": 2 * seconds,
        "load": 0.2,
        "peak": 200_000_000,
        "pss": 150_000_000,
        "import_peak": 60_000_000,
        "import_pss": 40_000_000,
    }
    return Row(
        configuration,
        [{"samples": samples, **filled, **result} for samples in starts],
        [],
        [{"steal": 0.0, "others": 0.0}] * 5,
    )


def make(*rows):
    return record.new("full", EFFORTS["full"], {"name": "compact", "sha256": "0" * 64, "asked": "auto"}, list(rows))


def latency(threads, seconds, backend="eager", **more):
    return row(Configuration("latency", backend, threads, **more), seconds)


def test_a_record_survives_its_file(tmp_path):
    kept = make(latency(1, 0.05), latency(2, 0.03))
    kept.save(tmp_path / "r.json")
    again = record.read(tmp_path / "r.json")
    assert [each.configuration for each in again.rows] == [each.configuration for each in kept.rows]
    assert again.rows[0].starts == [pytest.approx(start, abs=1e-7) for start in kept.rows[0].starts]
    again.save(tmp_path / "s.json")
    assert (tmp_path / "s.json").read_bytes() == (tmp_path / "r.json").read_bytes()
    assert tables.latency(again).equals(tables.latency(kept))


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"format": 99}'])
def test_a_file_that_is_no_record_is_refused(content, tmp_path):
    (tmp_path / "r.json").write_text(content, encoding="utf-8")
    with pytest.raises(ParameterError, match="no record"):
        record.read(tmp_path / "r.json")


def test_the_latency_table_states_interval_quantiles_and_notes():
    table = tables.latency(make(latency(1, 0.05), latency(64, 0.06), latency(1, 0.05, twin=True)))
    assert table["engine"].tolist() == ["eager", "eager", "eager (A/A)"]
    assert table["ms"][0].startswith("50.1")
    assert table["p50"][0] == "50.1"
    assert "oversubscribed" in table["note"][1]


def test_noise_and_failures_stand_in_the_notes():
    noisy = latency(1, 0.05)
    noisy.noise[0] = {"steal": 0.02, "others": 0.2}
    noisy.results[0]["samples"] = [0.02, 0.2] * 400
    failed = Row(Configuration("latency", "torchscript"), failures=["exit 1: ModuleNotFoundError"])
    notes = tables.latency(make(noisy, failed))["note"].tolist()
    assert notes == ["wide spread, steal, load from others", "exit 1: ModuleNotFoundError"]


def test_megabytes_are_millions_and_missing_counters_are_said():
    table = tables.memory(
        make(row(Configuration("memory", "eager"), 0.05), row(Configuration("memory", "b"), 0.05, peak=None))
    )
    assert table["peak MB"].tolist() == ["200", "not available"]


def test_off_linux_the_counters_are_not_available(monkeypatch, tmp_path):
    monkeypatch.setattr(proc, "PROC", tmp_path)
    assert (proc.peak_rss(), proc.pss(), proc.machine_time()) == (None, None, None)


def test_throughput_counts_all_sessions():
    table = tables.throughput(make(row(Configuration("throughput", "eager", 1, 4, workers=2), 0.1)))
    assert float(table["img/s"][0]) == pytest.approx(80, rel=0.01)
    assert table["sessions × threads"][0] == "2 × 1"


def test_markdown_and_csv_hold_every_row(tmp_path):
    table = tables.latency(make(latency(1, 0.05), latency(2, 0.03)))
    assert len(tables.markdown(table).splitlines()) == 4
    table.to_csv(tmp_path / "t.csv", index=False)
    assert len((tmp_path / "t.csv").read_text(encoding="utf-8").splitlines()) == 3


def test_changes_beyond_the_noise_are_told_from_the_rest():
    old = make(latency(1, 0.050), latency(2, 0.030), latency(4, 0.040))
    new = make(latency(1, 0.0501), latency(2, 0.045), latency(4, 0.020))
    verdicts = {change.key.split()[2]: change.verdict for change in compare.compare(old, new)}
    assert verdicts == {"t1": "within the noise", "t2": "slower", "t4": "faster"}
    assert [change.key.split()[2] for change in compare.regressions(compare.compare(old, new), 10)] == ["t2"]
    assert compare.regressions(compare.compare(old, new), 60) == []


def test_the_best_setting_is_the_fewest_threads_that_are_as_fast(monkeypatch):
    monkeypatch.setattr("resnet18_lab.base.machine.usable_cores", lambda: 4)
    assert tuning.best_threads(make(latency(1, 0.05), latency(2, 0.03), latency(4, 0.03))) == {"eager": 2}
    assert tuning.best_threads(make(latency(1, 0.03), latency(2, 0.03))) == {"eager": 1}


def test_oversubscribed_rows_are_never_chosen(monkeypatch):
    monkeypatch.setattr("resnet18_lab.base.machine.usable_cores", lambda: 2)
    assert tuning.best_threads(make(latency(2, 0.03), latency(8, 0.01))) == {"eager": 2}


def test_tuned_threads_are_used_on_the_same_machine_only(tmp_path, monkeypatch):
    tuned.write({"eager": 7}, tmp_path)
    tuned.write({"onnxruntime-fp32": 3}, tmp_path)
    assert (tuned.threads_for("eager", tmp_path), tuned.threads_for("onnxruntime-fp32", tmp_path)) == (7, 3)
    assert tuned.threads_for("unknown", tmp_path) is None
    monkeypatch.setattr(tuned, "cpu_model", lambda: "another CPU")
    assert tuned.threads_for("eager", tmp_path) is None
    monkeypatch.undo()
    monkeypatch.setattr(tuned, "usable_cores", lambda: 999)
    assert tuned.threads_for("eager", tmp_path) is None


@pytest.mark.parametrize("content", ["", "[]", '{"threads": {"eager": -1}}', '{"threads": 3, "machine": 4}'])
def test_a_damaged_tuned_file_is_ignored(content, tmp_path):
    (tmp_path / tuned.FILENAME).write_text(content, encoding="utf-8")
    assert tuned.threads_for("eager", tmp_path) is None


def test_engines_take_the_tuned_threads_unless_told(untrained_home, monkeypatch):
    from resnet18_lab.inference import artifacts

    monkeypatch.setenv("RESNET18_LAB_HOME", str(untrained_home))
    folder = artifacts.find_folder("untrained")
    other = 1 if usable_cores() > 1 else 2
    path = tuned.write({"onnxruntime-fp32": other}, folder)
    try:
        with registry.open_engine(weights="untrained") as engine:
            assert engine.threads == other
        with registry.open_engine(weights="untrained", threads=usable_cores()) as engine:
            assert engine.threads == usable_cores()
    finally:
        path.unlink()


def test_targets_are_ratios_of_one_record():
    script, ours = (
        row(Configuration("cold-start", "o", variant=name), seconds)
        for name, seconds in (("bare script", 0.4), ("classify", 0.5))
    )
    sizes = [
        row(Configuration("sizes", "o", variant=f"400×300 {how}"), seconds)
        for how, seconds in (("ours", 0.002), ("torchvision", 0.003))
    ]
    found = {
        target.what.split(",")[1].split(" / ")[0].strip(): target
        for target in targets.targets(make(script, ours, *sizes))
    }
    assert found["start to exit"].value == pytest.approx(1.25)
    assert found["start to exit"].met
    assert found["ours"].value == pytest.approx(2 / 3)
    assert not found["ours"].met


def test_the_folder_is_set_against_the_tutorials_loop_and_the_bound():
    def folder(variant, backend, rate, workers=1, **more):
        facts = {"rate": rate, "answers": [1, 2, 3, 4], **more}
        return row(Configuration("end-to-end", backend, workers=workers, variant=variant), 1 / rate, **facts)

    loop = folder("tutorial loop", "eager", 30.0)
    ours = folder("ours", "onnxruntime-int8", 120.0, 2, stages={"decode": 0.004, "run": 0.012}, answers=[1, 2, 3, 9])
    kept = make(loop, ours)
    table = tables.TABLES["end-to-end"](kept)
    assert list(table["× first row"]) == ["1", "4.0"]
    assert list(table["bound img/s"]) == ["", "125"]
    assert list(table["of bound"]) == ["", "96%"]
    assert list(table["same"]) == ["100.0%", "75.0%"]
    found = [(pytest.approx(target.value), target.met) for target in targets.targets(kept)]
    assert found == [(4.0, False), (0.96, True)]


def test_int8_is_set_against_the_engines_and_files_beside_it():
    rows = [
        row(Configuration("latency", name, threads, file=file), seconds)
        for name, threads, file, seconds in (
            ("onnxruntime-int8", 1, "", 0.010),
            ("onnxruntime-int8", 2, "", 0.006),
            ("eager", 1, "", 0.050),
            ("onnxruntime-fp32", 1, "", 0.029),
            ("onnxruntime", 1, "/somewhere/plain.onnx", 0.0101),
        )
    ]
    found = {target.what: target for target in targets.targets(make(*rows))}
    assert [(round(t.value, 2), t.met) for t in found.values()] == [(5.0, True), (2.9, False), (0.99, True)]
    assert "NOT met" in str(found["one thread, INT8 faster than onnxruntime-fp32"])
    assert "one thread, INT8 / plain.onnx" in found


def test_a_record_without_the_suites_has_no_targets_and_no_figures():
    empty = make()
    assert targets.targets(empty) == []
    assert [draw(empty) for draw in FIGURES.values()] == [None] * 6


def test_figures_are_drawn_from_a_record(tmp_path):
    parts = {"read": [0.001], "run": [0.04]}
    kept = make(
        latency(1, 0.05), latency(2, 0.03), latency(64, 0.04), row(Configuration("memory", "eager"), 0.05),
        row(Configuration("throughput", "eager", 1), 0.05), row(Configuration("throughput", "eager", 1, workers=2), 0.05),
        row(Configuration("stages", "eager"), 0.041, parts=parts), row(Configuration("peak", "peak", 1), 0.1, gflops=100.0, gbytes_per_second=20.0),
        row(Configuration("end-to-end", "eager", variant="ours"), 0.03, rate=30.0, stages={"run": 0.03}),
    )  # fmt: skip
    for draw in FIGURES.values():
        draw(kept).savefig(tmp_path / f"{draw.__name__}.png")


def texts(figure):
    axes = figure.axes + figure.legends
    legends = [one if hasattr(one, "get_texts") else one.get_legend() for one in axes]
    return [text.get_text() for legend in legends if legend for text in legend.get_texts()]


def test_the_roofline_has_a_roof_for_each_measured_peak_and_none_for_bf16():
    engines = [row(Configuration("latency", name), 0.02) for name in ("eager", "openvino-bf16", "onnxruntime-int8")]
    old = row(Configuration("peak", "peak"), 0.1, gflops=100.0, gbytes_per_second=20.0)
    new = row(Configuration("peak", "peak"), 0.1, gflops=100.0, gbytes_per_second=20.0, int8_gops=400.0)
    assert not [text for text in texts(roofline.roofline(make(*engines, old))) if "INT8" in text]
    said = texts(roofline.roofline(make(*engines, new)))
    assert [text for text in said if "400 GOP/s in INT8" in text]
    assert "openvino-bf16 (no roof measured)" in said
    assert "onnxruntime-int8" in said
    assert [round(roofline.intensity(kind)) for kind in ("fp32", "bf16", "int8")] == [78, 155, 310]


def test_only_ways_with_points_stand_in_the_legend_of_throughput():
    one, two = Configuration("throughput", "eager"), Configuration("throughput", "eager", threads=2)
    many = Configuration("throughput", "eager", workers=2)
    with_both = figures.throughput(make(row(one, 0.05), row(two, 0.03), row(many, 0.04)))
    assert "N sessions, one thread" in texts(with_both)
    assert "sessions that fight for the cores" not in texts(with_both)
    assert with_both.axes[0].get_title() == "eager", "one batch alone is not the best of any"
    batches = figures.throughput(make(row(one, 0.05), row(Configuration("throughput", "eager", batch=8), 0.3)))
    assert batches.axes[0].get_title() == "eager, best batch"


def test_unknown_suites_and_engines_are_refused_with_the_nearest():
    from resnet18_lab.benchmark.suites import checked_backends

    with pytest.raises(ParameterError, match="Did you mean latency"):
        plan(["latencie"], ["eager"], [1], [1])
    with pytest.raises(EngineError, match="Did you mean eager"):
        checked_backends(["eagr"])


def test_a_plan_repeats_one_configuration_as_its_own_control():
    rows = plan(["latency"], ["eager"], [1, 2], [1])
    assert [configuration.twin for configuration in rows] == [False, False, True]
    assert len({configuration.key() for configuration in rows}) == 3


def test_samples_of_a_record_are_plain_json(tmp_path):
    make(latency(1, 0.05)).save(tmp_path / "r.json")
    content = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    assert len(content["rows"][0]["results"][0]["samples"]) == 30
    assert {"cpu", "cpu_flags", "affinity", "cgroup_quota", "memory_bytes", "git_commit", "packages"} <= set(
        content["environment"]
    )


def test_without_names_a_profile_measures_what_is_built_and_keeps_its_time(untrained_home, monkeypatch):
    from resnet18_lab.benchmark.suites import share_of, usable_backends

    monkeypatch.setenv("RESNET18_LAB_HOME", str(untrained_home))
    engines = usable_backends("untrained")
    without_extras = [name for name in engines if not name.startswith("openvino")]
    assert without_extras == ["onnxruntime-fp32", "eager"], "fastest first, and nothing that is not built"
    assert engines[-1] == "eager"
    every = ["a", "b", "c"]
    assert share_of(every, "latency", "full") == every
    assert share_of(every, "latency", "fast") == share_of(every, "throughput", "full") == ["a", "c"]
    assert share_of(every, "throughput", "fast") == ["a"]
