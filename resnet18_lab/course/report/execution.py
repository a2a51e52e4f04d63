"""One notebook, run: the executed copy is kept whatever happens, and a failure is classed."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import papermill
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill.exceptions import PapermillExecutionError

CLASSES: Mapping[str, tuple[str, ...]] = {
    "DOWNLOAD": ("FetchError", "URLError", "HTTPError", "WeightsNotFoundError", "ConnectionError"),
    "MISSING_DEPENDENCY": ("ModuleNotFoundError", "ImportError", "BackendError", "ArtifactError"),
    "ASSERTION": ("AssertionError",),
    "TIMEOUT": ("CellTimeoutError", "TimeoutError"),
    "KERNEL_DIED": ("DeadKernelError",),
}
"""Failure class -> names of the exceptions that belong to it; anything else is OTHER."""


@dataclass(frozen=True)
class Failure:
    """Why a notebook stopped: its class, the cell (counted from 1) with its source, and the message."""

    kind: str
    cell: int | None
    source: str
    message: str


@dataclass(frozen=True)
class Run:
    """One executed notebook; ``failure`` is None when every cell ran."""

    name: str
    executed: Path
    seconds: float
    parameters: dict[str, Any]
    failure: Failure | None


def class_of(exception_name: str) -> str:
    """The failure class of an exception's name."""
    return next((kind for kind, names in CLASSES.items() if exception_name in names), "OTHER")


def execute(notebook: Path, executed: Path, parameters: dict[str, Any], *, cell_timeout: int, progress: bool) -> Run:
    """Run a notebook from its own folder with parameters (checked by the caller) and keep the executed copy."""
    started = time.perf_counter()
    failure = None
    try:
        papermill.execute_notebook(
            notebook,
            executed,
            parameters=parameters,
            cwd=notebook.parent,
            kernel_name="python3",
            execution_timeout=cell_timeout,
            progress_bar={"leave": False} if progress else False,
            extra_arguments=["--log-level=ERROR"],  # or each kernel warns of its own loopback socket
        )
    except PapermillExecutionError as error:
        failure = Failure(class_of(error.ename), error.cell_index + 1, error.source, f"{error.ename}: {error.evalue}")
    except (CellTimeoutError, DeadKernelError) as error:
        cell, source = _last_started_cell(executed)
        message = f"no answer within {cell_timeout} s" if isinstance(error, TimeoutError) else "the kernel died"
        failure = Failure(class_of(type(error).__name__), cell, source, message)
    return Run(notebook.stem, executed, time.perf_counter() - started, parameters, failure)


def _last_started_cell(executed: Path) -> tuple[int | None, str]:
    """Position (from 1) and source of the last code cell that was started; papermill calls it completed."""
    started: tuple[int | None, str] = (None, "")
    for position, cell in enumerate(nbformat.read(executed, as_version=4).cells, start=1):
        if cell.cell_type == "code" and cell.metadata.get("papermill", {}).get("start_time"):
            started = position, str(cell.source)
    return started
