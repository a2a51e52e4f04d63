"""Answers remembered by content: the same bytes through the same engine give the same logits."""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass

from resnet18_lab.inference.engine import Logits

Key = tuple[str, ...]


@dataclass(frozen=True)
class Known:
    """The stored facts about a picture: logits float32 1×1000, size and warnings, but not its pixels or name."""

    logits: Logits
    size: tuple[int, int]
    warnings: tuple[str, ...]
    animated: bool


class AnswerCache:
    """The most recently used answers, at most ``limit`` (4 kB each); with 0 nothing is stored."""

    def __init__(self, limit: int, engine_key: Key) -> None:
        self._limit = limit
        self._engine_key = engine_key
        self._entries: OrderedDict[Key, Known] = OrderedDict()

    def key(self, data: bytes) -> Key:
        """SHA-256 of the picture's bytes and all else that influences the logits; nothing where none are kept."""
        if self._limit < 1:
            return ()
        return (hashlib.sha256(data).hexdigest(), *self._engine_key)

    def get(self, key: Key) -> Known | None:
        """The entry of a key, which becomes the most recently used one; None when there is none."""
        entry = self._entries.get(key) if key else None
        if entry is not None:
            self._entries.move_to_end(key)
        return entry

    def put(self, key: Key, entry: Known) -> None:
        """Store an entry; when there are too many, remove the least recently used one."""
        if self._limit < 1:
            return
        self._entries[key] = entry
        self._entries.move_to_end(key)
        if len(self._entries) > self._limit:
            self._entries.popitem(last=False)
