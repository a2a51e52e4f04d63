"""INT8: the rounding, the graph, and what it costs in answers."""

import json
import shutil
import subprocess
import sys

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from support.built_homes import built_home, few_pictures
from support.project import run_cli, samples_dir, weights_or_skip

from resnet18_lab.base import machine as machine_facts
from resnet18_lab.base.errors import BuildError, ParameterError
from resnet18_lab.base.samples import load_samples
from resnet18_lab.course.preprocessing import uint8_input  # fmt: skip
from resnet18_lab.export import int8, onnx_graph
from resnet18_lab.export.build import build
from resnet18_lab.inference import artifacts, evaluate, metrics
from resnet18_lab.inference.registry import choose, open_engine
from resnet18_lab.model.network import load_model
from resnet18_lab.preprocessing import transform
from resnet18_lab.preprocessing.decode import decode
from resnet18_lab.quantization import calibration, rounding
from resnet18_lab.quantization.qdq import quantized
from resnet18_lab.quantization.ranges import closest_range, minmax_range, range_between
from resnet18_lab.quantization.reconstruction import Method

pytestmark = pytest.mark.slow

INT8 = artifacts.KINDS["onnx-int8-static"]
SIZE_LIMIT = 12_000_000


@pytest.fixture(scope="module")
def two_pictures(tmp_path_factory):
    return few_pictures(tmp_path_factory)


@pytest.fixture(scope="module")
def small_home(tmp_path_factory):
    """A home with an INT8 file of the untrained network, calibrated on two pictures."""
    return built_home(tmp_path_factory, "untrained", "onnx-int8-static", few=True)


@pytest.fixture(scope="module")
def small_file(small_home):
    return next(small_home.rglob(INT8.filename()))


@pytest.fixture
def layer():
    random = torch.Generator().manual_seed(0)
    inputs = torch.randn(500, 24, generator=random) @ torch.randn(24, 24, generator=random)
    return torch.randn(16, 24, generator=random), inputs.T @ inputs / len(inputs)


def test_a_range_holds_zero_exactly_and_all_zeros_give_a_scale():
    for low, high in ((-1.3, 2.7), (0.4, 3.0), (-2.0, -0.1), (0.0, 0.0)):
        chosen = range_between(low, high)
        assert chosen.scale > 0
        assert float(chosen.rounded(torch.zeros(1))) == 0.0


def test_clipping_an_outlier_is_better_than_wasting_codes_on_it():
    values = torch.cat([torch.randn(20_000, generator=torch.Generator().manual_seed(0)), torch.tensor([40.0])])
    everything, closest = minmax_range(values), closest_range(values)
    assert closest.scale < everything.scale
    error = [float((chosen.rounded(values) - values).square().mean()) for chosen in (everything, closest)]
    assert error[1] < error[0]


def test_a_channel_of_zeros_gets_a_finite_scale():
    matrix = torch.tensor([[0.0, 0.0], [1.0, -0.5], [0.2, 0.1]])
    scales = rounding.channel_scales(matrix, torch.tensor([0.3, 0.0, 0.0]), 0.1, 127)
    assert bool(torch.isfinite(scales).all())
    assert bool((scales > 0).all())
    silent = rounding.channel_scales(torch.zeros(2, 3), torch.zeros(2), 0.1, 127)
    assert bool((silent > 0).all())


def test_gptq_lowers_the_error_of_the_output_against_rounding_each_weight(layer):
    matrix, gram = layer
    scales = rounding.channel_scales(matrix, torch.zeros(16), 1.0, 7)
    errors = []
    for rounder in (rounding.nearest, rounding.gptq):
        codes = rounder(matrix, gram, scales, 7)
        assert codes.abs().max() <= 8
        assert torch.equal(codes, codes.round())
        difference = codes * scales[:, None] - matrix
        errors.append(float((difference @ gram @ difference.T).trace()))
    assert errors[1] < 0.7 * errors[0]


def test_gptq_is_nearest_when_inputs_are_independent(layer):
    matrix, _ = layer
    scales = rounding.channel_scales(matrix, torch.zeros(16), 1.0, 127)
    same = rounding.gptq(matrix, torch.eye(24), scales, 127)
    assert torch.equal(same, rounding.nearest(matrix, torch.eye(24), scales, 127))


def test_the_body_is_integer_in_the_optimised_graph(small_file):
    counts = onnx_graph.optimised_operators(small_file)
    assert {name: counts.get(name, 0) for name in ("QLinearConv", "QLinearAdd", "Conv", "Add", "Gemm")} == {
        "QLinearConv": 20, "QLinearAdd": 8, "Conv": 0, "Add": 0, "Gemm": 0,
    }  # fmt: skip


def test_weights_are_int8_per_channel_activations_uint8_and_the_logits_float(small_file):
    proto = onnx.load(small_file)
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in proto.graph.initializer}
    convolutions = [node for node in proto.graph.node if node.op_type == "Conv"]
    assert len(convolutions) == 20
    for node in convolutions:
        name = node.input[1].removesuffix("_dequantized")
        assert stored[f"{name}_quantized"].dtype == np.int8
        assert stored[f"{name}_scale"].shape == (len(stored[f"{name}_quantized"]),)
    activations = [node for node in proto.graph.node if node.op_type == "QuantizeLinear"]
    assert {stored[node.input[2]].dtype for node in activations} == {np.dtype(np.uint8)}
    assert proto.graph.node[-1].op_type == "Gemm"
    assert proto.graph.node[-1].output[0] == "logits"


def test_the_file_is_small_and_the_manifest_tells_how_it_was_made(small_home, small_file, two_pictures):
    assert small_file.stat().st_size <= SIZE_LIMIT
    entry = json.loads((small_file.parent / "manifest.json").read_text())["files"][INT8.filename()]
    assert entry["calibration"]["list_sha256"] == calibration.from_folder(two_pictures).list_sha256
    assert entry["calibration"]["crops"] == 2
    assert entry["operators"]["QLinearConv"] == 20
    assert entry["method"]["rounding"] == "gptq"
    assert isinstance(entry["reduce_range"], bool)


@pytest.mark.slow
def test_the_same_pictures_give_the_same_file(small_file, two_pictures, tmp_path):
    again = tmp_path / "again.onnx"
    int8.build_int8(load_model("untrained"), again, pictures=calibration.from_folder(two_pictures))
    assert again.read_bytes() == small_file.read_bytes()


@pytest.mark.parametrize(
    ("machine", "flags", "reduced"),
    [
        ("x86_64", {"avx512_vnni": True, "avx_vnni": False}, False),
        ("x86_64", {"avx512_vnni": False, "avx_vnni": True}, False),
        ("x86_64", {"avx512_vnni": False, "avx_vnni": False}, True),
        ("x86_64", None, True),
        ("aarch64", None, False),
    ],
)
def test_reduce_range_follows_the_cpu(monkeypatch, machine, flags, reduced):
    monkeypatch.setattr(machine_facts, "cpu_flags", lambda: flags)
    monkeypatch.setattr("platform.machine", lambda: machine)
    assert machine_facts.needs_reduced_range() is reduced


@pytest.mark.slow
def test_reduced_weights_stay_within_seven_bits(two_pictures, tmp_path):
    details = int8.build_int8(
        load_model("untrained"), tmp_path / "r.onnx", pictures=calibration.from_folder(two_pictures), reduce_range=True
    )
    assert details["reduce_range"] is True
    tensors = [numpy_helper.to_array(tensor) for tensor in onnx.load(tmp_path / "r.onnx").graph.initializer]
    weights = [tensor for tensor in tensors if tensor.dtype == np.int8 and tensor.ndim > 1]
    assert len(weights) == 21
    assert max(int(np.abs(tensor.astype(int)).max()) for tensor in weights) <= 64


def test_a_foreign_graph_is_refused():
    x = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 3, 8, 8])
    y = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1, 3, 8, 8])
    proto = onnx.helper.make_model(onnx.helper.make_graph([onnx.helper.make_node("Elu", ["x"], ["y"])], "g", [x], [y]))
    with pytest.raises(BuildError, match="Elu"):
        quantized(proto, np.zeros((1, 3, 8, 8), np.float32), Method())


@pytest.mark.slow
def test_a_file_that_answers_otherwise_is_not_kept(two_pictures, tmp_path, monkeypatch):
    monkeypatch.setattr(int8, "LOWEST_COSINE", 1.1)
    with pytest.raises(BuildError, match="calibrate on photographs"):
        int8.build_int8(load_model("untrained"), tmp_path / "x.onnx", pictures=calibration.from_folder(two_pictures))


def test_pixels_through_a_table_of_codes_give_bit_identical_logits(small_home, small_file, monkeypatch):
    monkeypatch.setenv("RESNET18_LAB_HOME", str(small_home))
    network = uint8_input.Uint8Network(small_file)
    crops = np.stack([transform.crop(decode(sample.path)) for sample in load_samples()])
    with open_engine("onnxruntime-int8", weights="untrained", threads=1) as engine:
        expected = engine.run(transform.normalise(crops))
    np.testing.assert_array_equal(network.run(network.codes(crops)), expected)


def test_int8_is_the_default_once_built_and_runs_without_torch(small_home, monkeypatch):
    monkeypatch.setenv("RESNET18_LAB_HOME", str(small_home))
    assert choose(weights="untrained").spec.name == "onnxruntime-int8"
    code = (
        "import sys, numpy as np\nfrom resnet18_lab.inference.registry import open_engine\n"
        "with open_engine('auto', weights='untrained', threads=1) as engine:\n"
        "    logits = engine.run(np.zeros((3, 3, 224, 224), np.float32))\n"
        "    print(engine.engine.precision, logits.shape, logits.dtype, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[0] == "int8 (3, 1000) float32 False"


@pytest.mark.slow
def test_other_calibration_pictures_make_the_file_anew_and_the_same_keep_it(
    small_home, two_pictures, tmp_path, monkeypatch
):
    home = tmp_path / "home"
    shutil.copytree(small_home, home)
    monkeypatch.setenv("RESNET18_LAB_HOME", str(home))
    kept = build("untrained", only=["onnx-int8-static"], calibrate=two_pictures)
    assert kept[0].seconds == 0.0
    one = tmp_path / "one"
    one.mkdir()
    shutil.copy(samples_dir() / "coins.jpg", one)
    anew = build("untrained", only=["onnx-int8-static"], calibrate=one)
    assert anew[0].seconds > 0.0
    assert anew[0].details["calibration"]["crops"] == 1


def test_calibration_is_sorted_counted_and_its_list_hashed(two_pictures, tmp_path):
    found = calibration.from_folder(two_pictures)
    assert [source.name for source in found.sources] == ["cat.jpg", "china.jpg"]
    assert found.crops.shape == (2, 224, 224, 3)
    assert len(calibration.from_folder(samples_dir(), limit=4).sources) <= 4
    broken = tmp_path / "broken"
    shutil.copytree(two_pictures, broken)
    (broken / "a.jpg").write_bytes(b"no picture")
    with_bad = calibration.from_folder(broken)
    assert with_bad.unreadable == ("a.jpg",)
    assert with_bad.list_sha256 == found.list_sha256


def test_a_folder_without_pictures_is_one_clear_line(tmp_path, untrained_home):
    with pytest.raises(ParameterError, match="picture"):
        calibration.from_folder(tmp_path)
    done = run_cli(
        "build", "--weights", "untrained", "--calibrate", tmp_path / "nowhere", "--only", "onnx-int8-static",
        home=untrained_home,
    )  # fmt: skip
    assert done.returncode == 2
    assert "is no folder" in done.stderr


def test_default_calibration_and_the_labelled_photographs_share_no_picture(labelled_images):
    seen = {source.sha256 for source in calibration.default_crops().sources}
    from resnet18_lab.base import hashing

    assert not [path for path, _ in evaluate.labelled_pictures(labelled_images) if hashing.sha256(path) in seen]


def test_evaluating_on_calibration_pictures_is_said(small_home, two_pictures, tmp_path):
    folder = tmp_path / "photos" / "n02123045"
    folder.mkdir(parents=True)
    shutil.copy(two_pictures / "cat.jpg", folder / "another-name.jpg")
    done = run_cli(
        "evaluate", folder.parent, "--weights", "untrained", "--backend", "onnxruntime-int8", home=small_home
    )
    assert done.returncode == 0, done.stderr
    assert "1 of the pictures were used to calibrate INT8" in done.stderr


def test_silent_channels_of_the_first_convolution_stay_finite():
    proto = int8.float_graph(load_model(weights_or_skip("compact")))
    weight = next(t for t in proto.graph.initializer if list(t.dims) == [64, 3, 7, 7])
    matrix = torch.tensor(numpy_helper.to_array(weight)).flatten(1)
    assert int((matrix.abs().amax(dim=1) == 0).sum()) == 3
    scales = rounding.channel_scales(matrix, torch.zeros(64), 0.02, 127)
    assert bool(torch.isfinite(scales).all() and (scales > 0).all())


@pytest.mark.slow
def test_int8_gives_the_answers_of_float(labelled_images, tmp_path_factory, monkeypatch):
    file = weights_or_skip("compact")
    home = built_home(tmp_path_factory, file, "onnx-fp32", "onnx-int8-static")
    monkeypatch.setenv("RESNET18_LAB_HOME", str(home))
    pictures = evaluate.labelled_pictures(labelled_images)
    names = ("onnxruntime-fp32", "onnxruntime-int8")
    answers = []
    for name in names:
        with open_engine(name, weights=file.name) as engine:
            logits, positions = evaluate.logits_of(engine, pictures)
        answers.append(logits)
    paired = metrics.paired(*answers, evaluate.right_classes(pictures, positions))
    assert paired.agreement >= 240 / 250
    assert paired.cosine >= 0.998
    assert paired.p > 0.05


@pytest.mark.parametrize("size", [1, 2, 7])
def test_both_runtimes_answer_alike_on_the_int8_file(small_home, monkeypatch, size):
    pytest.importorskip("openvino", reason="needs the extra openvino")
    monkeypatch.setenv("RESNET18_LAB_HOME", str(small_home))
    from resnet18_lab.preprocessing.reference import reference_batch

    batch = np.ascontiguousarray(reference_batch()[0][:size])
    answers = []
    for name in ("onnxruntime-int8", "openvino-int8"):
        with open_engine(name, weights="untrained", threads=1) as engine:
            assert engine.precision == "int8"
            answers.append(engine.run(batch))
    assert metrics.cosines(*answers).min() > 0.99


def test_the_network_stays_the_same_when_equalized(two_pictures):
    from resnet18_lab.course.quantization import methods
    from resnet18_lab.course.quantization.equalization import equalized
    from resnet18_lab.preprocessing.transform import normalise

    proto = int8.float_graph(load_model("untrained"))
    crops = calibration.from_folder(two_pictures).crops
    before = methods.run_graph(proto, crops)
    changed = equalized(proto, normalise(crops), 1.0)
    after = methods.run_graph(changed, crops)
    assert changed.SerializeToString() != proto.SerializeToString()
    assert np.abs(after - before).max() < 1e-4 * np.abs(before).max()


def test_halves_never_share_a_picture():
    from resnet18_lab.course.quantization.methods import halves

    first, second = halves(251)
    assert not set(first) & set(second)
    assert sorted([*first, *second]) == list(range(251))
