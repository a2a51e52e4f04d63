"""The environment, checked part by part; works where packages are missing or broken, which is when it is needed.

Packages are imported in processes of their own: one that crashes or hangs is a finding, not the end.
"""

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from resnet18_lab.base import paths
from resnet18_lab.base.errors import LabError, WeightsNotFoundError
from resnet18_lab.base.machine import cgroup_quota, cgroup_source, cpu_flags, cpu_model, memory_bytes, usable_cores
from resnet18_lab.inference import artifacts
from resnet18_lab.weights.find import VARIABLE, find_weights
from resnet18_lab.weights.names import UNTRAINED
from resnet18_lab.weights.status import weights_status

OK, WARNING, PROBLEM = "ok", "warning", "problem"
_PINNED_PAIR = ("2.13.0", "0.28.0")
"""torch and torchvision that are tested together; torchvision names its torch exactly."""
_IMPORT_TIMEOUT = 120  # seconds; a cold disk can take long over torch
_LITTLE_MEMORY, _LITTLE_DISK, _NO_DISK = 2e9, 2e9, 2e8
_COMPILERS = ("c++", "g++", "clang++", "cl")
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome", "msedge")


@dataclass(frozen=True)
class Finding:
    """One line of the check-up: ``state`` is ok, warning or problem; ``remedy`` says what to do, if anything."""

    name: str
    state: str
    detail: str
    remedy: str = ""

    def as_json(self) -> dict[str, str]:
        """The fields as a dictionary."""
        return asdict(self)


def examine() -> list[Finding]:
    """All findings; a check that itself fails is a problem with its reason."""
    findings: list[Finding] = []
    for check in CHECKS:
        try:
            findings.extend(check())
        except Exception as error:  # a broken environment can raise anything anywhere
            name = check.__name__.removeprefix("check_").replace("_", " ")
            reason = f"the check failed: {type(error).__name__}: {error}"
            findings.append(Finding(name, PROBLEM, reason, f"make the environment anew: {_setting_up()}"))
    return findings


def import_elsewhere(code: str) -> tuple[bool, str]:
    """Whether the code ran in a fresh interpreter, and what it printed or died of (one line)."""
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=False, timeout=_IMPORT_TIMEOUT
        )
    except subprocess.TimeoutExpired:
        return False, f"no answer within {_IMPORT_TIMEOUT} s"
    if done.returncode == 0:
        return True, done.stdout.strip()
    said = done.stderr.strip().splitlines()
    return False, said[-1] if said else f"exit status {done.returncode}"


def is_conda() -> bool:
    """True in an environment that conda made."""
    return (Path(sys.prefix) / "conda-meta").is_dir()


def _setting_up() -> str:
    """What makes this environment whole: another tool's environment is left to that tool."""
    return "`conda env update --file environment.yml`" if is_conda() else "`make setup`"


def check_python() -> Iterator[Finding]:
    """Whether this Python can run all of it."""
    found = f"{platform.python_version()} at {sys.executable}{' (of conda)' if is_conda() else ''}"
    if sys.version_info >= (3, 14):
        yield Finding("Python", WARNING, found, "TorchScript is not supported on 3.14 and newer; 3.11 is tested")
    else:
        yield Finding("Python", OK, found)


def check_torch() -> Iterator[Finding]:
    """Whether torch and torchvision are the pair that is tested, and a CPU build."""
    code = (
        "import json, torch; from resnet18_lab.model import torchvision as t;"
        "print(json.dumps([torch.__version__, t.torchvision.__version__, t.compiled_operators()]))"
    )
    works, answer = import_elsewhere(code)
    if not works:
        remedy = f"{_setting_up()} (engines that need no torch work without it)"
        yield Finding("torch and torchvision", PROBLEM, answer, remedy)
        return
    torch_version, torchvision_version, compiled = json.loads(answer)
    detail = f"torch {torch_version}, torchvision {torchvision_version}"
    pair = torch_version.split("+")[0], torchvision_version.split("+")[0]
    if pair != _PINNED_PAIR:
        yield Finding(
            "torch and torchvision", WARNING, detail, f"tested are {' and '.join(_PINNED_PAIR)}: {_setting_up()}"
        )
    else:
        yield Finding("torch and torchvision", OK, detail)
    how = (
        "load"
        if compiled
        else "do not load beside this torch; ResNet-18 needs none, their schemas are declared instead"
    )
    yield Finding("torchvision's operators", OK, how)


def check_packages() -> Iterator[Finding]:
    """Whether the other packages can be imported."""
    for package, needed_for in (("onnxruntime", "classify"), ("onnx", "build"), ("onnxscript", "build")):
        works, answer = import_elsewhere(f"import {package}; print({package}.__version__)")
        if works:
            yield Finding(package, OK, answer)
        else:
            yield Finding(package, PROBLEM, answer, f"{_setting_up()} ({needed_for} needs it)")


def check_cpu() -> Iterator[Finding]:
    """Whether the CPU has the instructions that INT8 needs to be quick."""
    flags = cpu_flags()
    if flags is None:
        yield Finding("CPU", OK, f"{cpu_model()}; flags not available on this system")
        return
    have = ", ".join(flag for flag, held in flags.items() if held) or "none of those that matter"
    detail = f"{cpu_model()}: {have}"
    if not flags["avx2"]:
        yield Finding("CPU", WARNING, detail, "without AVX2 every engine is slow")
    elif not (flags["avx512_vnni"] or flags["avx_vnni"]):
        yield Finding("CPU", WARNING, detail, "without VNNI, INT8 is not much faster than FP32: measure before use")
    else:
        yield Finding("CPU", OK, detail)


def check_cores() -> Iterator[Finding]:
    """How many cores this process may use, and whether a container's quota is what limits it."""
    quota = cgroup_quota()
    detail = f"{usable_cores()} usable of {os.cpu_count()}"
    detail += (
        f", control group quota {quota:g} (of {cgroup_source()})" if quota is not None else ", no control group quota"
    )
    yield Finding("cores", OK, detail)


def check_memory() -> Iterator[Finding]:
    """Whether there is memory enough."""
    total = memory_bytes()
    if total is None:
        yield Finding("memory", OK, "not available on this system")
    elif total < _LITTLE_MEMORY:
        yield Finding(
            "memory", WARNING, f"{total / 1e9:.1f} GB", "build and the notebooks want 2 GB; classify does not"
        )
    else:
        yield Finding("memory", OK, f"{total / 1e9:.1f} GB")


def check_disk() -> Iterator[Finding]:
    """Whether the cache folder can be written and has room."""
    folder = paths.home()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    detail = f"{free / 1e9:.1f} GB free at {folder}"
    if not os.access(folder, os.W_OK):
        yield Finding("disk", PROBLEM, f"{folder} may not be written to", "set RESNET18_LAB_HOME to a folder that may")
    elif free < _NO_DISK:
        yield Finding("disk", PROBLEM, detail, "free some: weights and artifacts need 0.2 GB")
    elif free < _LITTLE_DISK:
        yield Finding("disk", WARNING, detail, "the environment itself needs about 2 GB")
    else:
        yield Finding("disk", OK, detail)


def check_weights() -> Iterator[Finding]:
    """Which weights are found, which are damaged, and which `auto` takes."""
    if os.environ.get(VARIABLE) == UNTRAINED:
        yield Finding("weights", WARNING, f"{VARIABLE} asks for untrained ones", "unset it for trained ones")
        return
    rows = weights_status()
    for row in rows:
        if row.verified:
            yield Finding(f"weights {row.name}", OK, f"{row.path} ({row.where}), SHA-256 verified")
        elif row.problem:
            yield Finding(f"weights {row.name}", PROBLEM, row.problem, "see the message")
        else:
            yield Finding(f"weights {row.name}", OK, "not here")
    try:
        find_weights()
    except WeightsNotFoundError as error:
        yield Finding("weights", WARNING, str(error), "`resnet18-lab weights fetch`")
    except LabError:
        return  # a row above says what is wrong


def check_artifacts() -> Iterator[Finding]:
    """Whether the artifacts stand and were made by the versions installed."""
    try:
        folder = artifacts.find_folder()
    except LabError:
        yield Finding("artifacts", WARNING, "none without weights", "`resnet18-lab weights fetch`, then `build`")
        return
    there = artifacts.folder_at(folder)
    for kind in artifacts.KINDS.values():
        reason = there.problem(kind)
        path = folder / kind.filename(there.network)
        if reason is None:
            yield Finding(f"artifact {kind.name}", OK, f"{path}, SHA-256 verified")
        else:
            yield Finding(f"artifact {kind.name}", WARNING, f"{path} {reason}", "`resnet18-lab build`")


def check_kernel() -> Iterator[Finding]:
    """Whether Jupyter has a kernel that runs this Python."""
    code = (
        "from jupyter_client.kernelspec import KernelSpecManager as M; import ipykernel;"
        "s = M().get_kernel_spec('python3'); print(s.argv[0], s.resource_dir, sep='\\n')"
    )
    works, answer = import_elsewhere(code)
    if not works:
        yield Finding("Jupyter kernel", PROBLEM, answer, f"{_setting_up()} (notebooks and report need it)")
        return
    program, folder = answer.split("\n")
    own = Path(program).name in ("python", "python3") and not Path(program).is_absolute()
    if own or Path(program).resolve() == Path(sys.executable).resolve():
        yield Finding("Jupyter kernel", OK, f"python3 in {folder}")
    else:
        remedy = f"remove {folder}, or run `{sys.executable} -m ipykernel install --sys-prefix`"
        yield Finding("Jupyter kernel", WARNING, f"python3 is another interpreter: {program}", remedy)


def check_programs() -> Iterator[Finding]:
    """Whether a compiler and a browser are found, which some commands need."""
    for name, programs, remedy in (
        ("C++ compiler", _COMPILERS, "only torch.export packages need one; on Debian: apt install g++"),
        ("browser", _BROWSERS, "only screenshots and page tests need one; on Debian: apt install chromium"),
    ):
        found = next((path for program in programs if (path := shutil.which(program))), None)
        yield Finding(name, OK, found) if found else Finding(name, WARNING, "none found", remedy)


def check_variables() -> Iterator[Finding]:
    """Which of the project's environment variables are set."""
    set_here = sorted(name for name in os.environ if name.startswith("RESNET18_LAB_"))
    yield Finding("variables", OK, ", ".join(f"{name}={os.environ[name]}" for name in set_here) or "none set")


CHECKS: tuple[Callable[[], Iterator[Finding]], ...] = (
    check_python, check_torch, check_packages, check_cpu, check_cores, check_memory, check_disk,
    check_weights, check_artifacts, check_kernel, check_programs, check_variables,
)  # fmt: skip
