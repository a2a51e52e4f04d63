"""One notebook, run: the executed copy is kept whatever happens, and a failure is classed."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
import papermill
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill.exceptions import PapermillExecutionError

from resnet18_lab.course.report.kernels import kernel_environment, kernels_with
from resnet18_lab.course.report.parameters import literal_path
from resnet18_lab.course.report.withheld import stamp, withheld_in

CLASSES: Mapping[str, tuple[str, ...]] = {
    "DOWNLOAD": ("FetchError", "URLError", "HTTPError", "WeightsNotFoundError", "ConnectionError"),
    "MISSING_DEPENDENCY": ("ModuleNotFoundError", "ImportError", "BackendError", "ArtifactError"),
    "ASSERTION": ("AssertionError",),
    "TIMEOUT": ("CellTimeoutError", "TimeoutError"),
    "KERNEL_DIED": ("DeadKernelError",),
}
"""Failure class -> names of the exceptions that belong to it; anything else is OTHER."""


NOT_RUN = "NOT_RUN"
"""The kind of failure of a run that the report ended before."""


@dataclass(frozen=True)
class Failure:
    """Why a notebook stopped: its class, the cell (counted from 1) with its source, and the message."""

    kind: str
    cell: int | None
    source: str
    message: str


@dataclass(frozen=True)
class Run:
    """One executed notebook; ``failure`` is None when every cell ran.

    ``noisy`` names the conclusions, each with its reason, that the notebook found too noisy to say; ``swept`` are those
    of its parameters that a sweep chose.
    """

    name: str
    executed: Path
    seconds: float
    parameters: dict[str, Any]
    failure: Failure | None
    noisy: tuple[str, ...] = ()
    swept: dict[str, Any] = field(default_factory=dict)


def class_of(exception_name: str) -> str:
    """The failure class of an exception's name."""
    return next((kind for kind, names in CLASSES.items() if exception_name in names), "OTHER")


def execute(
    notebook: Path,
    executed: Path,
    parameters: dict[str, Any],
    *,
    cell_timeout: int,
    progress: bool,
    profile: str = "fast",
    swept: dict[str, Any] | None = None,
) -> Run:
    """Run a notebook from its own folder with parameters (checked by the caller) and keep the executed copy."""
    results = Path(parameters["results_dir"], f"{notebook.stem}.json") if parameters.get("results_dir") else None
    before, started = stamp(results), time.perf_counter()
    failure = _executed(notebook, executed, parameters, cell_timeout=cell_timeout, progress=progress, profile=profile)
    seconds = time.perf_counter() - started
    noisy = withheld_in(results, before)
    return Run(executed.stem, executed, seconds, parameters, failure, noisy, swept or {})


def _executed(
    notebook: Path, executed: Path, parameters: dict[str, Any], *, cell_timeout: int, progress: bool, profile: str
) -> Failure | None:
    """Why the notebook stopped, or None when it ran to its end."""
    try:
        papermill.execute_notebook(
            literal_path(notebook),
            literal_path(executed),
            parameters=parameters,
            cwd=notebook.parent,
            kernel_name="python3",
            kernel_manager_class=kernels_with(kernel_environment(profile)),
            execution_timeout=cell_timeout,
            progress_bar={"leave": False} if progress else False,
            extra_arguments=["--log-level=CRITICAL"],  # or kernels tell of their sockets, and at Ctrl-C of themselves
        )
    except PapermillExecutionError as error:
        return Failure(class_of(error.ename), error.cell_index + 1, error.source, f"{error.ename}: {error.evalue}")
    except (CellTimeoutError, DeadKernelError) as error:
        cell, source = _last_started_cell(executed)
        message = f"no answer within {cell_timeout} s" if isinstance(error, TimeoutError) else "the kernel died"
        return Failure(class_of(type(error).__name__), cell, source, message)
    return None


def _last_started_cell(executed: Path) -> tuple[int | None, str]:
    """Position (from 1) and source of the last code cell that was started; papermill calls it completed."""
    started: tuple[int | None, str] = (None, "")
    for position, cell in enumerate(nbformat.read(executed, as_version=4).cells, start=1):
        if cell.cell_type == "code" and cell.metadata.get("papermill", {}).get("start_time"):
            started = position, str(cell.source)
    return started
