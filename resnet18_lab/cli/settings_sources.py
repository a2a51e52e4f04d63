"""Where the options of a command come from: command line, then environment, then a settings file, then defaults."""

import os
import tomllib
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand

from resnet18_lab.base.errors import ParameterError

PREFIX = "RESNET18_LAB_SERVE"
"""Environment variables: this, an underscore, and the option in capitals with underscores."""
_SOURCES = {"COMMANDLINE": "command line", "ENVIRONMENT": "environment", "DEFAULT_MAP": "settings file"}


class QuietCommand(TyperCommand):
    """A command whose help does not repeat the variable of each option; the epilog says how they are called."""

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - Typer's own
        super().__init__(*arguments, **options)
        for one in self.params:
            one.show_envvar = False  # type: ignore[attr-defined]


def read_file(context: typer.Context, path: Path | None) -> Path | None:
    """Take the options of a TOML file as defaults; a callback for an eager option. ParameterError for a wrong file."""
    names = [str(one.name) for one in context.command.params]
    _refuse_unknown_variables(names)
    if path is None:
        return None
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ParameterError(
            f"The settings in {path} cannot be read ({reason}); see --show-settings for one."
        ) from error
    given = {str(name).replace("-", "_"): value for name, value in table.items()}
    for name, value in given.items():
        if name not in names or name in ("settings", "show_settings"):
            raise ParameterError(f"{path} sets {name}, which is no option; {_nearest(name, names)}")
        if isinstance(value, dict):
            raise ParameterError(f"{path}: {name} is a table; write `{name} = VALUE`.")
    # As text, so that each option reads it as it reads the command line: 1.5 is no port, and "8000" is one.
    context.default_map = {name: _as_typed(value) for name, value in given.items()}
    return path


def _as_typed(value: object) -> object:
    return [str(one) for one in value] if isinstance(value, list) else str(value)


def _refuse_unknown_variables(names: Iterable[str]) -> None:
    known = {f"{PREFIX}_{name.upper()}": name for name in names}
    for variable in os.environ:
        if variable.startswith(f"{PREFIX}_") and variable not in known:
            hint = _nearest(variable.removeprefix(f"{PREFIX}_").lower(), known.values())
            raise ParameterError(f"{variable} is set, which is no option; {hint}")


def _nearest(name: str, names: Iterable[str]) -> str:
    found = get_close_matches(name, list(names), 1)
    return f"is {found[0]} meant?" if found else "--show-settings lists them."


def as_toml(context: typer.Context, values: dict[str, Any]) -> Iterator[str]:
    """Lines of a settings file with the values in force, each with its source; those that are not set, as comments."""
    for name, value in values.items():
        source = context.get_parameter_source(name)
        word = _SOURCES.get(source.name if source else "", "default")
        if value is None:
            yield f"# {name.replace('_', '-')} is not set"
        else:
            yield f"{name.replace('_', '-')} = {_literal(value)}  # {word}"


def _literal(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(_literal(one) for one in value)}]"
    text = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
