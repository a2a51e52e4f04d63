"""What lessons show while they run, and of the package's own code."""

import re

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from support.project import ROOT

from resnet18_lab.base.errors import ParameterError
from resnet18_lab.benchmark import style
from resnet18_lab.course.progress import progress
from resnet18_lab.course.source_code import show_source
from resnet18_lab.inference import metrics

CELLS = [
    "import time\nfrom resnet18_lab.course.progress import progress",
    "with progress('making') as steps:\n    made = [time.sleep(0.2) or number for number in steps.over(range(5))]\nprint(made)",
    "with progress('failing') as steps:\n    time.sleep(0.6)\n    steps('the third of four')\n    raise ValueError",
]


@pytest.mark.slow
def test_a_cell_says_how_far_it_is_in_one_line_that_ends_the_same_in_every_run():
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in CELLS])
    seen = []
    client = NotebookClient(notebook, timeout=60, kernel_name="python3")
    update = client.process_message
    client.process_message = lambda message, *rest: seen.append(message) or update(message, *rest)
    with pytest.raises(CellExecutionError):
        client.execute()
    _, made, failed = notebook.cells
    assert [output.get("data", {}).get("text/plain") or output.get("text") for output in made.outputs] == [
        "making: done", "[0, 1, 2, 3, 4]\n",
    ]  # fmt: skip
    shown = [message["content"]["data"]["text/plain"] for message in seen if "display_data" in message["msg_type"]]
    assert shown[0] == "making …"
    assert any(line.endswith(" of 5") for line in shown)
    assert failed.outputs[0]["data"]["text/plain"] == "failing: the third of four"


def test_outside_a_notebook_it_shows_nothing(capsys):
    with progress("making") as steps:
        assert list(steps.over(number for number in range(3))) == [0, 1, 2]
    assert capsys.readouterr() == ("", "")


def test_a_function_is_shown_with_its_file():
    shown = show_source(metrics.wilson).data
    assert shown.startswith("`resnet18_lab/inference/metrics.py`\n~~~~~~python\ndef wilson(")
    assert shown.endswith("~~~~~~")
    assert "class Share" in show_source(metrics.Share).data


def test_what_has_no_python_source_is_one_error():
    with pytest.raises(ParameterError, match="no Python source"):
        show_source(len)


def test_on_a_projector_a_figure_has_more_pixels(monkeypatch):
    figure, _ = style.chart("a title", "x", "y", None)
    usual, _ = figure._repr_mimebundle_()
    monkeypatch.setenv(style.PROJECTOR_VARIABLE, "1")
    larger, _ = figure._repr_mimebundle_()
    assert width(larger) / width(usual) == pytest.approx(160 / 110, rel=0.01)


def width(bundle):
    import base64
    import io

    from PIL import Image

    return Image.open(io.BytesIO(base64.b64decode(bundle["image/png"]))).width


def test_no_text_of_a_figure_is_smaller_than_nine_points():
    found = [
        (path.name, size)
        for path in (ROOT / "resnet18_lab").rglob("*.py")
        for size in re.findall(r"(?:fontsize|labelsize|font\.size\"?)\W{1,3}([\w.]+)", path.read_text(encoding="utf-8"))
    ]
    assert len(found) > 5
    assert [(name, size) for name, size in found if size.replace(".", "").isdigit() and float(size) < 9] == []
    assert {size for _, size in found if not size.replace(".", "").isdigit()} <= {"_TITLE_SIZE"}
