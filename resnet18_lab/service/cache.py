"""Answers remembered by content: the same bytes through the same engine give the same logits."""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass

from resnet18_lab.inference.engine import Logits

Key = tuple[str, ...]


@dataclass(frozen=True)
class Known:
    """What is remembered of a picture: logits float32 1×1000, size, and warnings; nothing of its pixels or name."""

    logits: Logits
    size: tuple[int, int]
    warnings: tuple[str, ...]
    animated: bool


class AnswerCache:
    """The answers used last, at most ``limit`` of them (4 kB each); 0 remembers nothing."""

    def __init__(self, limit: int, engine_key: Key) -> None:
        self._limit = limit
        self._engine_key = engine_key
        self._known: OrderedDict[Key, Known] = OrderedDict()

    def key(self, data: bytes) -> Key:
        """SHA-256 of the picture's bytes, with everything else that shapes the logits."""
        return (hashlib.sha256(data).hexdigest(), *self._engine_key)

    def get(self, key: Key) -> Known | None:
        """What is known under the key, which becomes the one used last."""
        known = self._known.get(key)
        if known is not None:
            self._known.move_to_end(key)
        return known

    def put(self, key: Key, known: Known) -> None:
        """Remember, and forget the one not used for longest when there are too many."""
        if self._limit < 1:
            return
        self._known[key] = known
        self._known.move_to_end(key)
        if len(self._known) > self._limit:
            self._known.popitem(last=False)
