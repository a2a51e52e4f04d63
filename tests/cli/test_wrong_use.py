"""A table of wrong invocations (wrong_use.tsv: exit status, arguments, how the last line of stderr begins)."""

import os
import shlex
import shutil
from pathlib import Path

import pytest
from support.project import run_cli, samples_dir

TABLE = Path(__file__).parent / "wrong_use.tsv"
ROWS = [line.split("\t") for line in TABLE.read_text(encoding="utf-8").splitlines()]
TABLES = {
    "short": b"file,acceptable\ncat.jpg\n", "semicolons": b"file;acceptable\ncat.jpg;3\n",
    "outside": b"file,acceptable\n../x.jpg,3\n", "index": b"file,acceptable\ncat.jpg,1000\n",
    "latin": b"file,acceptable\nc\xe9.jpg,3\n",
}  # fmt: skip
PARAMETERS = {
    "name": "top_q: 3", "type": "top_k: many", "notebook": "02_clasification: {top_k: 3}", "twice": "top_k: 3\ntop_k: 4",
}  # fmt: skip

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name == "nt", reason="pipes and paths of Unix")]


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """Files and folders that the table names."""
    tmp, cat = tmp_path_factory.mktemp("wrong"), samples_dir() / "cat.jpg"
    (tmp / "text").write_text("these are words\nand more", encoding="utf-8")
    (tmp / "empty").touch()
    os.mkfifo(tmp / "fifo.csv")
    for name in ("empty_folder", "folder", "splits/train", "splits/val", "numbered/1", "numbered/2"):
        (tmp / name).mkdir(parents=True)
    for name in ("folder", "numbered/1", "numbered/2"):
        shutil.copy(cat, tmp / name)
    for name, text in TABLES.items():
        (tmp / f"table_{name}").mkdir()
        (tmp / f"table_{name}" / "labels.csv").write_bytes(text)
    for name, text in PARAMETERS.items():
        (tmp / f"params_{name}").write_text(text, encoding="utf-8")
    named = {one.name.removesuffix(".csv"): one for one in tmp.iterdir()}
    return {"tmp": tmp, "cat": cat, "samples": samples_dir(), **named}


def test_the_table_is_long():
    assert len(ROWS) >= 120
    assert len({arguments for _, arguments, _ in ROWS}) == len(ROWS)


@pytest.mark.parametrize(("status", "arguments", "words"), ROWS, ids=[arguments for _, arguments, _ in ROWS])
def test_wrong_use_ends_in_a_line(places, untrained_home, tmp_path, status, arguments, words):
    done = run_cli(
        *(part.format(**places) for part in shlex.split(arguments)), home=untrained_home, cwd=tmp_path,
        env={"RESNET18_LAB_WEIGHTS": "untrained"}, input="",
    )  # fmt: skip
    assert done.returncode == int(status), done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.strip().splitlines()[-1].startswith(words.format(**places)), done.stderr
