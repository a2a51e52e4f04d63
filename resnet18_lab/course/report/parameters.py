"""Notebook parameters, compared by name and type before anything runs.

papermill itself only warns about an unknown parameter and takes any type.
"""

import json
import math
import os
from pathlib import Path
from typing import Any

import papermill
import yaml

from resnet18_lab.base import paths
from resnet18_lab.base.errors import ParameterError, unknown_name
from resnet18_lab.base.networks import RESNET18
from resnet18_lab.base.samples import load_samples
from resnet18_lab.course.notebooks import all_notebooks

_PROFILES = ("fast", "full")
_TYPES: dict[str, tuple[type, ...]] = {
    "str": (str,), "int": (int,), "float": (float, int), "bool": (bool,), "list": (list,), "dict": (dict,),
}  # fmt: skip

_RANGES = {
    "top_k": (1, RESNET18.classes), "repeats": (1, 10_000), "crops": (1, 2_000), "threads": (1, 1_024),
    "pictures": (1, 1_000_000), "rounds": (1, 10_000), "most_workers": (1, 1_024), "seconds": (0.1, 3_600),
}  # fmt: skip
"""What a parameter of that name may be, in every notebook; lists in each of their numbers."""


def notebook_named(name: str) -> Path:
    """The notebook of a name such as ``02_classification`` or ``classification``."""
    by_name = {path.stem: path for path in all_notebooks()}
    for stem, path in by_name.items():
        if name.removesuffix(".ipynb") in (stem, stem.split("_", 1)[1], stem.split("_", 1)[0]):
            return path
    raise ParameterError(unknown_name("notebook", name, by_name))


def profile_values(profile: str, notebook: str) -> dict[str, Any]:
    """Parameters a profile sets for a notebook; ``fast`` is the notebook's own defaults."""
    if profile not in _PROFILES:
        raise ParameterError(unknown_name("profile", profile, _PROFILES))
    if profile == "fast":
        return {}
    path = paths.notebooks_dir() / "profiles" / f"{profile}.yml"
    values = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    return dict(values.get(notebook, {}))


def declared(notebook: Path) -> dict[str, str]:
    """Name and type of every parameter the notebook declares."""
    facts = papermill.inspect_notebook(literal_path(notebook))
    return {name: str(fact["inferred_type_name"]) for name, fact in facts.items()}


def literal_path(path: Path) -> str:
    """The path as papermill takes it: to papermill braces stand for parameters."""
    return str(path).replace("{", "{{").replace("}", "}}")


def artifacts_of(notebook: Path) -> list[str]:
    """Names of the artifacts that the notebook's metadata lists: they are built before the notebook runs."""
    metadata = json.loads(notebook.read_text(encoding="utf-8"))["metadata"]
    return list(metadata.get("resnet18_lab", {}).get("artifacts", []))


def parse_assignment(text: str) -> tuple[str, str]:
    """Name and text of ``name=value``; ParameterError for anything else."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise ParameterError(f"{text!r} is no parameter; write name=value, e.g. -p top_k=5.")
    return name, value


def typed(values: dict[str, str], declarations: dict[str, str]) -> dict[str, Any]:
    """The values as the types that the notebooks declare say: text stays text, whatever it looks like.

    What names a file or folder is seen from here, not from where the notebooks run.
    """
    return {
        name: from_here(name, value) if declarations.get(name) in ("str", None) else value_of(value)
        for name, value in values.items()
    }


def from_here(name: str, text: str) -> str:
    """A text parameter; what names a file or a folder is seen from the working directory."""
    is_folder = name.endswith("_dir") and text != ""
    may_be_file = name == "picture" or (name == "weights" and (os.sep in text or Path(text).suffix != ""))
    return str(Path(text).absolute()) if is_folder or (may_be_file and _is_there(text)) else text


def _is_there(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):
        return False


def value_of(text: str) -> Any:  # noqa: ANN401 - whatever JSON holds
    """The JSON value that the text is, Python's True or False, or the text itself."""
    try:
        return json.loads(text)
    except ValueError:
        return {"True": True, "False": False}.get(text, text)


def check(values: dict[str, Any], declarations: dict[str, str], notebook: str) -> None:
    """Raise ParameterError for a name the notebook does not declare or a value of another type."""
    for name, value in values.items():
        if name not in declarations:
            raise ParameterError(unknown_name(f"parameter of {notebook}", name, declarations))
        types = _TYPES.get(declarations[name])
        right = types is None or (isinstance(value, types) and (bool in types or not isinstance(value, bool)))
        if not right:
            raise ParameterError(
                f"The parameter {name} of {notebook} is of type {declarations[name]}; {value!r} is not."
            )
        if name == "picture" and not _is_picture(value):
            raise ParameterError(f"The picture {value!r} of {notebook} is no file here, and none of the samples.")
        if any(not math.isfinite(number) for number in _numbers(value)):
            raise ParameterError(f"The parameter {name} of {notebook} must be finite; {value!r} is not.")
        least, most = _RANGES.get(name, (-math.inf, math.inf))
        if any(not least <= number <= most for number in _numbers(value)):
            raise ParameterError(
                f"The parameter {name} of {notebook} must be from {least} to {most}; {value!r} is not."
            )


def _is_picture(text: str) -> bool:
    return _is_there(text) or text in {sample.path.name for sample in load_samples()}


def _numbers(value: object) -> list[float]:
    """The numbers in a value, or in a list of them."""
    items = value if isinstance(value, list) else [value]
    return [item for item in items if isinstance(item, int | float) and not isinstance(item, bool)]
