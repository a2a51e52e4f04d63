"""The 512 features before the last layer, and pictures that look alike."""

import json

import numpy as np
import pytest
from support.bulk_pictures import CAT
from support.project import run_cli, samples_dir

from resnet18_lab.base.errors import ParameterError
from resnet18_lab.bulk.batch import Job
from resnet18_lab.bulk.pipeline import stream
from resnet18_lab.bulk.similar import nearest, unit_vectors
from resnet18_lab.export.build import build
from resnet18_lab.inference import artifacts
from resnet18_lab.inference.registry import open_embedding
from resnet18_lab.model.network import load_model
from resnet18_lab.preprocessing import transform
from resnet18_lab.preprocessing.decode import decode
from resnet18_lab.weights.find import find_weights

pytestmark = pytest.mark.slow

JOB = Job("embed", weights="untrained")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    home = tmp_path_factory.mktemp("home-embedding")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RESNET18_LAB_HOME", str(home))
        build(find_weights("untrained"), only=["onnx-embedding"])
    return home


@pytest.fixture(autouse=True)
def home(made, monkeypatch):
    monkeypatch.setenv("RESNET18_LAB_HOME", str(made))
    return made


@pytest.mark.slow
def test_the_features_are_those_that_the_last_layer_of_torch_takes():
    import torch

    picture = transform.preprocess(decode(CAT))
    module = load_model("untrained").module
    seen = []
    module.fc.register_forward_hook(lambda _, given, __: seen.append(given[0].numpy()))
    with torch.inference_mode():
        module(torch.from_numpy(picture))
    with open_embedding(weights="untrained") as engine:
        features = engine.run(picture)
    assert features.shape == (1, 512)
    np.testing.assert_allclose(features, seen[0], atol=1e-4 * np.abs(seen[0]).max())


def test_the_manifest_holds_its_parity():
    entry = artifacts.load("onnx-embedding", "untrained").entry
    assert entry["parity"]["relative"] < 1e-4


def test_vectors_go_to_parquet_and_jsonl_alike(home, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    bad = tmp_path / "bad.jpg"
    bad.touch()
    for suffix in ("parquet", "jsonl"):
        done = run_cli("embed", samples_dir(), bad, "-o", tmp_path / f"v.{suffix}", "--weights", "untrained", home=home)
        assert done.returncode == 1, done.stderr
    table = parquet.read_table(tmp_path / "v.parquet")
    assert str(table.schema.field("embedding").type) == "fixed_size_list<element: float>[512]"
    rows = [json.loads(line) for line in (tmp_path / "v.jsonl").read_text(encoding="utf-8").splitlines()]
    assert rows[-1]["error"]["code"] == "empty_file"
    import base64

    for row, other in zip(rows[:-1], table.to_pylist(), strict=False):
        assert np.frombuffer(base64.b64decode(row["embedding"]), "<f4").tolist() == other["embedding"]


def test_a_picture_is_most_similar_to_its_own_copy(home, tmp_path):
    copy = tmp_path / "copy.jpg"
    copy.write_bytes(CAT.read_bytes())
    done = run_cli("similar", CAT, samples_dir(), copy, "-k", 3, "--json", "--weights", "untrained", home=home)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert {found[0]["file"], found[1]["file"]} == {str(CAT), str(copy)}
    assert found[0]["cosine"] == pytest.approx(1.0, abs=1e-5)
    assert found[0]["cosine"] >= found[1]["cosine"] >= found[2]["cosine"]


def test_cosines_are_exact():
    vectors = np.array([[1, 0], [0.6, 0.8], [0, 1]], dtype=np.float32)
    found = nearest(vectors[0], ["a", "b", "c"], vectors, 2)
    assert [(one.file, round(one.cosine, 6)) for one in found] == [("a", 1.0), ("b", 0.6)]


def test_dedupe_gives_equal_vectors_and_bad_pictures_are_left_out(tmp_path):
    bad = tmp_path / "bad.jpg"
    bad.touch()
    answers = list(stream([CAT, bad, CAT], job=JOB, workers=1, cache=tmp_path / "cache"))
    again = list(stream([CAT], job=JOB, workers=1, cache=tmp_path / "cache"))
    names, vectors = unit_vectors(answers + again)
    assert names == [str(CAT)] * 3
    assert np.array_equal(vectors[0], vectors[1])
    assert np.array_equal(vectors[0], vectors[2])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, rtol=1e-5)


@pytest.mark.parametrize("arguments", [["--top-k", "0"]])
def test_wrong_uses_are_one_line(home, arguments):
    done = run_cli("similar", CAT, samples_dir(), *arguments, "--weights", "untrained", home=home)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1


def test_vectors_are_not_written_as_csv(home, tmp_path):
    done = run_cli("embed", CAT, "-o", tmp_path / "v.csv", "--weights", "untrained", home=home)
    assert done.returncode == 2
    assert ".jsonl, .parquet" in done.stderr


def test_an_unknown_kind_of_job_is_refused():
    with pytest.raises(ParameterError):
        Job("paint")
