"""What a run reads: deep folders, files that nobody chose, and lists from spreadsheets."""

import io
import os
import subprocess
from pathlib import Path

from resnet18_lab.bulk.inputs import read_list, walk


def test_folders_may_be_as_deep_as_the_system_lets_them(tmp_path):
    here = Path.cwd()
    os.chdir(tmp_path)
    try:
        for number in range(1300):
            Path("d").mkdir()
            if number % 100 == 0:
                Path("p.jpg").touch()
            os.chdir("d")
    finally:
        os.chdir(here)
    try:
        found = list(walk([tmp_path]))
    finally:
        subprocess.run(["rm", "-rf", tmp_path / "d"], check=True)  # pytest's own clean-up recurses
    assert sum(entry.problem is None for entry in found) == 13


def test_pictures_come_in_the_order_of_names_folder_by_folder(tmp_path):
    for name in ("b/2.jpg", "b/1.jpg", "a/z/1.jpg", "a/1.jpg", "0.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert [os.path.relpath(entry.file, tmp_path) for entry in walk([tmp_path])] == [
        "0.jpg", "a/1.jpg", "a/z/1.jpg", "b/1.jpg", "b/2.jpg",
    ]  # fmt: skip


def test_hidden_and_system_files_are_passed_over_and_named_ones_are_not(tmp_path):
    for name in ("._x.jpg", ".hidden/a.jpg", ".ipynb_checkpoints/b.png", "c.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert [Path(entry.file).name for entry in walk([tmp_path])] == ["c.jpg"]
    assert [Path(entry.file).name for entry in walk([tmp_path / "._x.jpg"])] == ["._x.jpg"]


def test_a_byte_order_mark_before_the_first_path_is_taken():
    assert list(read_list(io.BytesIO("\ufeffa.jpg\nb.jpg\n".encode()))) == ["a.jpg", "b.jpg"]
