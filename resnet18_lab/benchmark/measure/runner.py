"""Runs the plan: a fresh process for each configuration and start, interleaved, one at a time."""

import contextlib
import os
import random
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from resnet18_lab.base.errors import LabError, ParameterError, unknown_name
from resnet18_lab.base.machine import usable_cores
from resnet18_lab.base.notify import Notify
from resnet18_lab.base.proc import machine_time, taken_by_others
from resnet18_lab.benchmark import record as records
from resnet18_lab.benchmark.configuration import BATCHES, EFFORTS, Configuration, Effort
from resnet18_lab.benchmark.folder import make_folder, photographs
from resnet18_lab.benchmark.measure.spawn import PICTURES, spawn
from resnet18_lab.benchmark.record import Record, Row
from resnet18_lab.benchmark.suites import (
    checked_backends,
    extras_plan,
    files_plan,
    kept_by,
    plan,
    share_of,
    usable_backends,
)
from resnet18_lab.weights.find import find_weights

_SEED = 0
Keep = Callable[[Record], None]
_WARM = Effort(1, 1, 0.0, 0.0, 1, 1, 0.1, pictures=8)


def run(
    suites: list[str],
    *,
    profile: str = "fast",
    backends: list[str] | None = None,
    threads: list[int] | None = None,
    batches: list[int] | None = None,
    files: list[Path] | None = None,
    pictures: Path | None = None,
    weights: str = "auto",
    effort: Effort | None = None,
    notify: Notify = lambda _: None,
    keep: Keep = lambda _: None,
) -> Record:
    """The record of the suites; a start that failed is in it with its reason.

    Ctrl-C ends the run: the child is killed, and the record holds what was measured, marked interrupted.
    ``files`` are ONNX files to time beside the engines; ``pictures`` is a folder (with sub-folders) whose
    photographs ``end-to-end`` makes its pictures of, by default the project's samples. ``keep`` is given the
    record after each round, so that a crash loses one round at most.
    """
    if profile not in EFFORTS:
        raise ParameterError(unknown_name("profile", profile, EFFORTS))
    engines = usable_backends(weights) if backends is None else []
    configurations = configurations_of(
        suites, profile=profile, engines=engines, backends=backends, threads=threads, batches=batches, files=files
    )
    return run_configurations(
        configurations, profile, effort or EFFORTS[profile], pictures=pictures, weights=weights, notify=notify,
        keep=keep,
    )  # fmt: skip


def configurations_of(
    suites: list[str],
    *,
    profile: str,
    engines: list[str],
    backends: list[str] | None = None,
    threads: list[int] | None = None,
    batches: list[int] | None = None,
    files: list[Path] | None = None,
) -> list[Configuration]:
    """What ``run`` measures; ``engines`` are the ones to choose from, fastest first, when no back ends are named."""
    counts = threads or sorted({1, usable_cores(), 2 * usable_cores()})
    sizes = batches or BATCHES[profile]
    if any(count < 1 for count in [*counts, *sizes]):
        raise ParameterError("Threads and batches must be 1 or more.")
    if backends is not None:
        configurations = plan(suites, checked_backends(backends), counts, sizes)
    else:
        configurations = [
            configuration
            for suite in suites
            for configuration in plan([suite], share_of(engines, suite, profile), counts, sizes)
            if kept_by(profile, configuration, engines[-1] if len(engines) > 1 else "")
        ]
        if profile == "full" and "latency" in suites and threads is None and engines:
            configurations += extras_plan(engines[-1])
    file_rows = files_plan(files or [], counts)  # a wrong file is told, whatever is measured
    if files and "latency" not in suites:
        raise ParameterError("A file is timed by the suite latency; add --suite latency, or leave out --file.")
    if "latency" in suites:
        configurations += file_rows
        configurations += [Configuration("peak", "", count) for count in counts if count <= usable_cores()]
    return configurations


def run_configurations(
    configurations: list[Configuration],
    profile: str,
    effort: Effort,
    *,
    pictures: Path | None = None,
    weights: str = "auto",
    notify: Notify = lambda _: None,
    keep: Keep = lambda _: None,
) -> Record:
    """The record of these configurations, measured like any suite's."""
    file = find_weights(weights)
    if pictures is not None:
        photographs(pictures)  # a wrong folder is told now
    facts = {"name": file.name, "sha256": file.sha256, "asked": weights}
    record = records.new(profile, effort, facts, [Row(configuration) for configuration in configurations])
    with tempfile.TemporaryDirectory(prefix="resnet18-lab-") as folder:
        if record.of("end-to-end"):
            notify(f"making {effort.pictures} pictures")
            record.pictures = make_folder(pictures, Path(folder, PICTURES), effort.pictures)
        _measure(record, notify, keep, Path(folder))
    return record


def _measure(record: Record, notify: Notify, keep: Keep, folder: Path) -> None:
    effort = record.effort
    rounds = [
        [row for row in record.rows if row.configuration.suite != "end-to-end" or number < effort.folder_starts]
        for number in range(effort.starts)
    ]
    total = sum(map(len, rounds))
    shuffle = random.Random(_SEED)  # noqa: S311 - an order, not a secret
    for one_round in rounds:
        shuffle.shuffle(one_round)  # drift of the machine then hits all configurations alike
    run_start, cpu = time.perf_counter(), time.process_time()
    done = 0
    try:
        _warm_file_cache(record, folder, notify)
        rounds_start = time.perf_counter()
        for one_round in rounds:
            for row in one_round:
                left = (time.perf_counter() - rounds_start) / done * (total - done) if done else 0.0
                about = f", about {left:.0f} s left" if done else ""
                notify(f"[{done + 1}/{total}] {row.configuration.key()}{about}")
                _one_start(row, record, folder)
                done += 1
            record.seconds = time.perf_counter() - run_start
            keep(record)
    except KeyboardInterrupt:
        record.interrupted = True
    record.seconds = time.perf_counter() - run_start
    record.parent_cpu_share = (time.process_time() - cpu) / max(record.seconds, 1e-9)


def _warm_file_cache(record: Record, folder: Path, notify: Notify) -> None:
    """One start of each engine, thrown away: reading torch from a cold disk is no property of an engine."""
    engines = [row.configuration for row in record.rows if row.configuration.suite != "peak"]  # which reads no files
    for configuration in {(c.engine, "torchvision" in c.variant): c for c in engines}.values():
        notify(f"reading files: {configuration.engine}")
        with contextlib.suppress(subprocess.TimeoutExpired, LabError, RuntimeError, OSError, ValueError):
            spawn(configuration, replace(record, effort=_WARM), folder)  # a fault shows in the row itself


def _one_start(row: Row, record: Record, folder: Path) -> None:
    if row.failures and not row.results:
        return  # a missing or crashing engine is tried once
    before, children, clock = machine_time(), _children_seconds(), time.perf_counter()
    try:
        result = spawn(row.configuration, record, folder)
    except subprocess.TimeoutExpired as error:
        row.failures.append(f"timeout: no answer within {error.timeout:.0f} s")
    except (LabError, RuntimeError, OSError, ValueError) as error:
        row.failures.append(str(error))
    else:
        row.results.append(result)
        own = _children_seconds() - children
        row.noise.append(taken_by_others(before, machine_time(), own, time.perf_counter() - clock))


def _children_seconds() -> float:
    times = os.times()
    return times.children_user + times.children_system
