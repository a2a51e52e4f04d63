"""From the bytes of a picture to its result: decode pool, engine thread, cache."""

import asyncio
import base64
import io
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from PIL import Image

from resnet18_lab.base.errors import ImageError
from resnet18_lab.base.machine import usable_cores
from resnet18_lab.inference import artifacts
from resnet18_lab.inference.classify import Clock, Prepared, prepare, result_of
from resnet18_lab.inference.engine import Engine
from resnet18_lab.inference.labels import Language
from resnet18_lab.inference.predictions import Result
from resnet18_lab.preprocessing import transform
from resnet18_lab.service import prometheus
from resnet18_lab.service.batcher import Inference
from resnet18_lab.service.budgets import Admission, PixelGate, UploadBudget
from resnet18_lab.service.cache import AnswerCache, Known
from resnet18_lab.service.settings import Settings
from resnet18_lab.service.uploads import Upload
from resnet18_lab.weights.find import find_weights

T = TypeVar("T")
_LARGE = 1_000_000  # bytes; hashing more than this would hold up the other requests


@dataclass(frozen=True)
class Asked:
    """What a caller wants to know of each picture."""

    top_k: int = 3
    lang: Language = Language.both
    crop: bool = False


class Classifier:
    """Everything a worker needs to answer; made once a process."""

    def __init__(self, settings: Settings, backend: Engine) -> None:
        self.settings = settings
        self.engine = backend.engine
        self.preprocess_id = transform.preprocess_id(settings.draft_for)
        self.admission = Admission(settings.queue)
        self.uploads = UploadBudget(settings.upload_bytes)
        self._gate = PixelGate(settings.limits.max_pixels)
        self.inference = Inference(backend, settings.max_batch)
        self.weights_sha256 = weights_sha256(settings.weights)
        engine = backend.engine
        shaping = (engine.backend, engine.sha256, self.weights_sha256, self.preprocess_id)
        self.cache = AnswerCache(settings.cache, shaping)
        self._pool = ThreadPoolExecutor(min(4, usable_cores() + 1), thread_name_prefix="decode")

    def close(self) -> None:
        """Finish what is under way."""
        self._pool.shutdown(cancel_futures=True)
        self.inference.close()

    async def in_pool(self, work: Callable[..., T], *arguments: Any) -> T:  # noqa: ANN401 - what the work takes
        """The result of work that would hold up the other requests, done by a thread of the pool."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, work, *arguments)

    async def classify(self, upload: Upload, asked: Asked) -> dict[str, Any]:
        """The answer as JSON; raises ImageError for a picture that cannot be taken."""
        started = time.perf_counter()
        timing = dict.fromkeys(("decode", "prepare", "queue", "model"), 0.0)
        many = len(upload.data) > _LARGE
        key = await self.in_pool(self.cache.key, upload.data) if many else self.cache.key(upload.data)
        known = self.cache.get(key)
        prometheus.CACHE.labels("hit" if known else "miss").inc()
        cached, prepared = known is not None, None
        if known is None or asked.crop:
            clock = Clock()
            prepared = await self.in_pool(self._prepare, upload.data, clock)
            timing |= {"decode": clock.seconds["decode"] * 1000, "prepare": clock.seconds["resize"] * 1000}
        if known is None and prepared is not None:
            answer = await self.inference.run(prepared.crop[None])
            timing |= {"queue": answer.queue_ms, "model": answer.model_ms}
            known = Known(answer.logits.copy(), prepared.size, prepared.warnings, prepared.animated)
            self.cache.put(key, known)
        assert known is not None  # noqa: S101 - for the type checker: one of the two branches gave it
        body = self._body(upload, asked, known)
        if asked.crop and prepared is not None:
            body["crop"] = await self.in_pool(data_url, prepared.crop)
        timing["total"] = (time.perf_counter() - started) * 1000
        return {**body, "cached": cached, "timing_ms": {name: round(ms, 2) for name, ms in timing.items()}}

    async def classify_or_error(self, upload: Upload, asked: Asked) -> dict[str, Any]:
        """The answer as JSON, or the item's error."""
        try:
            answer = await self.classify(upload, asked)
        except ImageError as error:
            prometheus.PICTURES.labels(error.code).inc()
            answer = Result(upload.name, error=error).as_json()
            answer["error"]["filename"] = upload.name
            return answer
        prometheus.PICTURES.labels("ok").inc()
        return answer

    def _prepare(self, data: bytes, clock: Clock) -> Prepared:
        with ExitStack() as room:  # until the crop is made: the whole picture is in memory as long
            return prepare(
                data, limits=self.settings.limits, draft_for=self.settings.draft_for, clock=clock,
                before_pixels=lambda pixels: room.enter_context(self._gate.entered(pixels)),
            )  # fmt: skip

    def _body(self, upload: Upload, asked: Asked, known: Known) -> dict[str, Any]:
        result = result_of(upload.name, known.logits, known.warnings, self.engine, asked.top_k)
        body = result.as_json(asked.lang.keys)
        body["size"] = list(known.size)
        if known.animated:
            body["animated"] = True
        return body


def weights_sha256(name: str) -> str:
    """SHA-256 of the weights behind the answers: the artifacts' manifest knows, even when the weights are gone."""
    noted = artifacts.open_folder(name).manifest["weights"].get("sha256")
    return str(noted or find_weights(name).sha256)


def data_url(crop: transform.Crop) -> str:
    """The 224×224 pixels the network saw as a PNG in a ``data:`` address."""
    out = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(crop)).save(out, "PNG", compress_level=1)
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode("ascii")
