"""Proof that the guard and the lanes can fail: broken copies of every notebook are refused."""

import copy
import json

import pytest
from support.notebook_guard import problems
from support.notebook_lanes import NOTEBOOKS, STRICT, run_lane
from support.project import ROOT


def code_cells(notebook):
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def break_tag(notebook):
    code_cells(notebook)[0]["metadata"]["tags"] = ["paramters"]


def break_count(notebook):
    code_cells(notebook)[2]["execution_count"] = None


def break_stderr(notebook):
    code_cells(notebook)[1]["outputs"].append({"output_type": "stream", "name": "stderr", "text": ["a warning\n"]})


def break_path(notebook):
    code_cells(notebook)[1]["outputs"].append(
        {"output_type": "stream", "name": "stdout", "text": ["/home/me/pictures\n"]}
    )


def break_source_path(notebook):
    code_cells(notebook)[1]["source"] = ["open('/home/me/cat.jpg')"]


def break_error(notebook):
    code_cells(notebook)[1]["outputs"].append(
        {"output_type": "error", "ename": "ValueError", "evalue": "", "traceback": []}
    )


def break_size(notebook):
    code_cells(notebook)[1]["outputs"].append({"output_type": "stream", "name": "stdout", "text": ["x" * 300_000]})


def break_definition(notebook):
    code_cells(notebook)[1]["source"] = ["def helper():\n", "    pass\n"]


def break_order(notebook):
    code_cells(notebook)[1]["execution_count"], code_cells(notebook)[2]["execution_count"] = 3, 2


def break_summary(notebook):
    notebook["cells"] = [cell for cell in notebook["cells"] if not "".join(cell["source"]).startswith("## Summary")]


def break_parameter(notebook):
    code_cells(notebook)[0]["source"] = ["import os\n", "weights = os.environ['W']\n"]


BREAKS = [break_tag, break_count, break_stderr, break_path, break_source_path, break_error, break_size, break_definition,
          break_order, break_summary, break_parameter]  # fmt: skip


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request):
    return json.loads(request.param.read_text(encoding="utf-8"))


def test_an_unbroken_copy_passes_the_guard(notebook, tmp_path):
    (tmp_path / "copy.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    assert problems(tmp_path / "copy.ipynb") == []


@pytest.mark.parametrize("damage", BREAKS, ids=lambda function: function.__name__)
def test_a_broken_copy_is_refused_by_the_guard(notebook, damage, tmp_path):
    broken = copy.deepcopy(notebook)
    damage(broken)
    (tmp_path / "copy.ipynb").write_text(json.dumps(broken), encoding="utf-8")
    assert problems(tmp_path / "copy.ipynb")


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS[:2], ids=lambda path: path.stem)  # the quick ones: all share a lane
def test_a_wrong_stored_output_is_refused_by_the_lane(path, course_home):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    checked = [cell for cell in code_cells(notebook) if "nbval-check-output" in cell["metadata"].get("tags", [])]
    if path.stem in STRICT:
        checked = [cell for cell in code_cells(notebook) if any(out.get("name") == "stdout" for out in cell["outputs"])]
    checked[0]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": ["not what it prints\n"]}]
    after = notebook["cells"].index(checked[0])
    notebook["cells"] = notebook["cells"][: after + 1]  # the rest only takes time
    broken = ROOT / "notebooks" / f"broken_copy_{path.stem}.ipynb"  # beside the others: paths are relative to it
    broken.write_text(json.dumps(notebook), encoding="utf-8")
    try:
        lane = "--nbval" if path.stem in STRICT else "--nbval-lax"
        done = run_lane(broken, lane, {"RESNET18_LAB_HOME": str(course_home)})
    finally:
        broken.unlink()
    assert done.returncode == 1
    assert "not what it prints" in done.stdout
