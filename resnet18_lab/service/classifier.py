"""From the bytes of a picture to its result: decode pool, engine thread, cache."""

import asyncio
import base64
import io
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from PIL import Image

from resnet18_lab.base.errors import CodedError
from resnet18_lab.base.machine import usable_cores
from resnet18_lab.inference import artifacts
from resnet18_lab.inference.classify import result_of
from resnet18_lab.inference.engine import Engine
from resnet18_lab.inference.labels import Language
from resnet18_lab.inference.predictions import Result
from resnet18_lab.preprocessing import transform
from resnet18_lab.preprocessing.decoders import Decoders
from resnet18_lab.preprocessing.prepare import Prepared
from resnet18_lab.service import prometheus
from resnet18_lab.service.batcher import Inference
from resnet18_lab.service.budgets import Admission, UploadBudget
from resnet18_lab.service.cache import AnswerCache, Known
from resnet18_lab.service.forms import Upload
from resnet18_lab.service.settings import Settings
from resnet18_lab.weights.find import find_weights

T = TypeVar("T")
_LARGE = 1_000_000  # bytes; hashing more on the event loop would delay the other requests


@dataclass(frozen=True)
class Asked:
    """Options of a request: what the answer for each picture contains."""

    top_k: int = 3
    lang: Language = Language.both
    crop: bool = False
    cached: bool = False


class Classifier:
    """Everything a worker needs to answer; created once per process."""

    def __init__(self, settings: Settings, backend: Engine) -> None:
        self.settings = settings
        self.engine, self.network = backend.engine, backend.network
        self.preprocess_id = transform.preprocess_id(settings.draft_for, self.network.preprocessing)
        self.admission = Admission(settings.queue)
        self.uploads = UploadBudget(settings.upload_bytes)
        self._decoders = Decoders(
            settings.decoders, seconds=settings.decode_seconds, limits=settings.limits, draft_for=settings.draft_for,
            preprocessing=self.network.preprocessing,
        )  # fmt: skip
        self.inference = Inference(backend, settings.max_batch)
        self.weights_sha256 = weights_sha256(settings.weights)
        engine = backend.engine
        engine_key = (engine.backend, engine.sha256, self.weights_sha256, self.preprocess_id)
        self.cache = AnswerCache(settings.cache, engine_key)
        self._pool = ThreadPoolExecutor(min(4, usable_cores() + 1), thread_name_prefix="pool")
        # A thread for every picture that may have been accepted: they wait for decoding processes, and use no CPU time.
        self._waiting = ThreadPoolExecutor(max(settings.queue, settings.max_files), thread_name_prefix="decode")

    @property
    def can_decode(self) -> bool:
        """False only while no decoding process is there: at the start, or when all are being replaced."""
        return self._decoders.is_ready

    def wait_ready(self) -> None:
        """Return when pictures can be decoded; raises EngineError when decoding processes cannot start."""
        self._decoders.wait_ready()

    def close(self) -> None:
        """Finish the running work."""
        self._decoders.close()
        for pool in (self._pool, self._waiting):
            pool.shutdown(cancel_futures=True)
        self.inference.close()

    async def in_pool(self, work: Callable[..., T], *arguments: Any) -> T:  # noqa: ANN401 - what the work takes
        """The result of work that runs in a thread of the pool, so that it does not delay the other requests."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, work, *arguments)

    async def classify(self, upload: Upload, options: Asked) -> dict[str, Any]:
        """The answer as JSON; raises CodedError for a picture that cannot be classified."""
        start = time.perf_counter()
        timing = dict.fromkeys(("decode", "prepare", "queue", "model"), 0.0)
        is_large = len(upload.data) > _LARGE
        key = await self.in_pool(self.cache.key, upload.data) if is_large else self.cache.key(upload.data)
        entry = self.cache.get(key)
        prometheus.CACHE.labels("hit" if entry else "miss").inc()
        cached, prepared = entry is not None, None
        if entry is None or options.crop:
            prepared = await self._prepare(upload.data)
            timing |= {"decode": prepared.decode_seconds * 1000, "prepare": prepared.resize_seconds * 1000}
        if entry is None and prepared is not None:
            answer = await self.inference.run(prepared.crop[None])
            timing |= {"queue": answer.queue_ms, "model": answer.model_ms}
            entry = Known(answer.logits.copy(), prepared.size, prepared.warnings, prepared.animated)
            self.cache.put(key, entry)
        assert entry is not None  # noqa: S101 - for the type checker: one of the branches set it
        body = self._body(upload, options, entry)
        if options.crop and prepared is not None:
            body["crop"] = await self.in_pool(_data_url, prepared.crop)
        timing["total"] = (time.perf_counter() - start) * 1000
        return {**body, "cached": cached, "timing_ms": {name: round(ms, 2) for name, ms in timing.items()}}

    async def classify_or_error(self, upload: Upload, options: Asked) -> dict[str, Any]:
        """The answer as JSON, or the item's error."""
        try:
            answer = await self.classify(upload, options)
        except CodedError as error:
            prometheus.PICTURES.labels(error.code).inc()
            return error_result(upload.name, error)
        prometheus.PICTURES.labels("ok").inc()
        if not options.cached:
            del answer["cached"]
        return answer

    async def _prepare(self, data: bytes) -> Prepared:
        """The crop from a decoding process; a client that disconnects frees its place among those that wait."""
        abandoned = threading.Event()
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._waiting, self._decoders.prepare, data, abandoned.is_set)
        except asyncio.CancelledError:
            abandoned.set()
            self._decoders.wake()
            raise

    def _body(self, upload: Upload, options: Asked, entry: Known) -> dict[str, Any]:
        count = min(options.top_k, self.network.classes)
        result = result_of(upload.name, entry.logits, entry.warnings, self.inference.backend, count, entry.size)
        body = result.as_json(options.lang.keys)
        body["size"] = list(entry.size)
        if entry.animated:
            body["animated"] = True
        return body


def error_result(file: str, error: CodedError) -> dict[str, Any]:
    """An item of a batch that has no answer."""
    answer = Result(file, error=error).as_json()
    answer["error"]["filename"] = file
    return answer


def weights_sha256(name: str) -> str:
    """SHA-256 of the weights behind the answers, from the artifacts' manifest if possible: the file may be gone."""
    digest = artifacts.open_folder(name).manifest["weights"].get("sha256")
    return str(digest or find_weights(name).sha256)


def _data_url(crop: transform.Crop) -> str:
    """The pixels the network saw as a PNG in a ``data:`` address."""
    out = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(crop)).save(out, "PNG", compress_level=1)
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode("ascii")
