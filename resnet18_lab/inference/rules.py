"""Rules after the network: rename, merge or reject answers by class, score, size and unknown, as a TOML file says."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resnet18_lab.base.errors import ParameterError, unknown_name
from resnet18_lab.inference.labels import Label

ACTIONS = ("rename", "merge", "reject")
_CONDITIONS = ("classes", "score_below", "score_above", "shorter_than", "unknown")
_LARGEST = 100_000  # bytes of a file of rules
_LONGEST_TEXT = 200


@dataclass(frozen=True)
class Rule:
    """One rule; conditions that are None (``classes`` empty) fit everything.

    ``classes`` are indexes, ``made`` the names given by rules before; scores are shares 0..1 of the class in question
    (to reject, the best one), ``shorter_than`` pixels of the short side.
    """

    action: str
    text: str
    classes: frozenset[int] = frozenset()
    made: frozenset[str] = frozenset()
    score_below: float | None = None
    score_above: float | None = None
    shorter_than: int | None = None
    unknown: bool | None = None

    def names(self, label: Label, given: bool) -> bool:
        """True for a class that it is about; ``given`` says that a rule before made its name."""
        if not (self.classes or self.made):
            return True
        return label.en in self.made if given else label.index in self.classes

    def fits_picture(self, size: tuple[int, int] | None, unknown: bool | None) -> bool:
        """True where size and unknown are as it wants them; a size or an unknown that is not known fits nothing."""
        if self.shorter_than is not None and (size is None or min(size) >= self.shorter_than):
            return False
        return self.unknown is None or self.unknown is unknown

    def fits_score(self, score: float) -> bool:
        """True for such a score."""
        too_high = self.score_below is not None and score >= self.score_below
        too_low = self.score_above is not None and score <= self.score_above
        return not too_high and not too_low


@dataclass
class _Answer:
    """The classes of one picture with their scores float64 C; what was merged into another has none (-1)."""

    labels: list[Label]
    scores: NDArray[np.float64]
    given: set[int] = field(default_factory=set)
    """Positions whose name a rule gave."""

    def named_by(self, rule: Rule) -> list[int]:
        """Positions of the classes that the rule is about."""
        return [
            at for at, label in enumerate(self.labels) if self.scores[at] >= 0 and rule.names(label, at in self.given)
        ]

    def is_rejected_by(self, rule: Rule) -> bool:
        """True where the best answer is one that the rule is about, with such a score."""
        best = int(self.scores.argmax())
        return rule.names(self.labels[best], best in self.given) and rule.fits_score(float(self.scores[best]))

    def rename(self, rule: Rule) -> None:
        """Give the rule's name to each of its classes with such a score."""
        for at in self.named_by(rule):
            if rule.fits_score(float(self.scores[at])):
                self.labels[at] = replace(self.labels[at], en=rule.text, zh=rule.text)
                self.given.add(at)

    def merge(self, rule: Rule) -> None:
        """The most likely of the rule's classes gets the others' scores, and a name that is no class of the network."""
        members = self.named_by(rule)
        if not members:
            return
        kept = max(members, key=lambda at: self.scores[at])
        total = min(1.0, float(self.scores[members].sum()))
        self.scores[members] = -1.0
        self.scores[kept] = total
        self.labels[kept] = Label(self.labels[kept].index, None, rule.text, rule.text)
        self.given.add(kept)


@dataclass(frozen=True)
class Rules:
    """The rules of a file, compiled for a network's classes; ``sha256`` is of the file's text."""

    rules: tuple[Rule, ...]
    sha256: str = field(default="")

    def refuse_unknown(self, tells_unknown: bool) -> None:
        """Raise ParameterError for rules on unknown where nothing tells it."""
        if not tells_unknown and any(rule.unknown is not None for rule in self.rules):
            raise ParameterError(
                "The rules ask for unknown, which cannot be told here: that takes a model of your own or `resnet18-lab "
                "models index`, an ONNX engine, and no --no-unknown."
            )

    def apply(
        self, scores: NDArray[np.float64], labels: Sequence[Label], size: tuple[int, int] | None, unknown: bool | None
    ) -> tuple[list[tuple[Label, float]], str | None]:
        """Classes with scores, best first, as the rules leave them, and why the answer is rejected (None: it is not).

        ``scores`` float64 C are the shares of one picture.
        """
        answer = _Answer(list(labels), scores.copy())
        rejected = None
        for rule in self.rules:
            if not rule.fits_picture(size, unknown):
                continue
            if rule.action == "merge":
                answer.merge(rule)
            elif rule.action == "rename":
                answer.rename(rule)
            elif answer.is_rejected_by(rule):
                rejected = rule.text
                break
        order = np.argsort(-answer.scores, kind="stable")
        return [(answer.labels[at], float(answer.scores[at])) for at in order if answer.scores[at] >= 0], rejected


def read_text(path: Path) -> str:
    """The text of a file of rules; ParameterError for one that cannot be read."""
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            raise ParameterError(f"{path} is larger than a file of rules.")
        return content.decode("utf-8-sig")
    except OSError as error:
        raise ParameterError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise ParameterError(f"{path} is no text in UTF-8.") from error


@lru_cache(maxsize=4)
def compiled(text: str, labels: tuple[Label, ...]) -> Rules:
    """The rules of a file's text for these classes; ParameterError names the rule that is wrong, and how."""
    import tomllib

    try:
        content = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # also numbers of thousands of digits, and tables without end
        raise ParameterError(f"The rules are no TOML: {' '.join(str(error).split())[:_LONGEST_TEXT]}.") from error
    tables = content.get("rule")
    if set(content) != {"rule"} or not isinstance(tables, list) or not all(isinstance(one, dict) for one in tables):
        raise ParameterError("A file of rules holds [[rule]] tables, and nothing else.")
    classes, made, rules = _Classes(labels), set[str](), []
    for number, table in enumerate(tables, start=1):
        rules.append(_rule(f"rule {number}", table, classes, made))
        if rules[-1].action != "reject":
            made.add(rules[-1].text)
    return Rules(tuple(rules), sha256_of(text))


def sha256_of(text: str) -> str:
    """SHA-256 of a file's text, by which runs with other rules are told apart."""
    return hashlib.sha256(text.encode()).hexdigest()


class _Classes:
    """The classes by the names that a rule may call them."""

    def __init__(self, labels: tuple[Label, ...]) -> None:
        self._by_name: dict[str, list[Label]] = {}
        for label in labels:
            for name in {label.en.casefold(), *([label.wnid] if label.wnid else [])}:
                self._by_name.setdefault(name, []).append(label)

    def index(self, where: str, name: str) -> int:
        """The class of a name; ParameterError names the nearest one, or those that share it."""
        found = self._by_name.get(name.casefold(), [])
        if len(found) == 1:
            return found[0].index
        if found:
            raise ParameterError(
                f"{where}: two classes are called {name!r}; write {_or(label.wnid for label in found)}."
            )
        near = get_close_matches(name.casefold(), self._by_name, 1)
        hint = f"; did you mean {self._by_name[near[0]][0].en!r}?" if near else "."
        raise ParameterError(f"{where}: no class is called {name[:_LONGEST_TEXT]!r}{hint}")


def _or(names: Any) -> str:  # noqa: ANN401 - an iterable of texts or None
    return " or ".join(str(name) for name in names)


def _rule(where: str, table: Mapping[str, Any], classes: _Classes, made: set[str]) -> Rule:
    for name in table:
        if name not in (*_CONDITIONS, *ACTIONS):
            raise ParameterError(f"{where}: {unknown_name('key', name[:_LONGEST_TEXT], [*_CONDITIONS, *ACTIONS])}")
    actions = [name for name in ACTIONS if name in table]
    if len(actions) != 1:
        raise ParameterError(f"{where}: give one of {_or(ACTIONS)}, not {' and '.join(actions) or 'none'}.")
    action = actions[0]
    text = _checked(where, action, table[action], str, _is_text)
    named = _optional(where, table, "classes", list, _are_texts) or []
    if action == "merge" and ("score_below" in table or "score_above" in table or not named):
        raise ParameterError(f"{where}: merge takes classes, and no scores; reject or rename by score in a rule below.")
    if action == "rename" and not named:
        raise ParameterError(f"{where}: rename takes classes.")
    shares = {name: _optional(where, table, name, (float, int), _is_share) for name in ("score_below", "score_above")}
    return Rule(
        action, text,
        frozenset(classes.index(where, name) for name in named if name not in made),
        frozenset(name for name in named if name in made),
        **shares,
        shorter_than=_optional(where, table, "shorter_than", int, lambda value: value > 0),
        unknown=_optional(where, table, "unknown", bool, lambda _: True),
    )  # fmt: skip


def _is_text(value: str) -> bool:
    return value.isprintable() and 0 < len(value) <= _LONGEST_TEXT


def _are_texts(values: list[Any]) -> bool:
    return bool(values) and all(isinstance(value, str) for value in values)


def _is_share(value: float) -> bool:
    return 0 <= value <= 1


_WANTED = {
    "classes": "a list of names", "score_below": "a share from 0 to 1", "score_above": "a share from 0 to 1",
    "shorter_than": "a number of pixels above 0", "unknown": "true or false",
}  # fmt: skip


def _optional(where: str, table: Mapping[str, Any], name: str, kind: Any, good: Callable[[Any], bool]) -> Any:  # noqa: ANN401 - a value of TOML
    return None if name not in table else _checked(where, name, table[name], kind, good)


def _checked(where: str, name: str, value: Any, kind: Any, good: Callable[[Any], bool]) -> Any:  # noqa: ANN401 - a value of TOML
    is_flag = isinstance(value, bool)  # which Python counts among the integers
    if is_flag != (kind is bool) or not isinstance(value, kind) or not good(value):
        wanted = _WANTED.get(name, f"a text of at most {_LONGEST_TEXT} characters")
        raise ParameterError(f"{where}: {name} is {wanted}, not {value!r:.60}.")
    return value
