"""The 1,000 classes tell what is unlike given photographs, and answer as before otherwise."""

import json

import numpy as np
import onnx
import pytest
from support.built_homes import built_home
from support.own_pictures import CLASSES, write_folder
from support.project import run_cli, samples_dir, trained_or_skip

from resnet18_lab.export.last_layer import with_last_layer

pytestmark = pytest.mark.slow
FORMATS = ("onnx-fp32", "onnx-int8-static", "onnx-embedding")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return built_home(tmp_path_factory, trained_or_skip(), *FORMATS, few=True)


def answered(home, *files, backend="auto"):
    done = run_cli(
        "classify", *files, "--weights", trained_or_skip().name, "--backend", backend, "-f", "json", home=home
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_what_is_unlike_the_photographs_is_unknown_and_answers_stay(home, tmp_path):
    name = trained_or_skip().name
    cat = samples_dir() / "cat.jpg"
    before = {backend: answered(home, cat, backend=backend)[0] for backend in ("auto", "onnxruntime-fp32")}
    photos = write_folder(tmp_path / "photos", range(12))
    (photos / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n, and no more")
    done = run_cli("models", "index", photos, "--weights", name, home=home)
    assert done.returncode == 0, done.stderr
    assert "broken.png" in done.stderr
    assert "36 pictures" in done.stderr
    unseen = write_folder(tmp_path / "unseen", range(100, 102))
    for backend, one in before.items():
        now, *own = answered(home, cat, *sorted(unseen.rglob("*.png")), backend=backend)
        assert now["predictions"] == one["predictions"]
        assert now["unknown"] is True
        assert sum(answer["unknown"] for answer in own) <= 2
        assert all(answer["predictions"][0]["wnid"] for answer in own)
    left_out = run_cli("classify", cat, "--weights", name, "--no-unknown", "-f", "json", home=home)
    assert "unknown" not in json.loads(left_out.stdout)[0]


def test_a_parent_that_tells_unknown_can_still_get_a_new_last_layer(home):
    (path,) = (home / "artifacts").glob("*/resnet18-int8-static.onnx")
    changed = with_last_layer(onnx.load(path), np.zeros((3, 512), np.float32), np.zeros(3, np.float32))
    assert [output.name for output in changed.graph.output][1:] == ["features"]


def test_too_few_pictures_are_one_line(home, tmp_path):
    photos = write_folder(tmp_path / "few", range(2), CLASSES[:1])
    done = run_cli("models", "index", photos, "--weights", trained_or_skip().name, home=home)
    assert done.returncode == 2
    assert "give at least 20" in done.stderr
