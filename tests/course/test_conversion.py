"""What the conversion notebook tells: parity of what was measured, decisions from the record, pictures of a block."""

import onnx
import pytest

from resnet18_lab.base.errors import ParameterError
from resnet18_lab.benchmark import record as records
from resnet18_lab.benchmark.configuration import EFFORTS, WITH_ANSWERS, Configuration, Effort
from resnet18_lab.benchmark.record import Row
from resnet18_lab.benchmark.results.conclusions import noise_of
from resnet18_lab.course.conversion import figures, formats, needs
from resnet18_lab.export import onnx_graph
from resnet18_lab.inference import artifacts


@pytest.fixture
def home(untrained_home, monkeypatch):
    monkeypatch.setenv("RESNET18_LAB_HOME", str(untrained_home))
    return untrained_home


def row(name, seconds, **result):
    facts = {"load": 0.1, "first": 0.1, "peak": 100e6, "pss": 80e6, "import_peak": 50e6, "torch": False, **result}
    starts = [[seconds * (1 + 0.001 * number)] * 30 for number in range(3)]
    return Row(Configuration("memory", name, variant=WITH_ANSWERS), [{"samples": start, **facts} for start in starts])


def make(*rows):
    return records.new("fast", EFFORTS["fast"], {"name": "untrained", "sha256": "0", "asked": "untrained"}, list(rows))


def test_decisions_come_from_the_record_and_say_what_is_no_worse(home):
    made = make(
        row("onnxruntime-fp32", 0.0300, peak=200e6),
        row("openvino-fp32", 0.03001, peak=210e6),
        row("eager", 0.05, peak=400e6),
    )
    decided = needs.decisions(made)
    assert decided.loc["quickest answer, once loaded", "take"] == "onnxruntime-fp32"
    assert decided.loc["quickest answer, once loaded", "no worse"] == "openvino-fp32"
    assert decided.loc["least memory"].tolist() == ["onnxruntime-fp32", "200 MB", "none"]
    slower = make(row("onnxruntime-fp32", 0.09), row("eager", 0.05))
    assert needs.decisions(slower).loc["quickest answer, once loaded", "take"] == "eager"


def test_of_a_busy_machine_no_time_is_said_and_the_rest_stands(home):
    made = make(row("onnxruntime-fp32", 0.03), row("eager", 0.05, peak=400e6))
    assert "Quickest once loaded is onnxruntime-fp32 (30 ms)" in str(needs.choice(needs.decisions(made)))
    for one in made.rows:
        one.noise = [{"steal": 0.0, "others": 0.4}] * 3
    noise = noise_of(made)
    assert "40%" in noise
    assert list(needs.decisions(made, noise).index) == ["least memory", "smallest file"]
    assert "Too noisy to say here" in str(needs.choice(needs.decisions(made, noise), noise))


def test_numbers_are_numbers_with_their_intervals(home):
    found = formats.numbers(make(row("onnxruntime-fp32", 0.03)))["onnxruntime-fp32"]
    assert found["ms"]["value"] == pytest.approx(30, rel=0.01)
    assert found["ms"]["low"] <= found["ms"]["value"] <= found["ms"]["high"]
    assert found["peak_bytes"] == 100e6
    assert found["torch"] is False


def test_parity_is_the_distance_of_the_answers_and_these_leave_the_record():
    made = formats.compared(
        make(row("onnxruntime-fp32", 0.03, answers=[[1.0, -2.0]]), row("eager", 0.05, answers=[[1.0, -4.0]]))
    )
    first, eager = made.of("memory")
    assert first.results[0]["parity"] == pytest.approx(0.5)
    assert eager.results[0]["parity"] == 0.0
    assert not any("answers" in result for one in made.rows for result in one.results)


def test_an_engine_that_failed_is_a_row_with_the_reason(home):
    broken = Row(Configuration("memory", "torchscript", variant=WITH_ANSWERS), failures=["exit 1: boom"])
    table = formats.measured(make(row("onnxruntime-fp32", 0.03), broken))
    assert table.loc["torchscript", "note"] == "exit 1: boom"
    assert "torchscript" not in needs.decisions(make(row("onnxruntime-fp32", 0.03), broken))["take"].tolist()


def test_an_unknown_profile_is_refused():
    with pytest.raises(ParameterError, match="fast, full"):
        formats.measure("untrained", "quick")


@pytest.mark.slow
def test_engines_measured_in_their_own_processes_agree_with_eager_and_tell_whether_torch_is_there(home, monkeypatch):
    monkeypatch.setitem(EFFORTS, "fast", Effort(1, 1, 0.0, 0.05, 3, 5, 0.5))
    made = formats.measure("untrained", "fast")
    found = {one.configuration.backend: one.results[0] for one in made.of("memory") if one.results}  # bf16 not anywhere
    assert {"onnxruntime-fp32", "eager"} <= set(found)
    assert found["eager"]["torch"] is True
    assert found["onnxruntime-fp32"]["torch"] is False
    for name, result in found.items():
        assert result["parity"] <= (0.05 if name.endswith("bf16") else 1e-4), name
    if "openvino-bf16" in found:
        assert found["openvino-bf16"]["parity"] > 1e-5
    table = formats.measured(made)
    assert table.loc["onnxruntime-fp32", "torch"] == "none"


def test_the_block_drawn_is_the_first_residual_block_and_optimising_makes_it_shorter(home):
    path = artifacts.load("onnx-fp32", "untrained").path
    graphs = {"the file": onnx.load(path), "as it runs": onnx_graph.optimised(path)}
    file, runs = (figures.block_nodes(graph) for graph in graphs.values())
    assert [node.op_type for node in file] == ["Conv", "Relu", "Conv", "Add", "Relu"]
    assert len([node for node in runs if node.op_type == "Conv"]) == 2
    assert len(runs) < len(file)
    figure = figures.draw_blocks(graphs, "untrained")
    assert [axes.get_title() for axes in figure.axes] == ["the file\n5 nodes", f"as it runs\n{len(runs)} nodes"]
