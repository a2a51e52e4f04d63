import pytest
import torch
from PIL import Image
from support.project import trained_or_skip, weights_or_skip

from resnet18_lab.base.errors import WeightsError, WeightsNotFoundError
from resnet18_lab.inference import evaluate, labels
from resnet18_lab.inference.registry import open_engine
from resnet18_lab.model.network import load_model
from resnet18_lab.model.torchvision import torchvision
from resnet18_lab.preprocessing import transform
from resnet18_lab.preprocessing.decode import decode

PARAMETERS = 11_689_512  # published for torchvision's ResNet-18
# Published with the photographs: top-1 and top-5 of 250, torchvision's transforms, float32, colour profiles ignored.
FIGURES = [("compact", 192, 231), ("compact-large", 180, 226)]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "top1", "top5"), FIGURES)
def test_compact_weights_give_the_published_counts_with_torchvisions_transforms(name, top1, top5, labelled_images):
    weights_or_skip(name)
    transforms = torchvision.models.ResNet18_Weights.IMAGENET1K_V1.transforms()
    pictures = evaluate.labelled_pictures(labelled_images)
    assert len(pictures) == 250
    module = load_model(name).module
    batch = torch.stack([transforms(Image.open(path).convert("RGB")) for path, _ in pictures])
    truth = torch.tensor([index for _, (index,) in pictures])
    with torch.inference_mode():
        logits = torch.cat([module(part) for part in batch.split(50)])
    assert int((logits.argmax(1) == truth).sum()) == top1
    assert int((logits.topk(5).indices == truth[:, None]).any(1).sum()) == top5


@pytest.mark.slow
@pytest.mark.parametrize(("name", "top1", "top5"), FIGURES)
def test_our_preprocessing_is_within_one_picture_of_those_counts(name, top1, top5, labelled_images):
    weights_or_skip(name)
    with open_engine("eager", weights=name) as engine:
        (counted,), unreadable = evaluate.on_pictures([engine], evaluate.labelled_pictures(labelled_images))
    assert unreadable == 0
    assert abs(counted.top1.hits - top1) <= 1
    assert abs(counted.top5.hits - top5) <= 1


def test_the_network_has_the_published_number_of_parameters_and_is_in_eval_mode():
    loaded = load_model("untrained")
    assert sum(parameter.numel() for parameter in loaded.module.parameters()) == PARAMETERS
    assert not any(module.training for module in loaded.module.modules())


def test_untrained_weights_are_the_same_every_time_and_leave_the_random_state_alone():
    state = torch.random.get_rng_state()
    first, second = (load_model("untrained").module.state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert torch.equal(state, torch.random.get_rng_state())


def test_trained_weights_know_an_espresso():
    trained_or_skip()
    from support.project import samples_dir

    loaded = load_model(trained_or_skip())
    batch = transform.preprocess(decode(samples_dir() / "coffee.jpg"))
    with torch.inference_mode():
        best = int(loaded.module(torch.from_numpy(batch)).argmax())
    assert labels.by_index(best).en == "espresso"


def test_a_state_dict_at_a_path_is_loaded_and_named_after_its_file(tmp_path):
    path = tmp_path / "my_net.pth"
    torch.save(load_model("untrained").module.state_dict(), path)
    loaded = load_model(str(path))
    assert loaded.weights.path == path
    assert loaded.weights.name == "my-net"


def test_weights_of_another_network_are_refused(tmp_path):
    path = tmp_path / "other.pth"
    torch.save({"layer.weight": torch.zeros(3)}, path)
    with pytest.raises(WeightsError, match="another network"):
        load_model(str(path))


class Malicious:
    def __reduce__(self):
        return print, ("code from a weights file ran",)


def test_a_file_that_would_run_code_is_refused(tmp_path, capsys):
    path = tmp_path / "bad.pth"
    torch.save({"conv1": Malicious()}, path)
    with pytest.raises(WeightsError, match="read safely"):
        load_model(str(path))
    assert "ran" not in capsys.readouterr().out


def test_half_a_file_is_refused(tmp_path):
    path = tmp_path / "half.pth"
    torch.save(load_model("untrained").module.state_dict(), path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(WeightsError):
        load_model(str(path))


def test_a_tensor_instead_of_a_dictionary_is_refused(tmp_path):
    path = tmp_path / "tensor.pth"
    torch.save(torch.zeros(3), path)
    with pytest.raises(WeightsError, match="not a dictionary"):
        load_model(str(path))


def test_missing_weights_are_an_error_that_names_the_place(tmp_path, monkeypatch):
    monkeypatch.setenv("RESNET18_LAB_WEIGHTS", str(tmp_path))
    with pytest.raises(WeightsNotFoundError, match="RESNET18_LAB_WEIGHTS"):
        load_model("auto")


@pytest.fixture
def state():
    return load_model("untrained").module.state_dict()


@pytest.mark.parametrize(
    "wrapped",
    [
        lambda state: {f"module.{name}": value for name, value in state.items()},
        lambda state: {f"_orig_mod.module.{name}": value for name, value in state.items()},
        lambda state: {"state_dict": state, "epoch": 3},
        lambda state: {"model": {f"module.{name}": value for name, value in state.items()}, "optimizer": {"lr": 0.1}},
        lambda state: {"model_state_dict": {f"model.{name}": value for name, value in state.items()}},
        lambda state: {name: value for name, value in state.items() if not name.endswith("num_batches_tracked")},
    ],
    ids=["DataParallel", "compiled", "checkpoint", "checkpoint of DataParallel", "of a wrapping module", "old torch"],
)
def test_the_forms_in_which_people_save_weights_are_understood(tmp_path, state, wrapped):
    torch.save(wrapped(state), tmp_path / "mine.pth")
    loaded = load_model(str(tmp_path / "mine.pth")).module.state_dict()
    assert all(torch.equal(loaded[name], state[name]) for name in state)


def whole_model(path):
    torch.save(torchvision.models.resnet18(weights=None), path)


def ten_classes(path):
    torch.save(torchvision.models.resnet18(weights=None, num_classes=10).state_dict(), path)


def another_network(path):
    torch.save(torchvision.models.squeezenet1_1(weights=None).state_dict(), path)


def larger_network(path):
    torch.save(torchvision.models.resnet50(weights=None).state_dict(), path)


def program(path):
    torch.jit.script(torch.nn.ReLU()).save(path)


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (whole_model, "whole pickled model"), (ten_classes, "has 10 classes"), (another_network, "another network"),
        (larger_network, "another network"), (program, "TorchScript"),
        (lambda path: path.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n"), "git lfs pull"),
        (lambda path: path.write_bytes(b"<!DOCTYPE html><html>"), "a web page"),
        (lambda path: path.write_bytes(b"\x40\0\0\0\0\0\0\0{\"a\": 1}"), "safetensors"),
        (lambda path: path.write_bytes(b"words"), "damaged"),
        (lambda path: torch.save([1, 2], path), "holds a list"),
        (lambda path: torch.save({"fc.weight": 3}, path), "another network"),
    ],
)  # fmt: skip
def test_what_is_no_state_dict_of_the_network_is_named(tmp_path, write, words):
    path = tmp_path / "mine.pth"
    write(path)
    with pytest.raises(WeightsError, match=words) as refused:
        load_model(str(path))
    message = str(refused.value)
    assert str(path) in message
    assert "delete" not in message
    assert "\n" not in message
    assert len(message) < 700
