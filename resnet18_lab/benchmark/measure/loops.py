"""Measuring loops: what runs inside one fresh process."""

import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from resnet18_lab.base import proc
from resnet18_lab.benchmark.configuration import WITH_ANSWERS, Configuration, Effort
from resnet18_lab.inference.engine import Engine
from resnet18_lab.preprocessing.reference import BATCHES, reference_batch

_NS = 1e-9
T = TypeVar("T")


def pictures(count: int, engine: Engine) -> NDArray[np.float32]:
    """Float32 count×3×H×W of real pictures for an engine, repeated as often as needed: zeros would be too easy."""
    batch, _ = reference_batch(engine.network.preprocessing)
    return np.ascontiguousarray(np.resize(batch, (count, *batch.shape[1:])))


def timed(action: Callable[[], object]) -> float:
    """Seconds one call takes."""
    started = time.perf_counter_ns()
    action()
    return (time.perf_counter_ns() - started) * _NS


def sample(action: Callable[[], object], effort: Effort) -> dict[str, Any]:
    """Seconds of the first call and of each call after the warm-up, and CPU time over wall time."""
    first, samples, cpu_per_wall = repeated(lambda: timed(action), effort)
    return {"first": first, "samples": samples, "cpu_per_wall": cpu_per_wall}


def repeated(take: Callable[[], T], effort: Effort) -> tuple[T, list[T], float]:
    """What the first call gives, what each call after the warm-up gives, and CPU time over wall time of these.

    Warm-up: both minima of the effort. Then until both minima are reached, or one of the maxima.
    """
    first = take()
    started = time.perf_counter()
    calls = 0
    while calls < effort.warmup_calls or time.perf_counter() - started < effort.warmup_seconds:
        take()
        calls += 1
    results: list[T] = []
    cpu, started = time.process_time(), time.perf_counter()
    while True:
        elapsed = time.perf_counter() - started
        minima_reached = elapsed >= effort.min_seconds and len(results) >= effort.min_samples
        if minima_reached or len(results) >= effort.max_samples or elapsed >= effort.max_seconds:
            break
        results.append(take())
    wall = time.perf_counter() - started
    return first, results, (time.process_time() - cpu) / wall


def run_engine(open_one: Callable[[], Engine], configuration: Configuration, effort: Effort) -> dict[str, Any]:
    """Load, first call, samples and memory of one engine; with ``workers`` the samples of all of them."""
    baseline = {"import_peak": proc.peak_rss(), "import_pss": proc.pss()}
    started = time.perf_counter()
    with ExitStack() as stack:
        engines = [stack.enter_context(open_one()) for _ in range(configuration.workers)]
        load = time.perf_counter() - started
        batch = pictures(configuration.batch, engines[0])
        timing = (
            sample(lambda: engines[0].run(batch), effort) if len(engines) == 1 else _together(engines, batch, effort)
        )
        engine = engines[0].engine.as_json()
        memory = {"peak": proc.peak_rss(), "pss": proc.pss(), "torch": "torch" in sys.modules}
        wants_answers = configuration.variant == WITH_ANSWERS
        answers = {"answers": engines[0].run(pictures(max(BATCHES), engines[0])).tolist()} if wants_answers else {}
        facts = {"engine": engine, "threads_read_back": engines[0].threads, "settings_read_back": _settings()}
    return {"load": load, **timing, **baseline, **memory, **facts, **answers}


def _settings() -> dict[str, Any]:
    """Cores this process may run on, and torch's interop threads where torch is loaded; None where not available."""
    affinity = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    torch = sys.modules.get("torch")
    return {"affinity": affinity, "interop_threads": torch.get_num_interop_threads() if torch else None}


def _together(engines: list[Engine], batch: NDArray[np.float32], effort: Effort) -> dict[str, Any]:
    """Samples of engines that run side by side, each in a thread of its own, started together."""
    barrier = threading.Barrier(len(engines))

    def work(engine: Engine) -> dict[str, Any]:
        barrier.wait()
        return sample(lambda: engine.run(batch), effort)

    with ThreadPoolExecutor(len(engines)) as pool:
        results = list(pool.map(work, engines))  # raises what a worker raised: one engine fewer would flatter the rest
    return {
        "first": max(result["first"] for result in results),
        "samples": [value for result in results for value in result["samples"]],
        "cpu_per_wall": max(result["cpu_per_wall"] for result in results),
    }
