"""Runs the plan: a fresh process for each configuration and start, interleaved, one at a time."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from resnet18_lab import artifacts, samples
from resnet18_lab import weights as weights_files
from resnet18_lab.benchmark import coldstart, record, stages
from resnet18_lab.benchmark.configuration import (
    EFFORTS,
    Configuration,
    Effort,
    checked_backends,
    plan,
    share_of,
    usable_backends,
)
from resnet18_lab.benchmark.proc import MachineTime, machine_time
from resnet18_lab.benchmark.record import Record, Row
from resnet18_lab.cores import usable_cores
from resnet18_lab.errors import LabError, ParameterError, unknown_name

SEED = 0
_DEADLINE = 120.0
"""Seconds after which a process is given up as hanging; loading torch on a cold disk takes long."""
_THREAD_VARIABLES = (
    "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS", "VECLIB_MAXIMUM_THREADS",
)  # fmt: skip
_KEPT_VARIABLES = (
    "PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TEMP", "SYSTEMROOT", "LD_LIBRARY_PATH", "XDG_CACHE_HOME", "TORCH_HOME",
    "PYTHONPATH", "VIRTUAL_ENV", "RESNET18_LAB_WEIGHTS", "RESNET18_LAB_HOME", "COVERAGE_PROCESS_CONFIG",
    "COVERAGE_PROCESS_START",
)  # fmt: skip
Notify = Callable[[str], None]


def clean_environment(threads: int) -> dict[str, str]:
    """Variables of a child: the few it needs, and the number of threads for every library's own pool."""
    kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    return {**kept, **dict.fromkeys(_THREAD_VARIABLES, str(threads)), "RESNET18_LAB_OFFLINE": "1"}


def run(
    suites: list[str],
    *,
    profile: str = "fast",
    backends: list[str] | None = None,
    threads: list[int] | None = None,
    batches: list[int] | None = None,
    weights: str = "auto",
    effort: Effort | None = None,
    notify: Notify = lambda _: None,
) -> Record:
    """The record of the suites; what failed stands in it with its reason.

    Ctrl-C ends the run: the child is killed, and the record holds what was measured, marked interrupted.
    """
    if profile not in EFFORTS:
        raise ParameterError(unknown_name("profile", profile, EFFORTS))
    chosen = effort or EFFORTS[profile]
    counts = threads or sorted({1, usable_cores(), 2 * usable_cores()})
    if any(count < 1 for count in [*counts, *(batches or [])]):
        raise ParameterError("Threads and batches must be 1 or more.")
    if backends is not None:
        configurations = plan(suites, checked_backends(backends), counts, batches or [1, 4, 8])
    else:
        engines = usable_backends(weights)
        configurations = [
            configuration
            for suite in suites
            for configuration in plan([suite], share_of(engines, suite, profile), counts, batches or [1, 4, 8])
        ]
    if "latency" in suites:
        configurations += [Configuration("peak", "peak", count) for count in counts if count <= usable_cores()]
    return run_configurations(configurations, profile, chosen, weights=weights, notify=notify)


def run_configurations(
    configurations: list[Configuration],
    profile: str,
    effort: Effort,
    *,
    weights: str = "auto",
    notify: Notify = lambda _: None,
) -> Record:
    """The record of these configurations, measured like any suite's."""
    file = weights_files.find(weights)
    facts = {"name": file.name, "sha256": file.sha256, "asked": weights}
    kept = record.new(profile, effort, facts, [Row(configuration) for configuration in configurations])
    with tempfile.TemporaryDirectory(prefix="resnet18-lab-") as folder:
        _measure(kept, notify, Path(folder))
    return kept


def _measure(kept: Record, notify: Notify, folder: Path) -> None:
    order = [row for _ in range(kept.effort.starts) for row in kept.rows]
    rounds = [order[i : i + len(kept.rows)] for i in range(0, len(order), len(kept.rows))]
    shuffle = random.Random(SEED)  # noqa: S311 - an order, not a secret
    for one_round in rounds:
        shuffle.shuffle(one_round)  # drift of the machine then hits all configurations alike
    started, cpu = time.perf_counter(), time.process_time()
    done = 0
    try:
        for row in [row for one_round in rounds for row in one_round]:
            elapsed = time.perf_counter() - started
            left = elapsed / done * (len(order) - done) if done else 0.0
            notify(
                f"[{done + 1}/{len(order)}] {row.configuration.key()}" + (f", about {left:.0f} s left" if done else "")
            )
            _one_start(row, kept, folder)
            done += 1
    except KeyboardInterrupt:
        kept.interrupted = True
    kept.seconds = time.perf_counter() - started
    kept.parent_cpu_share = (time.process_time() - cpu) / max(kept.seconds, 1e-9)


def _one_start(row: Row, kept: Record, folder: Path) -> None:
    if row.failures and not row.results:
        return  # a missing or crashing engine is tried once
    before, children, clock = machine_time(), _children_seconds(), time.perf_counter()
    try:
        result = _spawn(row.configuration, kept, folder)
    except subprocess.TimeoutExpired:
        row.failures.append(f"timeout: no answer within {_DEADLINE:.0f} s")
    except (LabError, RuntimeError, OSError, ValueError) as error:
        row.failures.append(str(error))
    else:
        row.results.append(result)
        own = _children_seconds() - children
        row.noise.append(_noise(before, machine_time(), own, time.perf_counter() - clock))


def _children_seconds() -> float:
    times = os.times()
    return times.children_user + times.children_system


def _noise(
    before: MachineTime | None, after: MachineTime | None, own_seconds: float, seconds: float
) -> dict[str, float] | None:
    """Shares of all cores' time that were stolen, and that others used, while a child ran."""
    if before is None or after is None or after.total == before.total:
        return None
    total = after.total - before.total
    own = own_seconds / (seconds * (os.cpu_count() or 1))
    return {"steal": (after.steal - before.steal) / total, "others": max(0.0, (after.busy - before.busy) / total - own)}


def _picture_for(configuration: Configuration, folder: Path) -> str:
    if configuration.suite == "sizes":
        size = configuration.variant.split(" ", 1)[0]
        made = folder / stages.filename_of(size)
        return str(made if made.is_file() else stages.make_picture(size, folder))
    return str(next((sample.path for sample in samples.load()), ""))


def _spawn(configuration: Configuration, kept: Record, folder: Path) -> dict[str, Any]:
    """The result of one process; RuntimeError with the last line it said when it failed."""
    picture = _picture_for(configuration, folder)
    task: dict[str, Any] = {
        "configuration": configuration.as_json(),
        "effort": vars(kept.effort),
        "weights": kept.weights["asked"],
        "picture": picture,
    }
    command = [sys.executable, "-m", "resnet18_lab.benchmark.child"]
    if configuration.suite == "cold-start" and configuration.variant:
        artifact = artifacts.load(artifacts.KINDS[_artifact_of(configuration.backend)], kept.weights["asked"])
        inner = coldstart.command_of(
            configuration.variant,
            configuration.backend,
            str(artifact.path),
            picture,
            kept.weights["asked"],
            configuration.threads,
        )
        command = [sys.executable, "-I", coldstart.__file__, *inner]
    task["spawned"] = time.time()
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=clean_environment(configuration.threads),
        start_new_session=True,  # Ctrl-C reaches the parent alone, which then ends the whole group
    )
    try:
        answer, said = process.communicate(json.dumps(task).encode(), timeout=_DEADLINE)  # blocks: no polling
    except BaseException:
        _kill(process)
        raise
    if process.returncode != 0:
        lines = said.decode(errors="replace").strip().splitlines()
        how = f"killed by signal {-process.returncode}" if process.returncode < 0 else f"exit {process.returncode}"
        raise RuntimeError(f"{how}: {lines[-1] if lines else 'said nothing'}")
    result: dict[str, Any] = json.loads(answer)
    return result


def _artifact_of(backend: str) -> str:
    from resnet18_lab.backends.registry import spec_of

    return spec_of(backend).artifact or ""


def _kill(process: "subprocess.Popen[bytes]") -> None:
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()
