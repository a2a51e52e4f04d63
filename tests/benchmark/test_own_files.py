"""ONNX files of the user's own beside the engines: what cannot be run is said, and nothing is advised to be done to it."""

import shutil

import onnx
import pytest
from onnx import TensorProto, helper
from support.project import run_cli

from resnet18_lab.base.errors import ArtifactError
from resnet18_lab.inference.onnxruntime import open_file


def model(path, *, opset=17, ir=10, domain="", operator="Identity", shape=(1, 3, 224, 224), out=(1, 1000)):
    """A model with one node."""
    nodes = [helper.make_node(operator, ["x"], ["y"], domain=domain)]
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, out)],
    )  # fmt: skip
    opsets = [helper.make_opsetid("", opset), *([helper.make_opsetid(domain, 1)] if domain else [])]
    path.write_bytes(helper.make_model(graph, opset_imports=opsets, ir_version=ir).SerializeToString())


def with_external_data(path, source):
    """The network with its weights in a file beside it, which is gone."""
    onnx.save_model(onnx.load(source), path, save_as_external_data=True, location="weights.data", size_threshold=0)
    (path.parent / "weights.data").unlink()


@pytest.fixture
def float_file(untrained_home):
    (found,) = untrained_home.glob("artifacts/*/resnet18-fp32.onnx")
    return found


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (lambda path, _: model(path, opset=99), "operator set 99"), (lambda path, _: model(path, ir=99), "format 99"),
        (lambda path, _: model(path, domain="my.own", operator="Magic"), "custom operator"),
        (lambda path, _: model(path, out=(1, 3, 224, 224)), "another network"),
        (with_external_data, "external data"), (lambda path, _: path.write_bytes(b"words"), "no ONNX file"),
        (lambda path, _: path.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n"), "git lfs pull"),
        (lambda path, source: path.write_bytes(source.read_bytes()[:100_000]), "damaged"),
    ],
    ids=["opset", "format", "custom operator", "another network", "external data", "words", "LFS pointer", "cut off"],
)  # fmt: skip
def test_what_cannot_be_run_is_said(tmp_path, float_file, write, words):
    path = tmp_path / "mine.onnx"
    write(path, float_file)
    with pytest.raises(ArtifactError, match=words) as refused:
        open_file(path, 1)
    message = str(refused.value)
    assert str(path) in message
    assert "\n" not in message
    for advice in ("--force", "rebuild", "delete"):
        assert advice not in message


@pytest.mark.slow
def test_a_row_that_could_not_run_is_said_and_ends_with_1(tmp_path, untrained_home):
    pytest.importorskip("pandas")
    good, bad = tmp_path / "good.onnx", tmp_path / "bad.onnx"
    (found,) = untrained_home.glob("artifacts/*/resnet18-fp32.onnx")
    shutil.copy(found, good)
    bad.write_bytes(b"words")
    done = run_cli(
        "bench", "--weights", "untrained", "--suite", "latency", "--backend", "onnxruntime-fp32", "--threads", "1",
        "--file", good, "--file", bad, "--output", tmp_path / "record.json", "--no-tune", home=untrained_home,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert "could not run: latency" in done.stderr
    assert "no ONNX file" in done.stderr
    assert "Traceback" not in done.stderr
