"""The suites: which configurations each one measures, and the share of them that a profile has time for."""

import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from resnet18_lab.base.errors import EngineError, ParameterError, unknown_name
from resnet18_lab.base.machine import usable_cores
from resnet18_lab.base.networks import RESNET18
from resnet18_lab.benchmark.configuration import (  # fmt: skip
    COMMANDS,
    DRAFT_FROM,
    FAST_TORCHVISION,
    NOT_IN_FAST,
    OURS,
    PREPARATIONS,
    SIZES,
    SLOW_BATCHES,
    SUITES,
    TAKES_SPINNING,
    TUTORIALS,
    Configuration,
)
from resnet18_lab.bulk.defaults import DEFAULT_BATCH
from resnet18_lab.inference import artifacts
from resnet18_lab.inference.registry import SPECS, is_installed
from resnet18_lab.weights.names import split_name


def checked_backends(names: Iterable[str]) -> list[str]:
    """The names as a list; EngineError for one that does not exist.

    One that exists but is not installed, or lacks its artifact, is kept: it becomes a row with its reason.
    """
    known_names = [spec.name for spec in SPECS]
    for name in (backends := list(names)):
        if name not in known_names:
            raise EngineError(unknown_name("back end", name, known_names))
    return backends


def usable_backends(weights: str = "auto") -> list[str]:
    """Engines that are installed and have what they run, fastest first."""
    folder = artifacts.find_folder(weights)
    return [
        spec.name
        for spec in SPECS
        if is_installed(spec)
        and (spec.artifact is None or artifacts.problem(folder, artifacts.KINDS[spec.artifact]) is None)
    ]


def suites_of(profile: str) -> list[str]:
    """The suites of a profile when none are named."""
    return [name for name in SUITES if profile == "full" or name not in NOT_IN_FAST]


_OF_ANY_NETWORK = ("latency", "throughput", "memory", "stages")
"""Suites that measure an engine and its own preprocessing; the others hold ResNet-18's, or a tutorial's, beside it."""


def chosen_suites(names: list[str] | None, profile: str, weights: str) -> list[str]:
    """The suites named, else those of the profile; ParameterError for one that says nothing true of another network."""
    network, _ = split_name(weights)
    if network is RESNET18:
        return names or suites_of(profile)
    for name in names or ():
        if name in SUITES and name not in _OF_ANY_NETWORK:
            raise ParameterError(
                f"The suite {name} is about {RESNET18.title}; {network.title} has {', '.join(_OF_ANY_NETWORK)}."
            )
    return names or [name for name in suites_of(profile) if name in _OF_ANY_NETWORK]


def share_of(engines: list[str], suite: str, profile: str) -> list[str]:
    """The engines a suite measures when none are named, so that the profile stays within its time.

    The fast profile takes the fastest and the slowest (what tutorials run), and for throughput the
    fastest alone; the full profile takes all, and for throughput those two.
    """
    ends = list(dict.fromkeys([engines[0], engines[-1]])) if engines else []
    if suite == "end-to-end":
        return [name for name in engines if name.startswith("onnxruntime")]
    if suite == "throughput":
        return ends if profile == "full" else ends[:1]
    return engines if profile == "full" else ends


def kept_by(profile: str, configuration: Configuration, slowest: str = "") -> bool:
    """False for rows that the profile has no time for.

    A slow engine gains nothing from larger batches, and each of its rows costs a minute: two rows show it.
    """
    if configuration.suite == "throughput" and configuration.backend == slowest:
        return configuration.batch in SLOW_BATCHES
    is_quick = configuration.preparation != "torchvision" or configuration.size in FAST_TORCHVISION
    return profile == "full" or is_quick


def plan(suites: Iterable[str], backends: list[str], threads: list[int], batches: list[int]) -> list[Configuration]:
    """All configurations of the suites, in the order of the tables; ParameterError for an unknown suite."""
    configurations: list[Configuration] = []
    for suite in suites:
        if suite not in _LISTS:
            raise ParameterError(unknown_name("suite", suite, SUITES))
        configurations += _LISTS[suite](backends, sorted(set(threads)), sorted(set(batches)))
    return configurations


def files_plan(files: Iterable[Path], threads: list[int]) -> list[Configuration]:
    """Latency rows of ONNX files that are no artifacts of this project; ParameterError for one that is missing."""
    configurations = []
    for file in files:
        if not file.is_file():
            raise ParameterError(f"{file} is no file; --file takes an ONNX file.")
        configurations += [
            Configuration("latency", "onnxruntime", count, file=str(file.resolve())) for count in threads
        ]
    return configurations


def extras_plan(slowest: str) -> list[Configuration]:
    """Latency rows of the full profile for what tutorials advise: many threads, interop threads, and pinning.

    The rows are for the slowest engine, which is the one tutorials run and the only one with interop threads.
    """
    one, cores = Configuration("latency", slowest), usable_cores()
    return [
        replace(one, threads=4 * cores),
        replace(one, threads=cores, interop_threads=max(2, cores)),
        *(replace(one, affinity=first) for first in [first_core()] if first),
    ]


def first_core() -> tuple[int, ...]:
    """The first core this process may run on; empty where the system cannot pin."""
    return (min(os.sched_getaffinity(0)),) if hasattr(os, "sched_getaffinity") else ()


def _latency(backends: list[str], threads: list[int], _: list[int]) -> list[Configuration]:
    rows = [Configuration("latency", name, count) for name in backends for count in threads]
    return [*rows, replace(rows[0], twin=True)] if rows else []


def _throughput(backends: list[str], threads: list[int], batches: list[int]) -> list[Configuration]:
    """One session of N threads against N sessions of one, for the counts that have a core for each thread."""
    within = [count for count in threads if count <= usable_cores()] or threads[:1]
    rows = []
    for name in backends:
        for batch in batches:
            rows += [Configuration("throughput", name, count, batch) for count in within]
            rows += [
                Configuration("throughput", name, 1, batch, workers=count, spinning=not name.startswith(TAKES_SPINNING))
                for count in within
                if count > 1
            ]
    return rows


def _memory(backends: list[str], threads: list[int], _: list[int]) -> list[Configuration]:
    return [Configuration("memory", name, threads[0]) for name in backends]


def _cold_start(backends: list[str], threads: list[int], _: list[int]) -> list[Configuration]:
    rows = [Configuration("cold-start", name, threads[0]) for name in backends]
    artifact = next((name for name in backends if name.startswith("onnxruntime")), None)
    whole = (
        [Configuration("cold-start", artifact, threads[0], variant=command) for command in COMMANDS] if artifact else []
    )
    return [*rows, *whole]


def _stages(backends: list[str], threads: list[int], _: list[int]) -> list[Configuration]:
    return [Configuration("stages", backends[0], threads[0])] if backends else []


def _sizes(backends: list[str], threads: list[int], _: list[int]) -> list[Configuration]:
    return [
        Configuration("sizes", name, threads[0], variant=f"{size} {how}")
        for name in backends[:1]
        for size in SIZES
        for how in PREPARATIONS
        if how != "ours with draft" or min(map(int, size.split("×"))) >= DRAFT_FROM
    ]


def _end_to_end(backends: list[str], _: list[int], __: list[int]) -> list[Configuration]:
    """The tutorials' loop leaves the threads to its engine, which takes all cores; ours is a worker a core."""
    cores = usable_cores()
    loops = [Configuration("end-to-end", name, cores, variant="tutorial loop") for name in TUTORIALS]
    ours = [
        Configuration("end-to-end", name, 1, DEFAULT_BATCH, workers=cores, variant=OURS, spinning=False)
        for name in backends
    ]
    return [*loops, *ours]


_LISTS: dict[str, Callable[[list[str], list[int], list[int]], list[Configuration]]] = {
    "latency": _latency,
    "throughput": _throughput,
    "memory": _memory,
    "cold-start": _cold_start,
    "stages": _stages,
    "sizes": _sizes,
    "end-to-end": _end_to_end,
}
