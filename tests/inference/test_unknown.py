"""Distance to what was learned, the threshold that keeps 95 %, and the file that holds both."""

import numpy as np
import pytest

from resnet18_lab.base.errors import ArtifactError
from resnet18_lab.inference import unknown


def cloud(count, seed, around=1.0, width=64):
    return (np.random.default_rng(seed).normal(size=(count, width)) + around).astype(np.float32)


def test_distance_is_one_less_the_mean_cosine_to_the_three_nearest():
    known = unknown.unit(np.float32([[1, 0], [1, 0], [1, 1], [-1, 0]]))
    found = unknown.distances(np.float32([[2, 0], [0, 1]]), known)
    np.testing.assert_allclose(found, [1 - (1 + 1 + 0.5**0.5) / 3, 1 - 0.5**0.5 / 3], atol=1e-6)


def test_the_own_group_is_no_neighbour():
    known = unknown.unit(np.float32([[1, 0], [1, 0], [1, 0], [1, 0], [0, 1]]))
    groups = np.array([0, 0, 0, 0, 1])
    assert unknown.distances(known, known)[0] == pytest.approx(0)
    assert unknown.distances(known, known, (groups, groups))[0] > 1


def test_the_threshold_keeps_the_own_and_refuses_others():
    own, others = cloud(400, 0), cloud(200, 1, around=-1.0)
    threshold = unknown.threshold_for(own, np.arange(400))
    familiar = unknown.Familiar(unknown.unit(own), threshold)
    assert (familiar.distances(cloud(400, 2)) <= threshold).mean() == pytest.approx(0.95, abs=0.04)
    assert (familiar.distances(others) > threshold).all()


def test_what_is_saved_is_read_again(tmp_path):
    path = tmp_path / "features.npz"
    unknown.save(path, unknown.Familiar(unknown.unit(cloud(10, 0)), 0.25))
    found = unknown.load(path, 64)
    assert found.threshold == 0.25
    np.testing.assert_allclose(found.features, unknown.unit(cloud(10, 0)), atol=1e-3)


@pytest.mark.parametrize("content", ["nothing", "text", "objects", "width"])
def test_a_foreign_file_is_refused(tmp_path, content):
    path = tmp_path / "features.npz"
    if content == "text":
        path.write_text("features")
    elif content == "objects":
        np.savez(path, features=np.array([{}], dtype=object), threshold=0.1)
    elif content == "width":
        unknown.save(path, unknown.Familiar(unknown.unit(cloud(3, 0, width=8)), 0.1))
    with pytest.raises(ArtifactError, match="training features"):
        unknown.load(path, 64)
