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
from resnet18_lab.course.report.page_cells import alt_of, make_ready
from resnet18_lab.course.report.page_facts import parameters_of, processor, state_of
from resnet18_lab.course.report.page_html import finished
from resnet18_lab.weights.find import WeightsFile

_TEMPLATES = Path(__file__).resolve().parent / "templates"
_THUMBNAIL = (480, 320)


@dataclass(frozen=True)
class Card:
    """What the index shows of one notebook; ``noisy`` lists the conclusions that were withheld."""

    name: str
    title: str
    seconds: float
    thumbnail: str | None
    failure: Failure | None
    noisy: tuple[str, ...] = ()
    thumbnail_alt: str = ""

    @property
    def state(self) -> str:
        """How the run went, in a word or two."""
        return state_of(self.failure, self.noisy)


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


def write_page(
    run: Run, weights: WeightsFile, target: Path, neighbours: tuple[str | None, str | None] = (None, None)
) -> Card:
    """Render an executed notebook to ``target`` and return its card for the index.

    ``neighbours`` are the names of the runs before and after it, where there are any.
    """
    notebook = nbformat.read(run.executed, as_version=4)
    make_ready(notebook, run.failure)
    title = _title_of(notebook)
    exporter = HTMLExporter(
        template_name="lab_page",
        extra_template_basedirs=[str(_TEMPLATES)],
        exclude_input_prompt=True,
        exclude_output_prompt=True,
        config=Config({"HTMLExporter": {"anchor_link_text": ""}}),
    )
    page = {
        "title": title,
        "style": _style(),
        "untrained": weights.path is None,
        "facts": f"weights {weights.name}, {run.seconds:.0f} s, {time.strftime('%Y-%m-%d %H:%M')}",
        "processor": processor(),
        "parameters": parameters_of(run),
        "state": state_of(run.failure, run.noisy),
        "failure": run.failure,
        "noisy": run.noisy,
        "neighbours": neighbours,
    }
    html, _ = exporter.from_notebook_node(notebook, resources={"lab_page": page})
    write_text(target, finished(html))
    thumbnail, alt = _thumbnail(notebook)
    return Card(run.name, title, run.seconds, thumbnail, run.failure, run.noisy, alt)


def _thumbnail(notebook: nbformat.NotebookNode) -> tuple[str | None, str]:
    """The first figure, small, and what it shows."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            encoded = data.get("image/jpeg") or data.get("image/png")
            if encoded:
                picture = Image.open(io.BytesIO(base64.b64decode(encoded))).convert("RGB")
                picture.thumbnail(_THUMBNAIL, Image.Resampling.LANCZOS)
                small = io.BytesIO()
                picture.save(small, "WEBP", quality=75)
                return "data:image/webp;base64," + base64.b64encode(small.getvalue()).decode("ascii"), alt_of(output)
    return None, ""


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
        processor=processor(),
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
