"""What ``make`` does, on the standard library alone: it runs before anything is installed.

``setup`` makes ``.venv`` with pinned versions; the other tasks see to it first, and nothing is done twice.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_VENV = ROOT / ".venv"
STAMP = _VENV / ".resnet18-lab-setup"
TEST_STAMP = _VENV / ".resnet18-lab-test-setup"
REQUIREMENTS = ROOT / "requirements.txt"
TEST_REQUIREMENTS = ROOT / "requirements-test.txt"
"""What the tests need on top: a cluster, a browser's driver, other people's clients and servers."""
_KERNEL_CONFIG = ROOT / "tools" / "ipython_kernel_config.py"
_TORCH_INDEX = "https://download.pytorch.org/whl/cpu"  # the small CPU builds for Linux live only there
_TORCH_PACKAGES = ("torch", "torchvision")
_ANY_BUILD = "TORCH"
"""Environment variable: ``any`` takes the build for GPUs where there is no other."""
_ANY_SIZE = "with CUDA about 3 GB to download and 5.6 GB on the disk"
_MINIMUM_PYTHON = (3, 11)


class SetupError(Exception):
    """The environment could not be made; the message says what to do."""


def environment_python() -> Path:
    """The interpreter of ``.venv``."""
    return _VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def wanted_stamp() -> str:
    parts = [REQUIREMENTS.read_bytes(), (ROOT / "pyproject.toml").read_bytes(), sys.version.encode()]
    return hashlib.sha256(b"\0".join([*parts, str(ROOT).encode()])).hexdigest()


def _wanted_test_stamp() -> str:
    return hashlib.sha256(wanted_stamp().encode() + TEST_REQUIREMENTS.read_bytes()).hexdigest()


def _says(stamp: Path, wanted: str) -> bool:
    try:
        return stamp.read_text(encoding="ascii") == wanted and environment_python().exists()
    except OSError:
        return False


def is_up_to_date() -> bool:
    """True when ``.venv`` was made from today's requirements for this folder."""
    return _says(STAMP, wanted_stamp())


def _pip(*arguments: str) -> None:
    command = [str(environment_python()), "-m", "pip", "--disable-pip-version-check", *arguments]
    finished = subprocess.run(command, cwd=ROOT, check=False)
    if finished.returncode != 0:
        raise SetupError(
            f"`pip {' '.join(arguments[:2])} ...` failed (see above); mend that, then run the "
            "same command again: finished steps are not repeated."
        )


def pinned(package: str) -> str:
    for line in REQUIREMENTS.read_text(encoding="utf-8").splitlines():
        if line.startswith(f"{package}=="):
            return line.strip()
    raise SetupError(f"requirements.txt pins no {package}; make it again with tools/lock.py.")


def refuse_gpu_packages(plan: dict[str, list[dict[str, dict[str, str]]]]) -> None:
    """Raise SetupError when pip's plan would pull the CUDA packages: gigabytes of no use on a CPU."""
    names = [item["metadata"]["name"] for item in plan["install"]]
    gpu = [name for name in names if name.lower().startswith(("nvidia-", "cuda-", "triton"))]
    if gpu:
        raise SetupError(
            f"pip would install GPU packages ({', '.join(gpu[:3])}, ...): the CPU build of torch was "
            f"not found. Check that {_TORCH_INDEX} can be reached (HTTPS_PROXY is honoured). Without it there are "
            f"two ways on: `{_ANY_BUILD}=any` before the same command takes the index's own build ({_ANY_SIZE}); or "
            f"install a CPU wheel of torch by hand: {environment_python()} -m pip install FILE.whl, then again."
        )


def install_torch() -> None:
    wanted = [pinned(package) for package in _TORCH_PACKAGES]
    options = ["--extra-index-url", _TORCH_INDEX, "--retries", "0"]
    with tempfile.TemporaryDirectory() as folder:
        plan = Path(folder) / "plan.json"
        _pip("install", "--quiet", "--dry-run", "--report", str(plan), *wanted, *options)
        if os.environ.get(_ANY_BUILD) == "any":
            _say(f"{_ANY_BUILD}=any: whatever build the package index has is taken ({_ANY_SIZE})")
        else:
            refuse_gpu_packages(json.loads(plan.read_text(encoding="utf-8")))
    _pip("install", "--quiet", *wanted, *options)


def _has_pip() -> bool:
    """False without an environment, and for one whose making was interrupted."""
    command = [str(environment_python()), "-m", "pip", "--version"]
    return environment_python().exists() and subprocess.run(command, capture_output=True, check=False).returncode == 0


def _make_environment() -> None:
    _say("making .venv")
    try:
        venv.create(_VENV, with_pip=True, clear=_VENV.exists())
    except subprocess.CalledProcessError as error:
        lines = (error.output or b"").decode("utf-8", "replace").splitlines()
        causes = [line.strip() for line in lines if "Error: " in line and "CalledProcessError" not in line]
        reason = causes[-1] if causes else error
        raise SetupError(f".venv cannot be made ({reason}); mend that, then run the same command again.") from error


def setup() -> None:
    """Make ``.venv`` with the pinned versions, unless it is up to date."""
    if is_up_to_date():
        return
    if sys.version_info < _MINIMUM_PYTHON:
        raise SetupError(
            f"Python {'.'.join(map(str, _MINIMUM_PYTHON))} or newer is needed, this is "
            f"{sys.version.split()[0]}; run e.g. `make setup PYTHON=python3.11`."
        )
    if not _has_pip():
        _make_environment()
    _say("installing torch and torchvision (CPU builds)")
    install_torch()
    _say("installing the pinned rest")
    _pip("install", "--quiet", "--requirement", str(REQUIREMENTS))
    # compat: a plain path entry; the import hook of the other mode costs every start some milliseconds
    compat = ("--config-settings", "editable_mode=compat")
    _pip("install", "--quiet", "--no-deps", "--no-build-isolation", *compat, "--editable", ".")
    configure_kernels()
    STAMP.write_text(wanted_stamp(), encoding="ascii")
    _say("ready")


def configure_kernels() -> None:
    """Let the environment's kernels leave out what would mark each notebook as changed when it is opened."""
    target = _VENV / "etc" / "ipython" / _KERNEL_CONFIG.name
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(_KERNEL_CONFIG, target)


def setup_tests() -> None:
    """``setup``, and on top what only the tests need."""
    setup()
    if not _says(TEST_STAMP, _wanted_test_stamp()):
        _say("installing what only the tests need")
        _pip("install", "--quiet", "--requirement", str(TEST_REQUIREMENTS))
        TEST_STAMP.write_text(_wanted_test_stamp(), encoding="ascii")


def _say(text: str) -> None:
    print(f"setup: {text}", file=sys.stderr, flush=True)  # noqa: T201 - nothing else is installed yet


def _in_environment(*arguments: str) -> int:
    setup()
    return subprocess.run([str(environment_python()), *arguments], cwd=ROOT, check=False).returncode


def _setup_only(_: list[str]) -> int:
    setup()
    return 0


def _test(arguments: list[str]) -> int:
    setup_tests()
    return _in_environment(str(ROOT / "tools" / "run_tests.py"), *arguments)


def _test_fast(arguments: list[str]) -> int:
    setup_tests()
    return _in_environment(str(ROOT / "tools" / "run_tests.py"), "--fast", *arguments)


def _lab(arguments: list[str]) -> int:
    setup()
    configure_kernels()  # an environment made before there was such a file
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # or a kernel's waiting threads keep the cores busy
    return _in_environment("-m", "jupyter", "lab", "--notebook-dir", str(ROOT / "notebooks"), *arguments)


def _setup_tests_only(_: list[str]) -> int:
    setup_tests()
    return 0


TASKS = {"setup": _setup_only, "setup-tests": _setup_tests_only, "test": _test, "test-fast": _test_fast, "lab": _lab}


def run(task: str, arguments: list[str]) -> int:
    """Exit status of a task; 2 and one line where the environment cannot be made, 130 after Ctrl-C."""
    try:
        return TASKS[task](arguments)
    except (SetupError, OSError) as error:
        _say(str(error))
        return 2
    except KeyboardInterrupt:
        _say("interrupted; run the same command again to go on")
        return 130


def run_in_environment(arguments: list[str]) -> int:
    """Exit status of the command line run by the project's own interpreter, which is made if missing."""
    try:
        return _in_environment("-m", "resnet18_lab", *arguments)
    except (SetupError, OSError) as error:
        _say(str(error))
        return 2
    except KeyboardInterrupt:
        return 130
