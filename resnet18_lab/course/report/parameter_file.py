"""Parameters from a YAML file: for every notebook that declares them, or below a notebook's name."""

from collections.abc import Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from resnet18_lab.base.errors import ParameterError
from resnet18_lab.course.notebooks import all_notebooks
from resnet18_lab.course.report import parameters

_MOST_BYTES = 64 * 1024
_MOST_VALUES = 10_000


@dataclass(frozen=True)
class FileParameters:
    """What a file sets: ``everywhere`` for all notebooks that declare it, ``by_notebook`` for one, by its stem."""

    everywhere: dict[str, Any] = field(default_factory=dict)
    by_notebook: dict[str, dict[str, Any]] = field(default_factory=dict)

    def of(self, notebook: str, declarations: dict[str, str]) -> dict[str, Any]:
        """The values for a notebook; what stands below its own name wins."""
        common = {name: value for name, value in self.everywhere.items() if name in declarations}
        return common | self.by_notebook.get(notebook, {})


class _Loader(yaml.SafeLoader):
    """YAML's own would let the second of two equal keys win silently."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        names = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise yaml.MarkedYAMLError(problem=f"{twice!r} is there twice", problem_mark=node.start_mark)
        return super().construct_mapping(node, deep)


def read_parameters(path: Path) -> FileParameters:
    """The file's parameters, checked by name and type against all notebooks, chosen or not; ParameterError if wrong."""
    content = _content(path)
    try:
        return _checked(content)
    except ParameterError as error:
        raise ParameterError(f"{path}: {error}") from None


def _content(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            raw = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise ParameterError(
            f"The parameters in {path} cannot be read ({error.strerror}); give a YAML file of name: value."
        ) from None
    if len(raw) > _MOST_BYTES:
        raise ParameterError(f"{path} holds more than {_MOST_BYTES // 1024} KiB; give a YAML file of name: value.")
    content = _parsed(raw, path)
    if not isinstance(content, dict):
        raise ParameterError(f"{path} holds no parameters; write name: value, a line each.")
    _bounded(content, path)
    return content


def _parsed(raw: bytes, path: Path) -> object:
    try:
        loader = _Loader(raw.decode("utf-8-sig"))
        try:
            return loader.get_single_data()
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        reason = f"{error.problem}{f', line {mark.line + 1}' if mark else ''}"
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: not UTF-8, or a date of no calendar
        reason = str(error).partition("\n")[0]
    raise ParameterError(f"{path} is no YAML that can be read ({reason}).")


def _bounded(content: object, path: Path) -> None:
    """Few lines of YAML can name the same value again and again: such a tree is as good as endless."""
    waiting, seen = [content], 0
    while waiting:
        value = waiting.pop()
        seen += 1
        if isinstance(value, dict | list):
            waiting += value.values() if isinstance(value, dict) else value
        if seen + len(waiting) > _MOST_VALUES:
            raise ParameterError(f"{path} holds more than {_MOST_VALUES:,} values; no notebook has so many.")


def _checked(content: dict[Any, Any]) -> FileParameters:
    everywhere: dict[str, Any] = {}
    by_notebook: dict[str, dict[str, Any]] = {}
    declarations = {notebook.stem: parameters.declared(notebook) for notebook in all_notebooks()}
    known = {name: kind for types in declarations.values() for name, kind in types.items()}
    for name, value in content.items():
        if not isinstance(name, str):
            raise ParameterError(f"{name!r} is no name of a parameter or a notebook.")
        if name in known:
            everywhere[name] = value
        elif isinstance(value, dict) or name in declarations:
            stem = parameters.notebook_named(name).stem
            if not isinstance(value, dict | None):
                raise ParameterError(f"{name} is followed by {value!r}; write its parameters below it, name: value.")
            if stem in by_notebook:
                raise ParameterError(f"{stem} is there twice.")
            by_notebook[stem] = _of_one(stem, value or {}, declarations[stem])
        else:
            parameters.check({name: value}, known, "the notebooks")
    for stem, types in declarations.items():
        parameters.check({name: everywhere[name] for name in everywhere if name in types}, types, stem)
    return FileParameters({name: _from_here(name, value) for name, value in everywhere.items()}, by_notebook)


def _of_one(stem: str, values: dict[Any, Any], types: dict[str, str]) -> dict[str, Any]:
    parameters.check(values, types, stem)
    return {name: _from_here(name, value) for name, value in values.items()}


def _from_here(name: str, value: object) -> object:
    return parameters.from_here(name, value) if isinstance(value, str) else value
