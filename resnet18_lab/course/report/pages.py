"""Executed notebooks as self-contained HTML pages: nothing is loaded from the network."""

import base64
import io
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import jinja2
import nbformat
from nbconvert import HTMLExporter
from PIL import Image
from traitlets.config import Config

from resnet18_lab.base.files import write_text
from resnet18_lab.base.machine import snapshot
from resnet18_lab.course.report.execution import Failure, Run
from resnet18_lab.weights.find import WeightsFile

_TEMPLATES = Path(__file__).resolve().parent / "templates"
_THUMBNAIL = (480, 320)


@dataclass(frozen=True)
class Card:
    """What the index shows of one notebook."""

    name: str
    title: str
    seconds: float
    thumbnail: str | None
    failure: Failure | None


@lru_cache(maxsize=1)
def _style() -> str:
    from pygments.formatters import HtmlFormatter

    return (_TEMPLATES / "style.css").read_text(encoding="utf-8") + HtmlFormatter().get_style_defs(".highlight")


def _title_of(notebook: nbformat.NotebookNode) -> str:
    """The first heading."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and cell.source.startswith("# "):
            return str(cell.source.splitlines()[0][2:])
    return "Notebook"


def write_page(run: Run, weights: WeightsFile, target: Path) -> Card:
    """Render an executed notebook to ``target`` and return its card for the index."""
    notebook = nbformat.read(run.executed, as_version=4)
    for cell in [cell for cell in notebook.cells if "papermill-error-cell-tag" in cell.metadata.get("tags", [])]:
        notebook.cells.remove(cell)  # papermill's own notice; the page has a clearer one
    title = _title_of(notebook)
    exporter = HTMLExporter(
        template_name="lab_page",
        extra_template_basedirs=[str(_TEMPLATES)],
        exclude_input_prompt=True,
        exclude_output_prompt=True,
        config=Config({"HTMLExporter": {"anchor_link_text": ""}}),
    )
    failure = f"{run.failure.kind} in cell {run.failure.cell or '?'}: {run.failure.message}" if run.failure else None
    page = {
        "title": title,
        "style": _style(),
        "untrained": weights.path is None,
        "facts": f"weights {weights.name}, {run.seconds:.0f} s, {time.strftime('%Y-%m-%d %H:%M')}",
        "failure": failure,
    }
    html, _ = exporter.from_notebook_node(notebook, resources={"lab_page": page})
    write_text(target, html)
    return Card(run.name, title, run.seconds, _thumbnail(notebook), run.failure)


def _thumbnail(notebook: nbformat.NotebookNode) -> str | None:
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            encoded = data.get("image/jpeg") or data.get("image/png")
            if encoded:
                picture = Image.open(io.BytesIO(base64.b64decode(encoded))).convert("RGB")
                picture.thumbnail(_THUMBNAIL, Image.Resampling.LANCZOS)
                small = io.BytesIO()
                picture.save(small, "PNG", optimize=True)
                return "data:image/png;base64," + base64.b64encode(small.getvalue()).decode("ascii")
    return None


def write_index(cards: list[Card], weights: WeightsFile, profile: str, target: Path) -> None:
    """Write the page that leads to all others."""
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(_TEMPLATES), autoescape=True)
    html = environment.get_template("index.html.j2").render(
        style=_style(),
        untrained=weights.path is None,
        made=time.strftime("%Y-%m-%d %H:%M"),
        profile=profile,
        weights=weights,
        items=cards,
        environment=_rows(snapshot()),
    )
    write_text(target, html)


def _rows(facts: dict[str, Any]) -> list[tuple[str, str]]:
    rows = []
    for name, value in facts.items():
        if isinstance(value, dict):
            text = ", ".join(
                key if entry is True else f"{key} {entry}" for key, entry in value.items() if entry is not False
            )
        elif name == "memory_bytes" and value is not None:
            text = f"{value / 1e9:.1f} GB"
        else:
            text = "not available" if value is None else str(value)
        rows.append((name.removesuffix("_bytes").replace("_", " "), text))
    return rows
