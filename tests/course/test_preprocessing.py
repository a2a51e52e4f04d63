"""The ways of notebook 06 are what it says they are."""

import shutil

import numpy as np
import pandas as pd
import pytest

from resnet18_lab.base import paths
from resnet18_lab.base.errors import ParameterError
from resnet18_lab.base.networks import RESNET18
from resnet18_lab.base.samples import load_samples
from resnet18_lab.course.preprocessing import compared, conclusions, figures, uint8_input
from resnet18_lab.course.preprocessing.ways import views, ways_of
from resnet18_lab.inference import artifacts, evaluate
from resnet18_lab.inference.registry import open_engine
from resnet18_lab.preprocessing.decode import decode

WIDE = paths.samples_dir() / "china.jpg"
WAYS = ways_of()


@pytest.fixture(autouse=True)
def _home(untrained_home, monkeypatch):
    monkeypatch.setenv("RESNET18_LAB_HOME", str(untrained_home))


def test_the_tutorials_numpy_squashes_and_gives_float64():
    tensor = WAYS["NumPy by hand"].prepare(WIDE)
    assert tensor.dtype == np.float64
    assert tensor.shape == (1, 3, 224, 224)
    reference = WAYS["torchvision"].prepare(WIDE)
    assert np.abs(tensor - reference).mean() > 0.1, "a wide picture squashed is another picture"
    with open_engine("onnxruntime-fp32", weights="untrained") as engine, pytest.raises(Exception, match="double"):
        engine.run(tensor)


def test_one_resample_is_within_a_grey_level_of_torchvision():
    level = 1 / (255 * min(RESNET18.preprocessing.std))
    ours, theirs = WAYS["one resample"].prepare(WIDE), WAYS["torchvision"].prepare(WIDE)
    assert np.abs(ours - theirs).max() <= 1.01 * level


def test_a_reused_buffer_holds_the_same_numbers_until_the_next_picture():
    first = WAYS["one resample, buffer reused"].prepare(WIDE)
    np.testing.assert_allclose(first, WAYS["one resample"].prepare(WIDE), atol=1e-6)
    second = WAYS["one resample, buffer reused"].prepare(load_samples()[0].path)
    assert second is first, "that is what one must know of it"


def test_times_have_a_row_a_way_and_quartiles_around_the_median():
    found = compared.times([WIDE], 3, ways_of(["torchvision", "one resample"]))
    assert list(found.index) == ["torchvision", "one resample"]
    assert (found["from"] <= found["ms"]).all()
    assert (found["ms"] <= found["to"]).all()


def test_a_trick_is_worth_having_when_it_saves_enough_beyond_the_noise():
    def verdict(first, second):
        table = pd.DataFrame([first, second], index=["old", "new"], columns=["ms", "from", "to"])
        return str(conclusions.worth(table, least=0.03, noise=""))

    assert verdict([10, 9.9, 10.1], [9, 8.9, 9.1]) == "new: +10.0% of the time saved; worth having."
    assert "not worth" in verdict([10, 9.9, 10.1], [9.9, 9.85, 9.89])
    assert "within the noise" in verdict([10, 8, 12], [9, 8, 11])


def test_without_pictures_there_is_nothing_to_time():
    with pytest.raises(ParameterError, match="no pictures"):
        compared.times([], 1, WAYS)


def test_pictures_of_several_sizes_are_timed(tmp_path):
    found = compared.times_by_size(tmp_path, ["224×224", "1200×900"], 1, ways_of(["one resample, draft"]))
    assert list(found.index) == [pytest.approx(0.050176), pytest.approx(1.08)]
    assert figures.by_size(found).axes


def test_pictures_stored_lying_are_left_out(monkeypatch):
    monkeypatch.setenv("RESNET18_LAB_IMAGES", str(paths.samples_dir()))
    name, chosen = compared.labelled("", 100)
    everything = evaluate.labelled_pictures(paths.samples_dir())
    assert name == "samples"
    assert {path.name for path, _ in everything} - {path.name for path, _ in chosen} == {"coffee_portrait.jpg"}


def test_accuracy_compares_each_way_with_the_first(tmp_path):
    pictures = evaluate.labelled_pictures(paths.samples_dir())[:3]
    large = compared.enlarged(pictures, tmp_path)
    assert min(decode(large[0][0]).size) >= 512
    with open_engine("onnxruntime-fp32", weights="untrained") as engine:
        found = compared.accuracy(engine, large, ways_of(["torchvision", "one resample", "one resample, draft"]))
    assert found.loc["torchvision", "same answer"] == 1
    assert found.loc["one resample", "cosine"] > 0.999
    assert found.loc["one resample, draft", "cosine"] < found.loc["one resample", "cosine"]
    times = compared.times([WIDE], 1, ways_of(list(found.index)))
    assert figures.accuracy_against_time(times, found, "untrained").axes


def test_views_are_colours():
    shown = views(WIDE, WAYS)
    assert all(view.shape == (224, 224, 3) and 0 <= view.min() <= view.max() <= 1 for view in shown.values())
    assert figures.side_by_side(shown).axes


def test_a_graph_that_takes_floats_only_is_refused():
    artifact = artifacts.load("onnx-fp32", "untrained")
    with pytest.raises(ParameterError, match="quantizing"):
        uint8_input.Uint8Network(artifact.path)


def test_labelled_pictures_come_from_the_folder_named_or_are_the_projects_own(tmp_path, monkeypatch):
    monkeypatch.delenv("RESNET18_LAB_IMAGES", raising=False)
    name, found = compared.labelled("", 3)
    assert (name, len(found)) == ("data/labelled", 3)
    (tmp_path / "n02123045").mkdir()
    shutil.copy(WIDE, tmp_path / "n02123045")
    assert compared.labelled(str(tmp_path), 3) == (
        tmp_path.name,
        [(tmp_path / "n02123045" / WIDE.name, (281,))],
    )
    monkeypatch.setenv("RESNET18_LAB_IMAGES", str(tmp_path))
    assert compared.labelled("", 3)[0] == tmp_path.name
