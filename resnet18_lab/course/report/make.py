"""The report as a whole: weights, artifacts, every notebook, pages and index."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from resnet18_lab.base.errors import ParameterError, ReportError
from resnet18_lab.base.notify import Notify
from resnet18_lab.course.lesson import lessons_of, network_for
from resnet18_lab.course.report import parameters
from resnet18_lab.course.report.junit import check_target
from resnet18_lab.course.report.plan import Step, plan
from resnet18_lab.weights.ensure import ensure_weights
from resnet18_lab.weights.find import WeightsFile
from resnet18_lab.weights.names import split_name

if TYPE_CHECKING:  # what runs and renders notebooks is slow to import; a mistake in the call is told before
    from resnet18_lab.course.report.book import Book
    from resnet18_lab.course.report.execution import Run

CELL_TIMEOUT = {"fast": 300, "full": 3600}
"""Seconds one cell may take."""


@dataclass(frozen=True)
class Report:
    """Where the index lies, how each notebook went, and the names of those that were not run."""

    index: Path
    runs: "list[Run]"
    not_run: list[str] = field(default_factory=list)

    @property
    def failed(self) -> "list[Run]":
        """Runs that stopped before their end."""
        return [run for run in self.runs if run.failure is not None]


@contextmanager
def _sole_writer(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / ".lock", timeout=0):
            yield
    except Timeout:
        raise ReportError(f"Another report is being made in {folder}; wait for it or give another --output.") from None


def _build_for(steps: Sequence[Step], files: dict[str, WeightsFile], usual: str, notify: Notify) -> None:
    """Build what the notebooks' metadata lists, of the weights that each runs with."""
    from resnet18_lab.export.build import build

    for name, file in files.items():
        notebooks = {step.notebook for step in steps if step.parameters.get("weights", usual) == name}
        formats = sorted({format_ for notebook in notebooks for format_ in parameters.artifacts_of(notebook)})
        if notebooks:
            build(file, only=formats, notify=notify)


def make_report(
    output: Path,
    *,
    names: list[str] | None = None,
    profile: str = "fast",
    overrides: dict[str, Any] | None = None,
    given: dict[str, str] | None = None,
    file: Path | None = None,
    sweeps: Sequence[str] = (),
    weights: str = "auto",
    cell_timeout: int | None = None,
    fail_fast: bool = False,
    junit: Path | None = None,
    progress: bool = False,
    notify: Notify = lambda _: None,
) -> Report:
    """The report in ``output``: a page, an executed notebook and results for each, and index.html.

    Without ``names``, another network than ResNet-18, or one with other classes, has the notebooks that take such.
    ``overrides`` are values of parameters, ``given`` such as text from a command line, ``file`` a YAML file of them,
    ``sweeps`` texts such as ``threads=1,2,4``. A notebook that fails is shown with the cell and the class of its
    failure; the others still run, unless ``fail_fast``. ``junit`` is a file that CI servers read.
    """
    steps = plan(names or _lessons_for(weights), profile, overrides or {}, given, file=file, sweeps=sweeps)
    if junit is not None:
        check_target(junit)
    for step in steps:
        network_for(step.notebook.stem, str(step.parameters.get("weights", weights)))
    asked = [weights, *(str(step.parameters["weights"]) for step in steps if "weights" in step.parameters)]
    files = {name: ensure_weights(name, notify=notify) for name in dict.fromkeys(asked)}
    from resnet18_lab.course.report.book import Book

    output = output.resolve()
    with _sole_writer(output):
        _build_for(steps, files, weights, notify)
        started = time.strftime("%Y-%m-%dT%H:%M:%S")  # as JUnit's schema has it: without a zone
        book = Book(output, steps, files[weights], profile, started, junit)
        timeout = cell_timeout or CELL_TIMEOUT[profile]
        _run_all(book, files, timeout, fail_fast=fail_fast, progress=progress, notify=notify)
    return Report(book.index, book.runs, book.not_run)


def _lessons_for(weights: str) -> list[str]:
    """The lessons that such a network can have, where not all; ParameterError where it can have none."""
    network = split_name(weights)[0]
    names = lessons_of(network)
    if names == []:
        raise ParameterError(
            f"No lesson is about a network such as {weights}: {network.title} with classes of its own."
        )
    return names or []


def _run_all(
    book: "Book", files: dict[str, WeightsFile], timeout: int, *, fail_fast: bool, progress: bool, notify: Notify
) -> None:
    """Run one step after the other; whatever ends them, Ctrl-C too, the index says what is done."""
    try:
        for position, step in enumerate(book.steps, start=1):
            notify(f"[{position}/{len(book.steps)}] {step.name}")
            file = files[str(step.parameters["weights"])] if "weights" in step.parameters else book.weights
            run = _run(book, step, file, timeout, progress=progress)
            book.add(run, file)
            if run.failure:
                notify(f"    {run.failure.kind} in cell {run.failure.cell}: {run.failure.message}")
                if fail_fast:
                    break
    finally:
        book.close()


def _run(book: "Book", step: Step, file: WeightsFile, timeout: int, *, progress: bool) -> "Run":
    from resnet18_lab.course.report.execution import execute

    results = book.folder / "results" / (step.name if step.swept else "")
    common = {"weights": file.text, "results_dir": str(results)}
    return execute(
        step.notebook,
        book.folder / f"{step.name}.ipynb",
        {**step.declared(common), **step.parameters},
        cell_timeout=timeout,
        progress=progress,
        profile=str(step.parameters.get("profile", book.profile)),
        swept=step.swept,
    )
