"""Measure what one student's kernel holds in each lesson and write docs/records/class_memory.json.

Usage: python tools/records/class_memory.py [NOTEBOOK ...]     (then tools/pages/teaching.py)

A lesson's times may be disturbed meanwhile; its memory is not. The artifacts must be built.
"""

import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path

import nbformat
import psutil
from nbclient import NotebookClient

from resnet18_lab.base import paths
from resnet18_lab.benchmark.kept_records import Measuring
from resnet18_lab.course.own_copy import copy_course
from resnet18_lab.course.report.kernels import kernel_environment, kernels_with

RECORD = paths.records_dir() / "class_memory.json"
_EVERY = 0.5
"""Seconds between two looks."""


def held(process: psutil.Process) -> tuple[int, int]:
    """Bytes of a process, and of it with all that it started; what is shared is counted once (PSS)."""
    own = process.memory_full_info().pss
    others = 0
    for child in process.children(recursive=True):
        with suppress(psutil.Error):
            others += child.memory_full_info().pss
    return own, own + others


class Watch:
    """The most that the kernels of this process held, alone and with what they started."""

    def __init__(self) -> None:
        self.kernel = self.all = self.start = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(_EVERY):
            with suppress(psutil.Error):
                for child in psutil.Process().children():
                    if "ipykernel_launcher" in " ".join(child.cmdline()):
                        own, everything = held(child)
                        self.start = self.start or own
                        self.kernel, self.all = max(self.kernel, own), max(self.all, everything)


def peaks_of(notebook: Path) -> dict[str, int]:
    """Bytes that the lesson's kernel held at its start and at most, and at most with the processes it started."""
    content = nbformat.read(notebook, as_version=4)
    client = NotebookClient(
        content, timeout=1800, kernel_name="python3", resources={"metadata": {"path": notebook.parent}},
        kernel_manager_class=kernels_with(kernel_environment("fast")),
    )  # fmt: skip
    with Watch() as watch:
        client.execute()
    return {"start": watch.start, "kernel": watch.kernel, "all": watch.all}


def main() -> None:
    """Run the lessons one after the other from a student's own copy."""
    measuring = Measuring(profile="fast")
    with tempfile.TemporaryDirectory() as place:
        copy_course(Path(place))
        found = {}
        for notebook in sorted(Path(place, "notebooks").glob("*.ipynb")):
            if len(sys.argv) == 1 or notebook.stem in sys.argv[1:]:
                found[notebook.stem] = peaks_of(notebook)
                print(notebook.stem, {name: f"{size / 1e6:.0f} MB" for name, size in found[notebook.stem].items()})
    measuring.write(RECORD, {"lessons": found})


if __name__ == "__main__":
    main()
