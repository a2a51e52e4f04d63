"""What a notebook's results hold, one quantity a row: numbers with interval and unit, and texts."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Content = Any
"""Whatever JSON holds."""

_UNITS = {
    "ms": "ms", "us": "us", "ns": "ns", "seconds": "s", "minutes": "min", "bytes": "bytes", "kb": "kB", "mb": "MB",
    "gb": "GB", "db": "dB", "percent": "%", "px": "px", "hz": "Hz", "gmacs": "GMACs", "macs": "MACs", "flops": "FLOP",
}  # fmt: skip
_RATE = re.compile(r"(?:^|[_ ])((?:img|pictures|requests|calls|rows)/s)$", re.IGNORECASE)
_SUFFIX = re.compile(rf"(?:^|[_ ])({'|'.join(_UNITS)})$", re.IGNORECASE)
_WITHOUT_UNIT = re.compile(r"(?:^|_)(?:share|ratio|count|starts|rank|index|equal|n)$")
_NAMES = ("name", "key", "stage", "layer", "file")
"""Entries by which the items of a list are told apart, in this order; by their position where none does."""


@dataclass(frozen=True)
class Quantity:
    """A row: ``key`` is the path into the results, its parts joined by dots. Texts have no ``value``."""

    key: str
    value: float | None
    low: float | None = None
    high: float | None = None
    unit: str | None = None
    text: str | None = None


def quantities(content: Content, path: tuple[str, ...] = ()) -> Iterator[Quantity]:
    """Every number, truth value and text below, depth first; what is null is left out."""
    if isinstance(content, dict):
        if _is_quantity(content):
            yield _quantity(content, path)
            content = {name: inner for name, inner in content.items() if name not in ("value", "low", "high", "unit")}
        for name, inner in content.items():
            yield from quantities(inner, (*path, name))
    elif isinstance(content, list):
        for name, item in zip(_item_names(content), content, strict=True):
            yield from quantities(item, (*path, name))
    elif isinstance(content, str):
        yield Quantity(".".join(path), None, text=content)
    elif content is not None:
        yield Quantity(".".join(path), _number(content), unit=unit_of(path))


def unit_of(path: tuple[str, ...]) -> str | None:
    """The unit that the last part of the path with a unit's suffix names; None for shares and counts."""
    if path and _WITHOUT_UNIT.search(path[-1]):
        return None
    for part in reversed(path):
        if rate := _RATE.search(part):
            return rate[1].lower()
        if suffix := _SUFFIX.search(part):
            return _UNITS[suffix[1].lower()]
    return None


def _is_quantity(content: Mapping[str, Any]) -> bool:
    described = {"low", "high"} <= content.keys() or isinstance(content.get("unit"), str)
    return described and _is_number(content.get("value"))


def _quantity(content: Mapping[str, Any], path: tuple[str, ...]) -> Quantity:
    low, high = (_number(bound) if _is_number(bound := content.get(name)) else None for name in ("low", "high"))
    own = content.get("unit")
    return Quantity(".".join(path), _number(content["value"]), low, high, own if own is not None else unit_of(path))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(value: Any) -> float:  # noqa: ANN401 - an int, a float or a bool of JSON
    try:
        return float(value)
    except OverflowError:  # a whole number beyond all floats
        return float("inf") if value > 0 else float("-inf")


def _item_names(items: list[Any]) -> list[str]:
    for entry in _NAMES:
        names = [name for item in items if isinstance(item, dict) and isinstance(name := item.get(entry), str)]
        if len(set(names)) == len(items):
            return names
    return [str(position) for position in range(len(items))]
