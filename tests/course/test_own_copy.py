"""A student's own copy: without outputs, with what it points to, and never overwritten where it was edited."""

import json
import shutil
from pathlib import Path

import pytest
from support.project import ROOT, run_cli

from resnet18_lab.base import paths
from resnet18_lab.course.own_copy import STATE, copy_course

FIRST, SECOND = "notebooks/01_architecture.ipynb", "notebooks/02_classification.ipynb"


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A folder of notebooks that a later release may change."""
    folder = tmp_path / "installed"
    folder.mkdir()
    for name in (FIRST, SECOND, "notebooks/references.bib"):
        shutil.copy(ROOT / name, folder)
    monkeypatch.setattr(paths, "notebooks_dir", lambda: folder)
    return folder


def changed(notebook: Path, *, source: str | None = None, output: str | None = None) -> None:
    content = json.loads(notebook.read_text(encoding="utf-8"))
    cell = next(cell for cell in content["cells"] if cell["cell_type"] == "code")
    if source is not None:
        cell["source"] = source
    if output is not None:
        cell["outputs"] = [{"name": "stdout", "output_type": "stream", "text": output}]
        cell["execution_count"] = 7
    notebook.write_text(json.dumps(content), encoding="utf-8")


def cells(notebook: Path) -> list[dict]:
    return json.loads(notebook.read_text(encoding="utf-8"))["cells"]


def test_notebooks_come_without_outputs_and_their_links_lead_somewhere(tmp_path):
    copied = copy_course(tmp_path / "mine")
    assert len([name for name in copied.new if name.endswith(".ipynb")]) == len(
        list((ROOT / "notebooks").glob("*.ipynb"))
    )
    for notebook in (tmp_path / "mine" / "notebooks").glob("*.ipynb"):
        code = [cell for cell in cells(notebook) if cell["cell_type"] == "code"]
        assert not any(cell["outputs"] or cell["execution_count"] for cell in code)
    assert (tmp_path / "mine" / "docs" / "vocabulary.md").is_file()
    assert (tmp_path / "mine" / "docs" / "images" / "serving-soak.png").is_file()
    assert (tmp_path / "mine" / "data" / "samples").resolve() == (ROOT / "data" / "samples").resolve()


def test_a_second_run_changes_nothing(tmp_path):
    copy_course(tmp_path / "mine")
    again = copy_course(tmp_path / "mine")
    assert (again.new, again.updated, again.left) == ([], [], [])


def test_an_update_reaches_what_was_only_run_and_leaves_what_was_edited(tmp_path, installed):
    mine = tmp_path / "mine"
    copy_course(mine)
    changed(mine / FIRST, output="ran")
    changed(mine / SECOND, source="my own line")
    for notebook in installed.glob("*.ipynb"):
        changed(notebook, source="a new line")
    copied = copy_course(mine)
    assert copied.updated == [FIRST]
    assert copied.left == [SECOND]
    sources = ["".join(cell["source"]) for cell in cells(mine / FIRST)]
    assert "a new line" in sources
    assert "my own line" in ["".join(cell["source"]) for cell in cells(mine / SECOND)]
    assert copy_course(mine).left == [SECOND], "and again"


def test_outputs_stay_where_there_is_nothing_new(tmp_path):
    copy_course(tmp_path / "mine")
    changed(tmp_path / "mine" / FIRST, output="ran")
    assert copy_course(tmp_path / "mine").updated == []
    assert any(cell.get("outputs") for cell in cells(tmp_path / "mine" / FIRST))


def test_a_notebook_that_is_broken_or_was_there_before_is_left_and_one_that_is_gone_comes_back(tmp_path):
    mine = tmp_path / "mine"
    (mine / "notebooks").mkdir(parents=True)
    (mine / FIRST).write_text("{", encoding="utf-8")
    copied = copy_course(mine)
    assert copied.left == [FIRST]
    assert (mine / FIRST).read_text(encoding="utf-8") == "{"
    (mine / SECOND).unlink()
    assert copy_course(mine).new == [SECOND]


def test_what_was_written_before_an_interruption_is_known_to_be_ours(tmp_path, installed, monkeypatch):
    mine = tmp_path / "mine"
    (installed / "references.bib").rename(installed / "hidden.bib")
    with pytest.raises(OSError, match="references"):
        copy_course(mine)
    (installed / "hidden.bib").rename(installed / "references.bib")
    changed(installed / "01_architecture.ipynb", source="a new line")
    copied = copy_course(mine)
    assert copied.updated == [FIRST]
    assert copied.left == []


def test_where_links_are_not_allowed_the_photographs_are_copied_and_a_dead_link_is_made_anew(tmp_path, monkeypatch):
    mine = tmp_path / "mine"
    (mine / "data").mkdir(parents=True)
    (mine / "data" / "samples").symlink_to(tmp_path / "gone")
    monkeypatch.setattr(Path, "symlink_to", lambda *_args, **_options: (tmp_path / "no links").stat())
    copy_course(mine)
    for name in ("samples", "labelled"):
        assert not (mine / "data" / name).is_symlink()
        assert (mine / "data" / name / "labels.csv").is_file()


@pytest.mark.parametrize("where", ["a file", "the project", "damaged"])
def test_a_folder_that_cannot_be_is_one_line(tmp_path, where):
    folder = tmp_path / "mine"
    if where == "a file":
        folder.write_text("words")
    elif where == "the project":
        folder = ROOT
    else:
        folder.mkdir()
        (folder / STATE).write_text("[1, 2]")
    done = run_cli("course", folder)
    assert done.returncode in (1, 2)
    assert "Traceback" not in done.stderr
    assert any(words in done.stderr for words in ("is a file", "the project itself", "is damaged"))


def test_the_command_says_what_it_left(tmp_path):
    mine = tmp_path / "mine"
    assert run_cli("course", mine).returncode == 0
    changed(mine / SECOND, source="my own line")
    done = run_cli("course", mine)
    assert done.returncode == 0
    assert f"left as they are, since they were edited or are not from here: {SECOND};" in done.stderr
    assert done.stdout.strip() == str(mine / "notebooks")
