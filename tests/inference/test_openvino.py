"""OpenVINO on the project's files: the same answers, the precision it is labelled with, the threads asked for."""

import subprocess
import sys

import numpy as np
import pytest

from resnet18_lab.base.errors import ArtifactError, EngineError
from resnet18_lab.base.machine import usable_cores
from resnet18_lab.base.networks import RESNET18
from resnet18_lab.benchmark.configuration import Effort
from resnet18_lab.benchmark.measure import runner
from resnet18_lab.benchmark.results import tables
from resnet18_lab.inference import metrics, registry
from resnet18_lab.inference.registry import open_engine
from resnet18_lab.preprocessing.reference import reference_batch

ov = pytest.importorskip("openvino", reason="needs the extra openvino: pip install 'resnet18-lab[openvino]'")


@pytest.fixture
def home(untrained_home, monkeypatch):
    monkeypatch.setenv("RESNET18_LAB_HOME", str(untrained_home))
    return untrained_home


def has_bf16():
    return "BF16" in ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


@pytest.mark.parametrize("size", [1, 2, 7])
@pytest.mark.parametrize("name", ["openvino-fp32", "openvino-bf16"])
def test_it_answers_as_onnx_runtime_does(home, name, size):
    if name.endswith("bf16") and not has_bf16():
        pytest.skip("this CPU has no BF16 instructions")
    batch = np.ascontiguousarray(reference_batch()[0][:size])
    with (
        open_engine("onnxruntime-fp32", weights="untrained") as reference,
        open_engine(name, weights="untrained", threads=1) as engine,
    ):
        expected, got = reference.run(batch), engine.run(batch)
    assert got.shape == (size, 1000)
    assert got.dtype == np.float32
    off = np.abs(got - expected).max() / np.abs(expected).max()
    if name.endswith("fp32"):
        assert off < 1e-4
    else:
        assert 1e-5 < off < 0.05, "rounded to 8 bits of mantissa, and not secretly computed in float32"
        assert metrics.cosines(expected, got).min() > 0.99


def test_the_answer_stays_when_the_engine_runs_again(home):
    first, second = (np.ascontiguousarray(reference_batch()[0][i : i + 1]) for i in (0, 1))
    with open_engine("openvino-fp32", weights="untrained", threads=1) as engine:
        kept = engine.run(first)
        copied = kept.copy()
        engine.run(second)
    assert np.array_equal(kept, copied)


@pytest.mark.slow
def test_threads_reach_it(home):
    kept = runner.run(
        ["latency"], backends=["openvino-fp32"], threads=[1, 2], weights="untrained",
        effort=Effort(1, 3, 0.2, 1.0, 10, 100, 3.0),
    )  # fmt: skip
    for row in kept.of("latency"):
        (result,) = row.results
        assert result["threads_read_back"] == row.configuration.threads
        assert result["cpu_per_wall"] <= row.configuration.threads + 0.2


@pytest.mark.slow
def test_more_threads_than_cores_are_fewer_and_said(home):
    cores = usable_cores()
    kept = runner.run(
        ["latency"], backends=["openvino-fp32"], threads=[cores, cores + 2], weights="untrained",
        effort=Effort(1, 1, 0.0, 0.0, 2, 3, 0.2),
    )  # fmt: skip
    asked, over, _ = kept.of("latency")
    assert asked.as_asked
    assert over.ran_threads == cores
    assert f"engine ran {cores} thread" in tables.warnings_of(over)
    assert not over.oversubscribed
    assert over not in kept.plain("latency"), "no figure, lesson or tuning takes it for what it was asked"


def test_it_is_never_what_auto_means(home):
    assert registry.choose(weights="untrained").spec.name.startswith("onnxruntime-")
    assert "openvino" not in " ".join(registry.formats_for("auto", RESNET18))


def test_no_torch_in_the_process(home):
    code = (
        "import sys, numpy as np\nfrom resnet18_lab.inference.registry import open_engine\n"
        "with open_engine('openvino-fp32', weights='untrained', threads=1) as engine:\n"
        "    engine.run(np.zeros((1, 3, 224, 224), np.float32))\n    print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]


def test_a_missing_extra_is_one_line_that_says_how_to_get_it(home, monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(EngineError, match=r"resnet18-lab\[openvino\]"):
        open_engine("openvino-int8", weights="untrained")


def test_without_the_int8_file_it_names_the_command(tmp_path, monkeypatch):
    monkeypatch.setenv("RESNET18_LAB_HOME", str(tmp_path))
    with pytest.raises(ArtifactError, match="resnet18-lab build"):
        open_engine("openvino-int8", weights="untrained")


@pytest.mark.parametrize(("name", "computed"), [("openvino-fp32", "f32"), ("openvino-bf16", "bf16")])
def test_its_convolutions_really_compute_in_the_precision_it_is_named_for(home, name, computed):
    if name.endswith("bf16") and not has_bf16():
        pytest.skip("this CPU has no BF16 instructions")
    with open_engine(name, weights="untrained", threads=1) as engine:
        facts = [node.get_rt_info() for node in engine._compiled.get_runtime_model().get_ops()]
    kinds = [fact["runtimePrecision"].value for fact in facts if fact["layerType"].value == "Convolution"]
    assert kinds == [computed] * 20


def test_bf16_is_refused_with_a_clear_line_where_the_cpu_cannot(home, monkeypatch):
    from resnet18_lab.inference import openvino

    monkeypatch.setattr(openvino, "cpu_computes", lambda _kind: False)
    with pytest.raises(EngineError, match="openvino-bf16 needs a CPU with BF16 instructions"):
        open_engine("openvino-bf16", weights="untrained")
