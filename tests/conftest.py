"""What the tests share: places, trained weights where there are any, and one home with built artifacts."""

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import pytest
from page_driver import browser, page, service  # noqa: F401 - fixtures

from resnet18_lab import paths, weights
from resnet18_lab.build import build
from resnet18_lab.errors import LabError
from resnet18_lab.weights import WeightsFile

ROOT = Path(__file__).resolve().parent.parent
CLASSROOM = ROOT.parent / "shared"


def pytest_configure(config: pytest.Config) -> None:
    """Side by side, a file's tests stay together, but each notebook goes to whoever is free: they take minutes.

    Ctrl-C is heard again: a script's background job starts with it ignored, and so would the commands under test.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if getattr(config.option, "dist", "no") == "loadfile" and not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Scheduling())


class _Scheduling:
    @staticmethod
    def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
        from xdist.scheduler import LoadFileScheduling

        class ByFileAndNotebook(LoadFileScheduling):
            def _split_scope(self, nodeid: str) -> str:
                return nodeid if "test_notebooks.py::" in nodeid else super()._split_scope(nodeid)

        return ByFileAndNotebook(config, log)


def tool(name: str) -> ModuleType:
    """The script ``tools/NAME.py`` as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def weights_or_skip(name: str) -> WeightsFile:
    """The trained weights of that name, or a skip that says what is missing."""
    try:
        return weights.find(name)
    except LabError as error:
        pytest.skip(f"needs the trained weights {name!r}: {error}")


def trained_or_skip() -> WeightsFile:
    """Any trained weights, the compact ones first: the figures asserted on are about those."""
    for name in ("compact", "compact-large", "official"):
        try:
            return weights.find(name)
        except LabError:
            continue
    pytest.skip("needs trained weights (compact, compact-large or official): see weights/README.md")


@pytest.fixture(scope="session")
def labelled_images() -> Path:
    """The folder of labelled photographs (a sub-folder per wnid)."""
    chosen = os.environ.get("RESNET18_LAB_IMAGES")
    folder = Path(chosen) if chosen else CLASSROOM / "images" / "imagenet-sample"
    if not folder.is_dir():
        pytest.skip(f"needs labelled photographs: {folder} is missing (RESNET18_LAB_IMAGES points elsewhere)")
    nested = folder / "imagenet-sample"
    return nested if nested.is_dir() else folder


@pytest.fixture(scope="session")
def untrained_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with artifacts of the untrained network: enough for shapes, plumbing and failures."""
    return _built_home(tmp_path_factory, weights.find("untrained"))


@pytest.fixture(scope="session")
def trained_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with artifacts of trained weights."""
    return _built_home(tmp_path_factory, trained_or_skip())


def _built_home(factory: pytest.TempPathFactory, file: WeightsFile) -> Path:
    home = factory.mktemp(f"home-{file.name}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RESNET18_LAB_HOME", str(home))
        build(file, only=["onnx-fp32"])
    return home


@pytest.fixture(autouse=True)
def _own_home(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No test writes into the clone: artifacts, reports and remembered hashes go to a folder of the run's."""
    monkeypatch.setenv("RESNET18_LAB_HOME", str(tmp_path_factory.getbasetemp() / "home"))
    monkeypatch.setenv("RESNET18_LAB_OFFLINE", "1")


def run_cli(
    *arguments: str | Path,
    home: Path | None = None,
    env: dict[str, str] | None = None,
    prefix: Sequence[str] = (),
    **options: object,
) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own, as a user runs it; ``prefix`` is a command that starts it."""
    environment = {**os.environ, **(env or {})}
    if home is not None:
        environment["RESNET18_LAB_HOME"] = str(home)
    settings: dict = {
        "capture_output": True,
        "text": True,
        "timeout": 300,
        "encoding": "utf-8",
        **options,
    }
    return subprocess.run(
        [*prefix, sys.executable, "-m", "resnet18_lab", *map(str, arguments)], env=environment, check=False, **settings
    )


def samples_dir() -> Path:
    """The project's own photographs."""
    return paths.samples_dir()


@pytest.fixture(scope="session")
def trained_or_untrained_home(request: pytest.FixtureRequest) -> Path:
    """The trained home where there are trained weights, else the untrained one."""
    try:
        weights.find("auto")
    except LabError:
        return request.getfixturevalue("untrained_home")
    named_untrained = os.environ.get("RESNET18_LAB_WEIGHTS") == "untrained"
    return request.getfixturevalue("untrained_home" if named_untrained else "trained_home")


@pytest.fixture(scope="session")
def course_home(trained_or_untrained_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy for notebooks and reports: they build what they show, and other tests must not get another engine by it."""
    return Path(shutil.copytree(trained_or_untrained_home, tmp_path_factory.mktemp("course") / "home"))
