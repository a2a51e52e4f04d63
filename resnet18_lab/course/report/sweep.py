"""A sweep: the values that a parameter takes in turn, and what tells the runs apart."""

import itertools
import json
import math
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from resnet18_lab.base.errors import ParameterError
from resnet18_lab.course.report import parameters

MOST_RUNS = 100
"""Runs of notebooks that one report makes; more are a slip of the keyboard, or weeks of work."""
_LONGEST = 40
RESULTS = "results_dir"


def parse_sweep(texts: Sequence[str]) -> dict[str, str]:
    """The text of the values by the parameter's name, of ``name=value,value,...``."""
    sweeps: dict[str, str] = {}
    for text in texts:
        name, equals, values = text.partition("=")
        if not (name and equals and values):
            raise ParameterError(f"{text!r} is no sweep; write name=value,value,..., e.g. --sweep threads=1,2,4.")
        if name in sweeps:
            raise ParameterError(f"--sweep {name} is given twice; give all its values at once: {name}=value,value.")
        if name == RESULTS:
            raise ParameterError(f"{RESULTS} cannot be swept: each run of a sweep has a folder of its own for results.")
        sweeps[name] = values
    return sweeps


def combinations(sweeps: Mapping[str, str], declarations: dict[str, str]) -> list[dict[str, Any]]:
    """The product of all values of those names that a notebook declares; one empty mapping when it declares none."""
    values = {name: values_of(name, text, declarations[name]) for name, text in sweeps.items() if name in declarations}
    refuse_too_many(math.prod(len(each) for each in values.values()))
    return [dict(zip(values, chosen, strict=True)) for chosen in itertools.product(*values.values())]


def refuse_too_many(runs: int) -> None:
    """Raise ParameterError when a report would be of more than MOST_RUNS runs."""
    if runs > MOST_RUNS:
        raise ParameterError(
            f"--sweep makes {runs:,} runs of these notebooks; {MOST_RUNS} are the most. Give fewer values, or name the "
            "notebooks (--notebook)."
        )


def values_of(name: str, text: str, kind: str) -> list[Any]:
    """The values in the text as the notebook declares their type, each once.

    They are split by commas; of a list each stands for a list of one, unless it is written as JSON.
    """
    items = _items(name, text, as_text=kind == "str")
    if kind == "list":
        items = [item if isinstance(item, list) else [item] for item in items]
    items = [parameters.from_here(name, item) if isinstance(item, str) else item for item in items]
    written = [json.dumps(item) for item in items]
    twice = next((one for one in written if written.count(one) > 1), None)
    if twice is not None:
        raise ParameterError(f"--sweep {name}={text} has {twice} twice; each run would be the same.")
    return items


def _items(name: str, text: str, *, as_text: bool) -> list[Any]:
    """JSON's values where the whole is a row of them (of a parameter of text, quoted ones), else what commas split."""
    try:
        items = list(json.loads(f"[{text}]"))
    except (ValueError, RecursionError):
        items = []
    if items and (not as_text or all(isinstance(item, str) for item in items)):
        return items
    parts = text.split(",")
    if "" in parts:
        raise ParameterError(f"--sweep {name}={text} has an empty value; write name=value,value,...")
    return parts if as_text else [parameters.value_of(part) for part in parts]


def shown(swept: Mapping[str, Any]) -> str:
    """A run's values as people read them: ``threads=4, backend=eager``; empty for a run that swept nothing."""
    return ", ".join(f"{name}={_shown(value)}" for name, value in swept.items())


def _shown(value: object) -> str:
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value if isinstance(value, str) else json.dumps(value)


def name_of(stem: str, swept: Mapping[str, Any], taken: Collection[str]) -> str:
    """The name of a run's files: the notebook's, and its values with what no file system minds."""
    parts = [f"{name}={_joined(value)}" for name, value in swept.items()]
    suffix = re.sub(r"[^A-Za-z0-9.,+=_-]+", "_", ",".join(parts))
    name = f"{stem}-{suffix[: _LONGEST * len(parts)]}".rstrip(".") if parts else stem
    lower = {each.lower() for each in taken}
    return next(each for each in _numbered(name) if each.lower() not in lower)


def _joined(value: object) -> str:
    return "+".join(map(_shown, value)) if isinstance(value, list) else _shown(value)


def _numbered(name: str) -> itertools.chain[str]:
    return itertools.chain([name], (f"{name}-{number}" for number in itertools.count(2)))
