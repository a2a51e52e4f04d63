"""Hashes and what is remembered of them."""

import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from resnet18_lab.base import hashing

LONG_AGO_NS = 1_700_000_000 * 10**9


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RESNET18_LAB_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files count as settled at once, so that a test need not wait two seconds."""
    monkeypatch.setattr(hashing, "TOO_FRESH_NS", 0)


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    path = tmp_path / "sample.bin"
    path.write_bytes(b"abc")
    return path


def remembered() -> dict[str, dict[str, object]]:
    memory = hashing.memory_file()
    return dict(json.loads(memory.read_text(encoding="utf-8"))) if memory.exists() else {}


def plant(path: Path, digest: str) -> None:
    """Put another hash into the memory, to see whether the memory is asked."""
    memory = remembered()
    memory[str(path.resolve())]["sha256"] = digest
    hashing.memory_file().write_text(json.dumps(memory), encoding="utf-8")


def test_the_hash_is_that_of_the_whole_content(tmp_path: Path) -> None:
    path = tmp_path / "large.bin"
    path.write_bytes(os.urandom(3_000_000))
    assert hashing.sha256(path) == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_missing_file_raises_oserror(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        hashing.sha256(tmp_path / "nothing")


@pytest.mark.usefixtures("settled")
def test_an_unchanged_file_is_not_read_again(sample: Path) -> None:
    hashing.sha256(sample)
    plant(sample, "0" * 64)
    assert hashing.sha256(sample) == "0" * 64


@pytest.mark.usefixtures("settled")
def test_without_remember_the_memory_is_not_asked(sample: Path) -> None:
    right = hashing.sha256(sample)
    plant(sample, "0" * 64)
    assert hashing.sha256(sample, remember=False) == right


def test_without_remember_nothing_is_written(sample: Path, home: Path) -> None:
    hashing.sha256(sample, remember=False)
    assert not home.exists()


@pytest.mark.usefixtures("settled")
def test_a_file_of_another_size_is_read_again(sample: Path) -> None:
    hashing.sha256(sample)
    sample.write_bytes(b"abcd")
    assert hashing.sha256(sample) == hashlib.sha256(b"abcd").hexdigest()


@pytest.mark.usefixtures("settled")
def test_a_change_hidden_behind_the_old_modification_time_is_seen(sample: Path) -> None:
    os.utime(sample, ns=(LONG_AGO_NS, LONG_AGO_NS))
    hashing.sha256(sample)
    time.sleep(0.02)  # longer than a tick of the kernel's clock
    sample.write_bytes(b"xyz")
    os.utime(sample, ns=(LONG_AGO_NS, LONG_AGO_NS))
    assert hashing.sha256(sample) == hashlib.sha256(b"xyz").hexdigest()


def test_a_file_written_just_now_is_not_remembered(sample: Path) -> None:
    hashing.sha256(sample)
    assert remembered() == {}


def test_a_file_settled_for_two_seconds_is_remembered(sample: Path) -> None:
    time.sleep(2.1)
    hashing.sha256(sample)
    assert list(remembered()) == [str(sample.resolve())]


@pytest.mark.usefixtures("settled")
def test_a_link_and_its_file_are_remembered_as_one(sample: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(sample)
    hashing.sha256(link)
    hashing.sha256(sample)
    assert list(remembered()) == [str(sample.resolve())]


@pytest.mark.usefixtures("settled")
def test_the_memory_keeps_the_newest_files_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashing, "MEMORY_LIMIT", 3)
    for number in range(5):
        (tmp_path / f"{number}").write_text(str(number))
        hashing.sha256(tmp_path / f"{number}")
    assert [Path(key).name for key in remembered()] == ["2", "3", "4"]


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[1]", b"\xff\xfe", b'{"/x": 3}', b'{"/x": {"state": [1], "sha256": 5}}', b"[" * 100_000],
)
def test_a_damaged_memory_is_replaced(content: bytes, sample: Path) -> None:
    hashing.memory_file().parent.mkdir(parents=True)
    hashing.memory_file().write_bytes(content)
    assert hashing.sha256(sample) == hashlib.sha256(b"abc").hexdigest()
    assert list(remembered()) == [str(sample.resolve())]


@pytest.mark.usefixtures("settled")
def test_a_memory_that_cannot_be_written_is_ignored(sample: Path, home: Path) -> None:
    home.write_text("a file where the folder would be")
    assert hashing.sha256(sample) == hashlib.sha256(b"abc").hexdigest()


def test_processes_at_once_never_damage_the_memory(tmp_path: Path) -> None:
    script = (
        "import sys, pathlib; from resnet18_lab.base import hashing; hashing.TOO_FRESH_NS = 0\n"
        "for number in range(20):\n"
        "    path = pathlib.Path(sys.argv[1], sys.argv[2] + str(number)); path.write_text(path.name)\n"
        "    hashing.sha256(path)\n"
    )
    workers = [subprocess.Popen([sys.executable, "-c", script, tmp_path, letter]) for letter in "abc"]
    assert [worker.wait(60) for worker in workers] == [0, 0, 0]
    memory = remembered()
    assert 20 <= len(memory) <= 60
    for key, entry in memory.items():
        assert entry["sha256"] == hashlib.sha256(Path(key).name.encode()).hexdigest()
