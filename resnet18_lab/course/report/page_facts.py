"""What stands at the top of a page: the state of its run, its parameters and the processor."""

import ast
from dataclasses import dataclass
from typing import Any

import papermill

from resnet18_lab.base.machine import cpu_model, usable_cores
from resnet18_lab.course.report import execution
from resnet18_lab.course.report.execution import Failure, Run
from resnet18_lab.course.report.page_cells import FAILED, NOT_RUN
from resnet18_lab.course.report.parameters import literal_path

RAN, NOISY = "ran", "ran, noisy"


@dataclass(frozen=True)
class Parameter:
    """One parameter of a run, as Python writes it; ``default`` is empty where the notebook's own value was used."""

    name: str
    value: str
    default: str
    what: str


def parameters_of(run: Run) -> list[Parameter]:
    """Every parameter that the notebook declares, and those given beyond them."""
    declared: dict[str, dict[str, Any]] = papermill.inspect_notebook(literal_path(run.executed))
    rows = []
    for name in [*declared, *(name for name in run.parameters if name not in declared)]:
        facts = declared.get(name, {})
        default = _python(str(facts.get("default", "")))
        value = repr(run.parameters[name]) if name in run.parameters else default
        rows.append(Parameter(name, value, default if value != default else "", str(facts.get("help", ""))))
    return rows


def _python(source: str) -> str:
    """A literal as Python itself writes it, so that it can be compared with another; anything else as it is."""
    try:
        return repr(ast.literal_eval(source))
    except (ValueError, SyntaxError):
        return source


def processor() -> str:
    """The CPU's name and how many of its cores may be used."""
    cores = usable_cores()
    return f"{cpu_model()}, {cores} usable core{'s' if cores > 1 else ''}"


def state_of(failure: Failure | None, noisy: tuple[str, ...]) -> str:
    """How a run went, in the words of index and pages."""
    if failure is not None:
        return NOT_RUN if failure.kind == execution.NOT_RUN else FAILED
    return NOISY if noisy else RAN
