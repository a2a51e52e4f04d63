"""What notebook 07 calls: rates, a crash, and likeness."""

import numpy as np
import pandas as pd
import pytest

from resnet18_lab.base import paths
from resnet18_lab.base.errors import LabError
from resnet18_lab.base.samples import load_samples
from resnet18_lab.benchmark.folder import make_jpegs
from resnet18_lab.bulk.batch import Job
from resnet18_lab.course.bulk import experiments
from resnet18_lab.course.bulk.figures import against_bound, alike, matrix


@pytest.fixture(autouse=True)
def _home(untrained_home, monkeypatch):
    monkeypatch.setenv("RESNET18_LAB_HOME", str(untrained_home))


@pytest.fixture
def folder(tmp_path):
    make_jpegs([sample.path for sample in load_samples()], tmp_path / "in", 40)
    return tmp_path / "in"


def test_rates_stand_beside_their_bound(folder):
    files = sorted(folder.iterdir())
    table = experiments.rates(files, Job(weights="untrained"), [1], runs=2)
    assert table.loc[1, "of bound"] == pytest.approx(table.loc[1, "img/s"] / table.loc[1, "bound"])
    assert against_bound(table, "untrained").axes


def rates_of(**rows):
    columns = ["img/s", "from", "to", "bound", "of bound"]
    return pd.DataFrame({int(name[1:]): row for name, row in rows.items()}, columns).T


def test_the_quickest_number_of_workers_is_named_with_those_not_told_apart():
    table = rates_of(w1=(176, 170, 180, 177, 0.99), w2=(348, 340, 354, 355, 0.98), w4=(333, 320, 345, 355, 0.94))
    said = experiments.quickest(table, "").said
    assert "2 workers, 348 pictures a second, not told apart from 4; 98% of the bound." in said
    assert experiments.quickest(table, "busy").withheld == "busy"
    above = rates_of(w1=(182, 181, 183, 177, 1.03), w2=(362, 360, 364, 355, 1.02))
    assert "above its bound" in experiments.quickest(above, "").withheld


@pytest.mark.slow
def test_a_killed_run_is_resumed_and_gives_the_same_file(folder, tmp_path):
    found = experiments.crash(folder, tmp_path, "untrained")
    assert found.same
    assert 16 <= found.kept <= found.rows == 40
    assert found.said.startswith("40 rows")
    assert 0 < found.redone_at_most <= 40 - found.kept
    assert found.seconds_lost == pytest.approx(found.killed + found.resumed - found.undisturbed)
    assert found.table().loc["rows that stood when it was killed", "cost"] == found.kept


def test_a_run_that_is_over_too_soon_says_so(folder, tmp_path):
    with pytest.raises(LabError, match="more pictures"):
        experiments.crash(folder, tmp_path, "untrained", after=1.1)


def test_pairs_come_best_first():
    cosines = np.array([[1, 0.2, 0.9], [0.2, 1, 0.5], [0.9, 0.5, 1]], dtype=np.float32)
    found = experiments.Likeness(["a/x.jpg", "b/y.jpg", "c/z.jpg"], cosines, "untrained")
    assert found.pairs(2)[["one", "other"]].to_numpy().tolist() == [["x", "z"], ["y", "z"]]
    assert matrix(found).axes


def test_copies_differ_from_the_photograph(tmp_path):
    path = paths.samples_dir() / "cat.jpg"
    made = experiments.near_duplicates(path, tmp_path)
    assert len({copy.read_bytes() for copy in made} | {path.read_bytes()}) == len(made) + 1
    found = experiments.Likeness([str(path), *map(str, made)], np.eye(len(made) + 1, dtype=np.float32), "untrained")
    assert alike(path, found, 2).axes
