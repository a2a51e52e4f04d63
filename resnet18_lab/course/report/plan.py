"""What a report will run: each notebook with its checked parameters, once or once for each value of a sweep."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from resnet18_lab.base.errors import ParameterError, unknown_name
from resnet18_lab.course.notebooks import all_notebooks
from resnet18_lab.course.report import parameters, sweep
from resnet18_lab.course.report.parameter_file import FileParameters, read_parameters

Declarations = dict[Path, dict[str, str]]


@dataclass(frozen=True)
class Step:
    """A run to come: ``name`` is what its files are called, ``swept`` those of its parameters that a sweep chose."""

    notebook: Path
    name: str
    parameters: dict[str, Any]
    swept: dict[str, Any] = field(default_factory=dict)

    def declared(self, values: dict[str, Any]) -> dict[str, Any]:
        """Those of the values that the notebook has a parameter for."""
        types = parameters.declared(self.notebook)
        return {name: value for name, value in values.items() if name in types}


def plan(
    names: list[str],
    profile: str,
    overrides: dict[str, Any],
    given: dict[str, str] | None = None,
    *,
    file: Path | None = None,
    sweeps: Sequence[str] = (),
) -> list[Step]:
    """Runs with their checked parameters; raises ParameterError before anything runs.

    ``given`` are overrides as text, which is read as the notebooks declare its type. An override may belong to some of
    the notebooks only, but each must belong to one at least. A sweep wins over an override, that over the ``file``,
    and that over the profile.
    """
    notebooks = [parameters.notebook_named(name) for name in names] if names else all_notebooks()
    declarations = {notebook: parameters.declared(notebook) for notebook in notebooks}
    overrides = _overrides(overrides, given or {}, declarations)
    from_file = read_parameters(file) if file else FileParameters()
    swept = _sweeps(sweeps, overrides, declarations)
    steps: list[Step] = []
    for notebook, types in declarations.items():
        values = parameters.profile_values(profile, notebook.stem) | from_file.of(notebook.stem, types)
        values |= {name: value for name, value in overrides.items() if name in types}
        for chosen in sweep.combinations(swept, types):
            parameters.check(values | chosen, types, notebook.stem)
            if chosen and sweep.RESULTS in values:
                raise ParameterError(f"Each run of a sweep has its own folder for results; leave out {sweep.RESULTS}.")
            name = sweep.name_of(notebook.stem, chosen, [step.name for step in steps])
            steps.append(Step(notebook, name, values | chosen, chosen))
    sweep.refuse_too_many(len(steps))
    return steps


def _overrides(overrides: dict[str, Any], given: dict[str, str], declarations: Declarations) -> dict[str, Any]:
    types = _all_types(declarations)
    overrides = {**overrides, **parameters.typed(given, types)}
    parameters.check(overrides, types, _called(declarations))
    return overrides


def _sweeps(texts: Sequence[str], overrides: dict[str, Any], declarations: Declarations) -> dict[str, str]:
    sweeps = sweep.parse_sweep(texts)
    types = _all_types(declarations)
    for name in sweeps:
        if name not in types:
            raise ParameterError(unknown_name(f"parameter of {_called(declarations)}", name, types))
        if name in overrides:
            raise ParameterError(f"{name} has a value of its own and a sweep; give one of -p and --sweep.")
    return sweeps


def _all_types(declarations: Declarations) -> dict[str, str]:
    return {name: kind for types in declarations.values() for name, kind in types.items()}


def _called(declarations: Declarations) -> str:
    stems = [notebook.stem for notebook in declarations]
    return " or ".join(stems) if len(stems) < 3 else "the notebooks"
