import numpy as np
import pytest

from resnet18_lab.base import machine
from resnet18_lab.base.errors import EngineError, ParameterError
from resnet18_lab.inference import registry
from resnet18_lab.inference.registry import open_engine
from resnet18_lab.preprocessing.reference import reference_batch


@pytest.fixture(autouse=True)
def _home(untrained_home, monkeypatch):
    monkeypatch.setenv("RESNET18_LAB_HOME", str(untrained_home))


@pytest.mark.parametrize("name", ["onnxruntime-fp32", "eager"])
@pytest.mark.parametrize("threads", [1, 2])
def test_threads_are_read_back_from_the_engine(name, threads):
    with open_engine(name, weights="untrained", threads=threads) as engine:
        assert engine.threads == engine.engine.threads == threads


@pytest.mark.parametrize("name", ["onnxruntime-fp32", "eager"])
@pytest.mark.parametrize("size", [1, 3])
def test_an_engine_answers_float32_logits_for_batches_of_any_size(name, size):
    pictures, _ = reference_batch()
    with open_engine(name, weights="untrained") as engine:
        logits = engine.run(pictures[:size])
    assert logits.shape == (size, 1000)
    assert logits.dtype == np.float32


def test_two_engines_of_one_process_keep_their_own_threads():
    import torch

    batch = reference_batch()[0][:1]
    one = open_engine("eager", weights="untrained", threads=1)
    two = open_engine("eager", weights="untrained", threads=2)
    with one, two:
        two.run(batch)
        one.run(batch)
        assert torch.get_num_threads() == 1
        two.run(batch)
        assert torch.get_num_threads() == 2


def test_the_default_is_the_fastest_whose_artifact_exists():
    with open_engine(weights="untrained") as engine:
        assert engine.name == "onnxruntime-fp32"
        assert engine.engine.artifact == "resnet18-fp32.onnx"
        assert len(engine.engine.sha256) == 64


def test_threads_default_to_the_usable_cores():
    with open_engine(weights="untrained") as engine:
        assert engine.threads == machine.usable_cores()


@pytest.mark.parametrize("threads", [0, -1, 257])
def test_an_impossible_number_of_threads_is_refused(threads):
    with pytest.raises(ParameterError, match="1 to 256"):
        open_engine("eager", weights="untrained", threads=threads)


def test_an_unknown_engine_is_refused_with_the_nearest_and_all_names():
    with pytest.raises(EngineError, match=r"Did you mean eager\? There are: auto, onnxruntime-int8, onnxruntime-fp32"):
        open_engine("eagr", weights="untrained")


def test_an_engine_that_is_not_installed_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(registry, "is_installed", lambda _spec: False)
    with pytest.raises(EngineError, match=r"pip install 'resnet18-lab\[torch\]'"):
        open_engine("eager", weights="untrained")
