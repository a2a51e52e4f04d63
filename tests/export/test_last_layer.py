"""Another last layer in the ONNX files: the logits are that layer's, in float and INT8, and the features come along."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from resnet18_lab.base.errors import BuildError
from resnet18_lab.export.last_layer import with_last_layer
from resnet18_lab.inference import artifacts
from resnet18_lab.preprocessing.reference import reference_batch

pytestmark = pytest.mark.slow


@pytest.fixture
def layer():
    random = np.random.default_rng(0)
    return random.normal(0, 0.1, (6, 512)).astype(np.float32), random.normal(0, 1, 6).astype(np.float32)


def run(proto):
    session = ort.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    batch = np.ascontiguousarray(reference_batch()[0][:5])
    return session.run(None, {session.get_inputs()[0].name: batch})


@pytest.mark.parametrize(("kind", "allowed"), [("onnx-fp32", 1e-5), ("onnx-int8-static", 0.05)])
def test_the_logits_are_the_layers_and_the_features_come_along(
    kind, allowed, layer, course_home, trained_or_untrained, monkeypatch
):
    monkeypatch.setenv("RESNET18_LAB_HOME", str(course_home))
    proto = onnx.load(artifacts.load(kind, trained_or_untrained.name).path)
    before = proto.SerializeToString()
    weight, bias = layer
    logits, features = run(with_last_layer(proto, weight, bias))
    assert proto.SerializeToString() == before
    assert (logits.shape, features.shape) == ((5, 6), (5, 512))
    expected = features @ weight.T + bias
    assert np.abs(logits - expected).max() <= allowed * np.abs(expected).max()


def test_a_graph_without_a_linear_layer_at_its_end_is_refused(layer, untrained_home, monkeypatch):
    monkeypatch.setenv("RESNET18_LAB_HOME", str(untrained_home))
    proto = onnx.load(artifacts.load("onnx-fp32", "untrained").path)
    del proto.graph.node[-1]
    proto.graph.output[0].name = proto.graph.node[-1].output[0]
    with pytest.raises(BuildError, match="does not end in a linear layer"):
        with_last_layer(proto, *layer)
