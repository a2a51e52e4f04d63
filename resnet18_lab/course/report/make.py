"""The report as a whole: weights, artifacts, every notebook, pages and index."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from resnet18_lab.base.errors import ReportError
from resnet18_lab.course.report import pages, parameters
from resnet18_lab.course.report.execution import Run, execute
from resnet18_lab.weights.ensure import ensure_weights
from resnet18_lab.weights.find import WeightsFile

CELL_TIMEOUT = {"fast": 300, "full": 3600}
"""Seconds one cell may take."""


@dataclass(frozen=True)
class Report:
    """Where the index lies and how each notebook went."""

    index: Path
    runs: list[Run]

    @property
    def failed(self) -> list[Run]:
        """Runs that stopped before their end."""
        return [run for run in self.runs if run.failure is not None]


def plan(
    names: list[str], profile: str, overrides: dict[str, Any], given: dict[str, str] | None = None
) -> list[tuple[Path, dict[str, Any]]]:
    """Notebooks with their checked parameters; raises ParameterError before anything runs.

    ``given`` are overrides as text, which is read as the notebooks declare its type. An override may belong to some of
    the notebooks only, but each must belong to one at least.
    """
    notebooks = [parameters.notebook_named(name) for name in names] if names else parameters.all_notebooks()
    declarations = {notebook: parameters.declared(notebook) for notebook in notebooks}
    all_types = {name: kind for types in declarations.values() for name, kind in types.items()}
    overrides = {**overrides, **parameters.typed(given or {}, all_types)}
    stems = [notebook.stem for notebook in notebooks]
    parameters.check(overrides, all_types, " or ".join(stems) if len(stems) < 3 else "the notebooks")
    steps = []
    for notebook, types in declarations.items():
        values = parameters.profile_values(profile, notebook.stem)
        values |= {name: value for name, value in overrides.items() if name in types}
        parameters.check(values, types, notebook.stem)
        steps.append((notebook, values))
    return steps


def _declared_of(values: dict[str, Any], notebook: Path) -> dict[str, Any]:
    types = parameters.declared(notebook)
    return {name: value for name, value in values.items() if name in types}


@contextmanager
def _sole_writer(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / ".lock", timeout=0):
            yield
    except Timeout:
        raise ReportError(f"Another report is being made in {folder}; wait for it or give another --output.") from None


def _build_for(notebooks: list[Path], file: WeightsFile, notify: Callable[[str], None]) -> None:
    from resnet18_lab.export.build import build

    formats = {format_: None for notebook in notebooks for format_ in parameters.artifacts_of(notebook)}
    build(file, only=list(formats), notify=notify)


def make_report(
    output: Path,
    *,
    names: list[str] | None = None,
    profile: str = "fast",
    overrides: dict[str, Any] | None = None,
    given: dict[str, str] | None = None,
    weights: str = "auto",
    progress: bool = False,
    notify: Callable[[str], None] = lambda _: None,
) -> Report:
    """The report in ``output``: a page, an executed notebook and results for each, and index.html.

    ``overrides`` are values of parameters, ``given`` such as text from a command line. A notebook that fails is shown
    with the cell and the class of its failure; the others still run.
    """
    steps = plan(names or [], profile, overrides or {}, given)
    file = ensure_weights(weights, notify=notify)
    output = output.resolve()
    runs, cards = [], []
    with _sole_writer(output):
        _build_for([notebook for notebook, _ in steps], file, notify)
        for position, (notebook, values) in enumerate(steps, start=1):
            notify(f"[{position}/{len(steps)}] {notebook.stem}")
            common = {"weights": str(file.path or file.name), "results_dir": str(output / "results")}
            run = execute(
                notebook,
                output / notebook.name,
                {**_declared_of(common, notebook), **values},
                cell_timeout=CELL_TIMEOUT[profile],
                progress=progress,
            )
            cards.append(pages.write_page(run, file, output / f"{notebook.stem}.html"))
            runs.append(run)
            if run.failure:
                notify(f"    {run.failure.kind} in cell {run.failure.cell}: {run.failure.message}")
            pages.write_index(cards, file, profile, output / "index.html")
    return Report(output / "index.html", runs)
