"""Decoding in processes that live on: what a stranger's picture may cost ends with the process that decodes it.

Cheap pictures go to any process that is free. Dear ones, foretold to be so by their structure or found to be so by
their deadline, take turns for all processes but one, and for the memory of one picture as large as the limits allow.
"""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Self

import numpy as np

from resnet18_lab.base.errors import ImageError
from resnet18_lab.base.networks import RESNET18, Preprocessing
from resnet18_lab.preprocessing.cost import Cost, most_memory
from resnet18_lab.preprocessing.decoder import SPARE_MEMORY
from resnet18_lab.preprocessing.decoder_pool import DecoderPool, DiedError
from resnet18_lab.preprocessing.defaults import DECODE_SECONDS, check_seconds
from resnet18_lab.preprocessing.prepare import Prepared
from resnet18_lab.preprocessing.refusals import image_error
from resnet18_lab.preprocessing.source import DEFAULT_LIMITS, Limits
from resnet18_lab.preprocessing.structure import too_costly
from resnet18_lab.preprocessing.turns import Turns

IDLE_MEMORY = 45_000_000
"""Bytes of a process that has nothing to do: Python, NumPy, Pillow."""
CHEAP_MEMORY = 48_000_000
_CHEAP_SECONDS = 0.1
"""Pictures foretold to cost no more than these never wait for dear ones."""
_CHEAP_DEADLINE = 0.5
"""Seconds of CPU time after which a picture that was foretold to be cheap has to take its turn as a dear one."""
_UNBOUNDED = 1e9
_ATTEMPTS = 2


def most_memory_of(count: int, limits: Limits) -> int:
    """Bytes that so many processes take together at most: one picture as dear as the limits allow, the rest cheap ones.

    Several dear ones take no more than the dearest alone: their turns share its memory.
    """
    each = IDLE_MEMORY + SPARE_MEMORY
    return count * each + (count - 1) * CHEAP_MEMORY + most_memory(limits.max_pixels, limits.max_bytes)


class Decoders:
    """``count`` decoding processes, replaced when they end; used from any number of threads.

    ``seconds`` is the CPU time that one picture may take.
    """

    def __init__(
        self, count: int = 1, *, seconds: float = DECODE_SECONDS, limits: Limits = DEFAULT_LIMITS,
        draft_for: int | None = None, preprocessing: Preprocessing = RESNET18.preprocessing,
    ) -> None:  # fmt: skip
        check_seconds(seconds)
        self.count, self.seconds, self.limits, self.preprocessing = count, seconds, limits, preprocessing
        self._most_memory = most_memory(limits.max_pixels, limits.max_bytes)
        self.turns = Turns(max(1, count - 1), self._most_memory)
        # On a busy machine CPU time passes slowly: what is killed for answering late has most likely been stopped.
        settings = {"limits": asdict(limits), "draft_for": draft_for, "preprocessing": asdict(preprocessing)}
        self._pool = DecoderPool(count, settings, 5 * seconds + 5)

    @property
    def is_ready(self) -> bool:
        """False while no process is there: at the start, or when all are being replaced."""
        return self._pool.is_ready

    def wait_ready(self) -> None:
        """Return when a process is there; raises EngineError when none can start."""
        self._pool.wait_ready()

    def prepare(self, data: bytes, is_abandoned: Callable[[], bool] = bool) -> Prepared:
        """The crop of a picture from its file's bytes; raises ImageError.

        ``is_abandoned`` is asked when ``wake`` is called while the picture waits: AbandonedError is raised when it says
        so. Raises EngineError when decoding processes cannot be started.
        """
        for _ in range(_ATTEMPTS):
            try:
                return self._prepare(data, lambda: self._pool.is_closed or is_abandoned())
            except DiedError as died:
                if died.by_deadline:
                    raise too_costly(f"more than {self.seconds:g} s of CPU time") from None
        raise image_error("worker_died")

    def wake(self) -> None:
        """Let pictures that wait find out whether they are abandoned."""
        self.turns.wake()
        self._pool.wake()

    def close(self) -> None:
        """End all processes."""
        self._pool.close()
        self.turns.wake()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _prepare(self, data: bytes, is_abandoned: Callable[[], bool]) -> Prepared:
        memory = self._most_memory
        if self.count > 1:
            found = self._as_cheap(data, is_abandoned)
            if isinstance(found, Prepared):
                return found
            memory = found.memory
        with self.turns.turn(memory, is_abandoned), self._pool.lent(is_abandoned) as process:
            request = {"seconds": self.seconds, "cheap": _UNBOUNDED, "memory": memory}
            return self._prepared(*process.ask(request, data))

    def _as_cheap(self, data: bytes, is_abandoned: Callable[[], bool]) -> Prepared | Cost:
        """The crop, or the cost of a picture that has to take its turn."""
        seconds = min(self.seconds, _CHEAP_DEADLINE)
        request = {"seconds": seconds, "cheap": _CHEAP_SECONDS, "memory": CHEAP_MEMORY}
        is_dear = False
        try:
            with self._pool.lent(is_abandoned) as process:
                head, body = process.ask(request, data)
                if "dear" not in head:
                    return self._prepared(head, body)
                is_dear, cost = True, Cost(**head["dear"])
                if not self.turns.take_now(cost.memory):
                    process.ask({"go": False})
                    return cost
                try:  # at once, while the process has the picture
                    return self._prepared(*process.ask({"go": True, "seconds": self.seconds, "memory": cost.memory}))
                finally:
                    self.turns.end(cost.memory)
        except DiedError as died:
            if died.by_deadline and not is_dear and seconds < self.seconds:
                return Cost(CHEAP_MEMORY, self.seconds)
            raise

    def _prepared(self, head: dict[str, Any], body: bytes) -> Prepared:
        if "error" in head:
            raise ImageError(*head["error"])
        crop = np.frombuffer(body, np.uint8).reshape(self.preprocessing.crop, self.preprocessing.crop, 3)
        size, warnings = tuple(head.pop("size")), tuple(head.pop("warnings"))
        return Prepared(crop, size, warnings=warnings, **head)
