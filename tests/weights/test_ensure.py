"""What the commands that may download do where nothing, or only what comes along, is here."""

import hashlib
import shutil
import socket
import time
from dataclasses import replace

import pytest
from support.fileserver import serving

from resnet18_lab.base import paths
from resnet18_lab.weights import catalogue
from resnet18_lab.weights.ensure import PATIENCE, ensure_weights
from resnet18_lab.weights.find import BUNDLED, find_weights


@pytest.fixture
def bare(tmp_path, monkeypatch):
    """A home without weights but those that come with the project, and hosts that the test decides."""
    for name in ("RESNET18_LAB_WEIGHTS", "RESNET18_LAB_OFFLINE", "TORCH_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RESNET18_LAB_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.setattr(paths, "classroom_weights_dir", lambda: None)
    return tmp_path


def test_offline_it_settles_for_distilled_and_says_so_with_what_was_measured(bare, monkeypatch):
    monkeypatch.setenv("RESNET18_LAB_OFFLINE", "1")
    said = []
    assert ensure_weights(notify=said.append).name == "distilled"
    (line,) = said
    assert "the distilled weights answer" in line
    assert "of 250 labelled pictures" in line


def test_where_the_clone_itself_is_the_home_the_weights_in_it_still_come_along(bare, monkeypatch):
    own = bare / "weights"
    own.mkdir()
    shutil.copy(paths.bundled_weights_dir() / "resnet18-distilled.npz", own)
    monkeypatch.setattr(paths, "bundled_weights_dir", lambda: own)
    monkeypatch.setenv("RESNET18_LAB_OFFLINE", "1")
    said = []
    assert ensure_weights(notify=said.append).name == "distilled"
    assert len(said) == 1
    assert find_weights("distilled").origin == BUNDLED


def test_hosts_that_never_answer_cost_at_most_twenty_seconds_together(bare, monkeypatch):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(8)  # connections are taken by the system, and nobody ever writes
        monkeypatch.setenv("RESNET18_LAB_WEIGHTS_URL", f"http://127.0.0.1:{silent.getsockname()[1]}/")
        monkeypatch.setattr("resnet18_lab.weights.ensure.PATIENCE", 2.0)
        said, began = [], time.monotonic()
        assert ensure_weights(notify=said.append).name == "distilled"
    assert time.monotonic() - began < 5 * 2.0
    assert PATIENCE == 20
    assert [line for line in said if "fetching" in line and "official" in line]
    assert [line for line in said if "fetching" in line and "compact" in line]


def test_what_a_host_has_is_taken_before_what_comes_along(bare, monkeypatch):
    content = b"c" * 200
    entries = tuple(
        replace(entry, bytes=200, sha256=hashlib.sha256(content).hexdigest()) if entry.name == "compact" else entry
        for entry in catalogue.CATALOGUE
    )
    monkeypatch.setattr(catalogue, "CATALOGUE", entries)
    with serving(content) as server:
        monkeypatch.setenv("RESNET18_LAB_WEIGHTS_URL", server.address)
        assert ensure_weights(notify=lambda _: None).name == "compact"  # it has not the size that official promises


def test_distilled_by_name_asks_no_host(bare):
    said = []
    assert ensure_weights("distilled", notify=said.append).name == "distilled"
    assert not said
