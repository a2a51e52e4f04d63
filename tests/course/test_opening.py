"""Opening and saving a notebook in JupyterLab changes nothing: no mark of a change, and the same bytes."""

import json
import os
import shutil
import subprocess
import sys
import time

import pytest
from support.project import ROOT, tool

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
NAME = "01_architecture.ipynb"
form = tool("make/notebooks_form")
OPENED = """async () => {
    const widget = window.jupyterapp.shell.currentWidget;
    await widget.revealed;
    await widget.context.ready;
    await widget.context.sessionContext.ready;
    const kernel = widget.context.sessionContext.session.kernel;
    const [info] = await Promise.all([kernel.info, kernel.spec]);
    await new Promise((done) => setTimeout(done, 500));
    return info.language_info;
}"""


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_stored_as_jupyterlab_would_save_it(path):
    assert not form.differs(path), "run `python tools/make/notebooks_form.py`"


def notebook_text(**cell):
    cells = [{"cell_type": "markdown", "metadata": {}, "source": "# Title", "id": "kept", **cell}]
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


def test_bringing_a_notebook_into_its_form_twice_is_as_good_as_once():
    once = form.canonical(notebook_text(id="cell-00"), "NN_name")
    assert form.canonical(once, "NN_name") == once


def test_an_id_that_is_a_position_gives_way_to_one_that_is_none():
    (given,) = json.loads(form.canonical(notebook_text(id="cell-00"), "NN_name"))["cells"]
    assert len(given["id"]) == 8
    assert int(given["id"], 16) >= 0
    (kept,) = json.loads(form.canonical(notebook_text(id="how-often"), "NN_name"))["cells"]
    assert kept["id"] == "how-often"


def test_cells_alike_in_all_but_their_place_have_ids_of_their_own():
    notebook = json.loads(notebook_text())
    notebook["cells"] = [{**notebook["cells"][0], "id": f"cell-{number:02}"} for number in range(3)]
    cells = json.loads(form.canonical(json.dumps(notebook), "NN_name"))["cells"]
    assert len({cell["id"] for cell in cells}) == 3


def test_what_tells_of_one_run_is_taken_out():
    text = notebook_text(metadata={"execution": {"iopub.status.busy": "2026"}, "tags": ["parameters"]})
    (cell,) = json.loads(form.canonical(text, "NN_name"))["cells"]
    assert cell["metadata"] == {"tags": ["parameters"]}


@pytest.fixture
def lab(tmp_path):
    """Address of a JupyterLab on a folder with one notebook; its kernels are set up as the project's are."""
    pytest.importorskip("jupyterlab", reason="needs the notebooks extra: pip install 'resnet18-lab[notebooks]'")
    folder, profile, runtime = tmp_path / "notebooks", tmp_path / "ipython" / "profile_default", tmp_path / "runtime"
    for each in (folder, profile, runtime):
        each.mkdir(parents=True)
    (folder / NAME).write_text(
        form.canonical((ROOT / "notebooks" / NAME).read_text(encoding="utf-8"), NAME[:-6]), encoding="utf-8"
    )
    (profile / "ipython_kernel_config.py").write_text(form.KERNEL_CONFIG, encoding="utf-8")
    command = [sys.executable, "-m", "jupyter", "lab", "--notebook-dir", str(folder), "--no-browser", "--allow-root",
               "--ServerApp.port=0", "--LabApp.expose_app_in_browser=True", "--LabApp.news_url="]  # fmt: skip
    places = {"JUPYTER_RUNTIME_DIR": runtime, "JUPYTER_CONFIG_DIR": tmp_path / "config",
              "JUPYTER_DATA_DIR": tmp_path / "data", "IPYTHONDIR": profile.parent}  # fmt: skip
    environment = {**os.environ, **{name: str(place) for name, place in places.items()}}
    with (tmp_path / "lab.log").open("w", encoding="utf-8") as log:
        server = subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=log, stderr=log)
        try:
            yield _address(runtime, server, tmp_path / "lab.log"), folder / NAME
        finally:
            server.terminate()
            server.wait(timeout=60)


def _address(runtime, server, log):
    """Where the server says that it listens, once it does."""
    for _ in range(600):
        for found in runtime.glob("jpserver-*.json"):
            if not (text := found.read_text(encoding="utf-8")):  # being written
                continue
            said = json.loads(text)
            return f"{said['url']}lab/tree/{NAME}?token={said['token']}"
        assert server.poll() is None, log.read_text(encoding="utf-8")
        time.sleep(0.1)
    raise AssertionError(log.read_text(encoding="utf-8"))


@pytest.mark.slow
def test_opening_and_saving_in_jupyterlab_changes_nothing(browser, lab):
    address, path = lab
    shutil.copy(path, path.with_suffix(".before"))
    page = browser.new_page()
    page.set_default_timeout(120_000)
    page.goto(address)
    page.locator(".jp-Notebook-cell").first.wait_for()
    language = page.evaluate(OPENED)
    assert language == form.LANGUAGE_INFO, "a kernel that tells of more leaves it in the file"
    assert page.locator(".jp-NotebookPanel").count() == 1
    assert page.locator(".jp-mod-dirty").count() == 0, "the tab is marked as changed"
    before = path.stat().st_mtime_ns
    page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    assert path.stat().st_mtime_ns > before, "nothing was saved"
    page.close()
    assert path.read_bytes() == path.with_suffix(".before").read_bytes()
