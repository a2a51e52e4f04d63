"""An executed notebook made ready for its page: cells numbered, those that did not run marked, figures described."""

import re

import nbformat

from resnet18_lab.course.report.execution import Failure

FAILED, NOT_RUN = "failed", "not run"
_IMAGES = ("image/png", "image/jpeg", "image/svg+xml")
_HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)
_SUMMARY = re.compile(r"^## +Summary *$", re.MULTILINE)
_MARKS = re.compile(r"[*`]|!?\[([^\]]*)\]\([^)]*\)")
_SENTENCE_END = re.compile(r"(?<=[.!?:])\s+")
_LONGEST = 240


def make_ready(notebook: nbformat.NotebookNode, failure: Failure | None) -> None:
    """Change the notebook in memory: ``cell.metadata.lab_page`` gets ``number`` and ``state``, each figure ``alt``.

    Numbers count all cells from 1, as the messages of failures do.
    """
    for cell in [cell for cell in notebook.cells if "papermill-error-cell-tag" in cell.metadata.get("tags", [])]:
        notebook.cells.remove(cell)  # papermill's own notice; the page has a clearer one
    for number, cell in enumerate(notebook.cells, start=1):
        cell.metadata["lab_page"] = {"number": number, "state": _state(cell, number, failure)}
    _describe_figures(notebook)
    if failure is not None:
        _doubt_summary(notebook, failure)


def alt_of(output: nbformat.NotebookNode) -> str:
    """What the figure in an output shows, as its own metadata says; empty where they say nothing."""
    metadata = output.get("metadata", {})
    return next((str(metadata[kind]["alt"]) for kind in _IMAGES if metadata.get(kind, {}).get("alt")), "")


def _state(cell: nbformat.NotebookNode, number: int, failure: Failure | None) -> str:
    if failure is None or cell.cell_type != "code":
        return ""
    if failure.cell is None:
        return "" if cell.get("execution_count") else NOT_RUN
    return FAILED if number == failure.cell else NOT_RUN if number > failure.cell else ""


def _describe_figures(notebook: nbformat.NotebookNode) -> None:
    """Give each figure that brings no description its section's heading and the sentence that leads to it."""
    heading = sentence = ""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            headings = _HEADING.findall(cell.source)
            heading = _plain(headings[-1]) if headings else heading
            sentence = _last_sentence(cell.source) or sentence
        for output in cell.get("outputs", []):
            for kind in set(_IMAGES) & set(output.get("data", {})):
                facts = output.setdefault("metadata", nbformat.from_dict({})).setdefault(kind, {})
                facts["alt"] = alt_of(output) or _words_around(heading, sentence, cell)


def _words_around(heading: str, sentence: str, cell: nbformat.NotebookNode) -> str:
    where = f'in the section "{heading}"' if heading else f"of cell {cell.metadata['lab_page']['number']}"
    return f"Figure {where}" + (f": {sentence}" if sentence else "")


def _last_sentence(source: str) -> str:
    text = _HEADING.sub("", source).strip().rsplit("\n\n", 1)[-1]
    return _SENTENCE_END.split(_plain(text))[-1][:_LONGEST]


def _plain(markdown: str) -> str:
    return " ".join(_MARKS.sub(r"\1", markdown).split())


def _doubt_summary(notebook: nbformat.NotebookNode, failure: Failure) -> None:
    """Say in the summary that this run did not get as far as what it states."""
    where = f"in cell {failure.cell}" if failure.cell else "before its end"
    note = (
        f'\n\n<p class="unfounded" role="note"><strong>Not founded on this run:</strong> it stopped {where}, before '
        "what stands here was measured. These sentences are the notebook's own text, not a result.</p>\n\n"
    )
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = _SUMMARY.sub(lambda found: found[0] + note, cell.source)
