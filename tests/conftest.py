"""What the tests share: places, trained weights where there are any, and one home with built artifacts."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.built_homes import built_home
from support.page_driver import browser, page, service  # noqa: F401 - fixtures
from support.project import CLASSROOM, trained_or_skip

from resnet18_lab.base.errors import LabError
from resnet18_lab.base.machine import usable_cores
from resnet18_lab.weights.find import WeightsFile, find_weights


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
    return built_home(tmp_path_factory, "untrained", "onnx-fp32")


@pytest.fixture(scope="session")
def trained_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with artifacts of trained weights."""
    return built_home(tmp_path_factory, trained_or_skip(), "onnx-fp32")


@pytest.fixture(autouse=True)
def _own_imports() -> Iterator[None]:
    """The command line keeps children from importing what lies beside them; run in this process, it must not go on so."""
    before = os.environ.get("PYTHONSAFEPATH")
    yield
    if before is None:
        os.environ.pop("PYTHONSAFEPATH", None)


@pytest.fixture(autouse=True)
def _own_threads() -> Iterator[None]:
    """Engines set the threads of torch for the process; the next test has those that it would have had alone."""
    yield
    if (torch := sys.modules.get("torch")) is not None and hasattr(torch, "set_num_threads"):
        torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS") or usable_cores()))


@pytest.fixture(autouse=True)
def _own_home(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No test writes into the clone: artifacts, reports and remembered hashes go to a folder of the run's."""
    monkeypatch.setenv("RESNET18_LAB_HOME", str(tmp_path_factory.getbasetemp() / "home"))
    monkeypatch.setenv("RESNET18_LAB_OFFLINE", "1")


@pytest.fixture(scope="session")
def trained_or_untrained() -> WeightsFile:
    """Trained weights where there are any, else the untrained ones."""
    try:
        find_weights("auto")
    except LabError:
        return find_weights("untrained")
    return find_weights("untrained") if os.environ.get("RESNET18_LAB_WEIGHTS") == "untrained" else trained_or_skip()


@pytest.fixture(scope="session")
def trained_or_untrained_home(trained_or_untrained: WeightsFile, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with artifacts of those weights."""
    return built_home(tmp_path_factory, trained_or_untrained, "onnx-fp32")


@pytest.fixture(scope="session")
def course_home(trained_or_untrained: WeightsFile, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home for notebooks and reports: they build the rest of what they show."""
    return built_home(tmp_path_factory, trained_or_untrained, "onnx-fp32", "onnx-int8-static")
