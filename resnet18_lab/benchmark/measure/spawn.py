"""One measuring process: its clean environment, its task, its answer, its end."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from resnet18_lab.base.children import SAFE_PATH
from resnet18_lab.base.samples import load_samples
from resnet18_lab.benchmark.configuration import Configuration, Effort
from resnet18_lab.benchmark.measure import coldstart, stages
from resnet18_lab.benchmark.record import Record
from resnet18_lab.inference import artifacts

DEADLINE = 120.0
"""Seconds after which a process is given up as hanging; loading torch on a cold disk takes long."""
_SLOWEST = 0.5
"""Seconds a picture that a loop over a folder may take at most before it counts as hanging."""
PICTURES = "pictures"
"""Folder of the pictures of ``end-to-end``, within the folder of the run."""
_THREAD_VARIABLES = (
    "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS", "VECLIB_MAXIMUM_THREADS",
)  # fmt: skip
_KEPT_VARIABLES = (
    "PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TEMP", "SYSTEMROOT", "LD_LIBRARY_PATH", "XDG_CACHE_HOME", "TORCH_HOME",
    "PYTHONPATH", "VIRTUAL_ENV", "RESNET18_LAB_WEIGHTS", "RESNET18_LAB_HOME",
)  # fmt: skip


def clean_environment(threads: int) -> dict[str, str]:
    """Variables of a child: the few it needs, and the number of threads for every library's own pool."""
    variables = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    return {**variables, **dict.fromkeys(_THREAD_VARIABLES, str(threads)), "RESNET18_LAB_OFFLINE": "1", **SAFE_PATH}


def _deadline_of(configuration: Configuration, effort: Effort) -> float:
    """Seconds after which a process is given up as hanging."""
    return max(DEADLINE, effort.pictures * _SLOWEST) if configuration.suite == "end-to-end" else DEADLINE


def _picture_for(configuration: Configuration, folder: Path) -> str:
    if configuration.suite == "end-to-end":
        return str(folder / PICTURES)
    if configuration.suite == "sizes":
        size = configuration.size
        path = folder / stages.filename_of(size)
        return str(path if path.is_file() else stages.make_picture(size, folder))
    return str(next((sample.path for sample in load_samples()), ""))


def spawn(configuration: Configuration, record: Record, folder: Path) -> dict[str, Any]:
    """The result of one process; RuntimeError with the last line it printed when it failed."""
    picture = _picture_for(configuration, folder)
    task: dict[str, Any] = {
        "configuration": configuration.as_json(),
        "effort": vars(record.effort),
        "weights": record.weights["asked"],
        "picture": picture,
    }
    command = _command(configuration, record.weights["asked"], picture)
    deadline = _deadline_of(configuration, record.effort)
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
        answer, messages = process.communicate(json.dumps(task).encode(), timeout=deadline)  # blocks: no polling
    except BaseException:
        _kill(process)
        raise
    if process.returncode != 0:
        lines = messages.decode(errors="replace").strip().splitlines()
        how = f"killed by signal {-process.returncode}" if process.returncode < 0 else f"exit {process.returncode}"
        raise RuntimeError(f"{how}: {lines[-1] if lines else 'said nothing'}")
    result: dict[str, Any] = json.loads(answer)
    return result


def _command(configuration: Configuration, weights: str, picture: str) -> list[str]:
    """What is started: the measuring child, or for a whole command the clock around it."""
    if configuration.suite != "cold-start" or not configuration.variant:
        return [sys.executable, "-m", "resnet18_lab.benchmark.measure.child"]
    artifact = artifacts.load(_artifact_of(configuration.backend), weights)
    inner = coldstart.command_of(
        configuration.variant, configuration.backend, str(artifact.path), picture, weights, configuration.threads
    )
    return [sys.executable, "-I", coldstart.__file__, *inner]


def _artifact_of(backend: str) -> str:
    from resnet18_lab.inference.registry import spec_of

    return spec_of(backend).artifact or ""


def _kill(process: "subprocess.Popen[bytes]") -> None:
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()
