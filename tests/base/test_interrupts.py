"""Ctrl-C while something is imported comes once, and as an interrupt, when the import is done."""

import signal
import subprocess
import sys

import pytest

from resnet18_lab.base import interrupts

INTERRUPT = "import os, signal; os.kill(os.getpid(), signal.SIGINT)\n"
MODULES = {
    "plain": INTERRUPT + "done = True\n",
    "below": "import plain\nfrom plain import done\n",
    "a_class": "class Field:\n    def __set_name__(self, owner, name):\n        "
    + INTERRUPT
    + "class Made:\n    field = Field()\ndone = True\n",
    "text": f"exec({INTERRUPT + 'done = True'!r})\n",
    "a_callback": "import weakref\nclass Gone: pass\ndef called(_):\n    "
    + INTERRUPT
    + "gone = Gone(); kept = weakref.ref(gone, called); del gone\ndone = True\n",
}
IMPORTER = """
import importlib, sys, time
from resnet18_lab.base.interrupts import held_back_while_importing
sys.path.insert(0, sys.argv[1])
try:
    with held_back_while_importing():
        imported = importlib.import_module(sys.argv[2])
        assert imported.done
        time.sleep(20)
except KeyboardInterrupt:
    print("interrupted", imported.done)
"""


@pytest.mark.parametrize("name", MODULES)
def test_an_import_is_finished_before_the_interrupt_comes(tmp_path, name):
    for module, text in MODULES.items():
        (tmp_path / f"{module}.py").write_text(text)
    done = subprocess.run(
        [sys.executable, "-c", IMPORTER, str(tmp_path), name], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr, done.returncode) == ("interrupted True\n", "", 0)


def test_an_import_that_does_not_end_is_interrupted_after_all(monkeypatch, tmp_path):
    monkeypatch.setattr(interrupts, "_LONGEST_WAIT", 0.1)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "endless.py").write_text(INTERRUPT + "import time\ntime.sleep(60)\n")
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), interrupts.held_back_while_importing():
            import endless  # noqa: F401
    finally:
        signal.signal(signal.SIGINT, before)


def test_where_ctrl_c_is_ignored_it_stays_so():
    before, alarm = signal.signal(signal.SIGINT, signal.SIG_IGN), signal.getsignal(signal.SIGALRM)
    try:
        with interrupts.held_back_while_importing():
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
    assert signal.getsignal(signal.SIGALRM) == alarm
