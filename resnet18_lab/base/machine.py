"""Facts about this machine: CPU, cores this process may use, memory, versions. Standard library only."""

import contextlib
import os
import platform
from pathlib import Path
from typing import Any

from resnet18_lab import __version__
from resnet18_lab.base.paths import is_checkout

CPU_FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_int8", "amx_bf16")
"""Instruction sets that decide how fast FP32, INT8 and BF16 convolutions are, as Linux names them."""

PACKAGES = (
    "torch", "torchvision", "onnx", "onnxscript", "onnxruntime", "openvino", "numpy", "pillow", "pandas",
    "matplotlib", "papermill", "nbconvert",
)  # fmt: skip
_NOT_AVAILABLE = "not available"
_SOURCE = Path(__file__).resolve().parents[1]


def _cpuinfo() -> dict[str, str]:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    first = text.split("\n\n", 1)[0]
    pairs = (line.split(":", 1) for line in first.splitlines() if ":" in line)
    return {key.strip(): value.strip() for key, value in pairs}


def cpu_model() -> str:
    """The CPU's own name, with family and model numbers where the name is vague; never empty."""
    info = _cpuinfo()
    name = info.get("model name") or platform.processor() or platform.machine() or _NOT_AVAILABLE
    numbers = [info[key] for key in ("cpu family", "model") if key in info]
    return f"{name} (family {numbers[0]}, model {numbers[1]})" if len(numbers) == 2 else name


def cpu_flags() -> dict[str, bool] | None:
    """Which of CPU_FLAGS this CPU has; None where the system does not say (not on Linux)."""
    flags = _cpuinfo().get("flags")
    return {flag: flag in flags.split() for flag in CPU_FLAGS} if flags is not None else None


def needs_reduced_range() -> bool:
    """True where 8-bit products could overflow: on x86 without VNNI, or where the flags cannot be read.

    There two products of uint8 and int8 are added in 16 bits; weights of 7 bits keep the sum inside.
    """
    if platform.machine().lower() in ("arm64", "aarch64"):
        return False
    flags = cpu_flags()
    return flags is None or not (flags["avx512_vnni"] or flags["avx_vnni"])


def memory_bytes() -> int | None:
    """Physical memory in bytes; None where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def package_versions() -> dict[str, str]:
    """Versions of those packages in PACKAGES that are installed; they influence results."""
    import importlib.metadata  # slow to import, and callers that only want the CPU's name do not need it

    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def git_commit() -> str | None:
    """The clone's commit, with ``+changes`` when files differ from it; None without git or a clone.

    Changes in ``docs/records`` are ignored: a record that a measurement has just written does not change what
    was measured.
    """
    import shutil
    import subprocess  # imported here: quick commands import this module, too

    if not is_checkout() or shutil.which("git") is None:
        return None

    def git(*arguments: str) -> str | None:
        process = subprocess.run(
            ["git", *arguments], cwd=_SOURCE, capture_output=True, text=True, check=False, timeout=10
        )
        return process.stdout.strip() if process.returncode == 0 else None

    commit = git("rev-parse", "HEAD")
    return f"{commit}+changes" if commit and git("status", "--porcelain", "--", ".", ":!docs/records") else commit


def snapshot() -> dict[str, Any]:
    """All facts of this module as one dictionary for records and reports."""
    affinity = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    return {
        "resnet18_lab": __version__,
        "git_commit": git_commit(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "cpu": cpu_model(),
        "cpu_flags": cpu_flags(),
        "cores": os.cpu_count(),
        "affinity": affinity,
        "cgroup_quota": cgroup_quota(),
        "usable_cores": usable_cores(),
        "memory_bytes": memory_bytes(),
        "packages": package_versions(),
    }


_CGROUPS = Path("/sys/fs/cgroup")
_OWN_GROUPS = Path("/proc/self/cgroup")


def cgroup_quota() -> float | None:
    """Cores the control group grants (may be a fraction); None without a quota or outside Linux."""
    return min((quota for _, quota in _cgroup_quotas()), default=None)


def cgroup_source() -> str | None:
    """The control group that grants the fewest cores; None without a quota."""
    return str(min(_cgroup_quotas(), key=lambda found: found[1])[0]) if _cgroup_quotas() else None


def _cgroup_quotas() -> list[tuple[Path, float]]:
    """Every quota along the way from this process's group to the root, of version 2 and version 1: the least counts."""
    folders = [_CGROUPS, _CGROUPS / "cpu"]
    with contextlib.suppress(OSError):
        for line in _OWN_GROUPS.read_text(encoding="utf-8").splitlines():
            _, controllers, path = line.split(":", 2)
            root = _CGROUPS / "cpu" if "cpu" in controllers.split(",") else _CGROUPS
            parts = Path(path.lstrip("/")).parts
            folders += [root.joinpath(*parts[: count + 1]) for count in range(len(parts))]
    quotas = [(folder, _quota_in(folder)) for folder in dict.fromkeys(folders)]
    return [(folder, quota) for folder, quota in quotas if quota is not None]


def _quota_in(folder: Path) -> float | None:
    """The quota that one group sets itself, in cores."""
    try:
        if (folder / "cpu.max").is_file():
            quota, period = (folder / "cpu.max").read_text(encoding="ascii").split()
        else:
            quota, period = (
                (folder / name).read_text(encoding="ascii").strip()
                for name in ("cpu.cfs_quota_us", "cpu.cfs_period_us")
            )
        return None if quota in ("max", "-1") else int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return None


def usable_cores() -> int:
    """Whole cores this process may keep busy, at least 1."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = cgroup_quota()
    return max(1, min(cores, int(quota)) if quota is not None else cores)
