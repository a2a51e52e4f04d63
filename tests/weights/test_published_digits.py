"""Files of whose hash and size the authors publish a part: that is checked, and the rest is remembered."""

import dataclasses
import hashlib
from pathlib import Path

import pytest
from support.fileserver import serving

from resnet18_lab.base import paths
from resnet18_lab.base.errors import FetchError, WeightsError
from resnet18_lab.base.networks import NETWORKS, RESNET18
from resnet18_lab.weights import catalogue
from resnet18_lab.weights.fetch import fetch_weights
from resnet18_lab.weights.find import find_weights

REAL = catalogue.catalogue()
CONTENT = bytes(range(256)) * 64
DIGITS = 2
ENTRY = dataclasses.replace(
    next(entry for entry in catalogue.catalogue() if entry.name == "resnet34-official"),
    bytes=len(CONTENT) + 7, bytes_within=10, sha256=hashlib.sha256(CONTENT).hexdigest()[:DIGITS],
)  # fmt: skip


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("RESNET18_LAB_WEIGHTS", "RESNET18_LAB_OFFLINE", "RESNET18_LAB_WEIGHTS_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RESNET18_LAB_HOME", str(tmp_path))
    monkeypatch.setattr(catalogue, "CATALOGUE", (ENTRY,))
    monkeypatch.setattr(paths, "classroom_weights_dir", lambda: None)
    return tmp_path


def another(alike: bool) -> bytes:
    """Content whose hash begins, or does not begin, with the digits that are published."""
    tries = (CONTENT[:-4] + number.to_bytes(4, "big") for number in range(1, 100_000))
    return next(one for one in tries if hashlib.sha256(one).hexdigest().startswith(ENTRY.sha256) == alike)


def fetch(content: bytes, told: list[str], **options: object) -> Path:
    with serving(content) as server:
        return fetch_weights(ENTRY, url=server.url, notify=told.append, **options)  # type: ignore[arg-type]


def test_the_digits_are_checked_and_said() -> None:
    told: list[str] = []
    path = fetch(CONTENT, told)
    assert path.read_bytes() == CONTENT
    assert f"SHA-256 verified by the {DIGITS} digits that are published" in told[-1]
    found = find_weights("resnet34")
    assert (found.name, found.network.name, found.sha256) == (
        ENTRY.name,
        "resnet34",
        hashlib.sha256(CONTENT).hexdigest(),
    )


def test_other_digits_are_refused() -> None:
    with pytest.raises(FetchError, match="was deleted"):
        fetch(another(alike=False), [])
    path = paths.weights_dir() / ENTRY.filename
    path.write_bytes(another(alike=False))
    with pytest.raises(WeightsError, match="SHA-256"):
        find_weights("resnet34")


def test_another_size_is_refused() -> None:
    with pytest.raises(FetchError, match="offers"):
        fetch(CONTENT * 2, [])


def test_a_file_with_the_same_digits_is_not_the_one_first_seen(home: Path) -> None:
    path = fetch(CONTENT, [])
    find_weights("resnet34")
    path.write_bytes(another(alike=True))
    with pytest.raises(WeightsError, match="the file first seen here had SHA-256"):
        find_weights("resnet34")
    (home / ".state" / "first-seen.json").write_text("damaged", encoding="utf-8")
    assert find_weights("resnet34").name == ENTRY.name


def test_the_better_weights_of_resnet_50_come_first_and_have_another_crop() -> None:
    assert [entry.resize for entry in REAL if entry.network == "resnet50"] == [232, None]


def test_the_crop_follows_the_weights_however_they_are_named(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = [dataclasses.replace(entry, bytes=len(CONTENT), sha256=ENTRY.sha256) for entry in REAL]
    monkeypatch.setattr(catalogue, "CATALOGUE", tuple(entry for entry in small if entry.network == "resnet50"))
    path = home / "resnet50-11ad3fa6.pth"
    path.write_bytes(CONTENT)
    monkeypatch.setenv("RESNET18_LAB_WEIGHTS", str(home))
    for name in ("resnet50", "resnet50-v2", str(path), f"resnet50:{path}"):
        assert find_weights(name).network.preprocessing.resize == 232, name
    own = path.rename(home / "mine.pth")
    assert find_weights(f"resnet50:{own}").network is NETWORKS["resnet50"]
    assert find_weights(own).network is RESNET18


def test_torchvision_says_the_same_of_its_files() -> None:
    from resnet18_lab.model.torchvision import torchvision

    published = {
        weights.url: weights
        for name in ("resnet34", "resnet50")
        for weights in torchvision.models.get_model_weights(name)
    }
    entries = [entry for entry in REAL if entry.url in published]
    assert len(entries) == 3
    for entry in entries:
        weights = published[entry.url]
        assert entry.top1 == weights.meta["_metrics"]["ImageNet-1K"]["acc@1"]
        assert abs(entry.bytes / 2**20 - weights.meta["_file_size"]) < 0.001
        assert entry.sha256 in entry.filename
        assert (entry.resize or 256) == weights.transforms().resize_size[0]
