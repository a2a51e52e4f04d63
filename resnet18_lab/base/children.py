"""Child processes import nothing from the folder they are started in: it may be a folder of strangers' files.

``python -m`` and ``python -c`` look for modules in the working directory first; ``PYTHONSAFEPATH`` ends that.
"""

import os
import sys
from pathlib import Path
from typing import Any

SAFE_PATH = {"PYTHONSAFEPATH": "1"}
"""What the environment of every child holds."""
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""What keeps the pools of libraries from taking all cores in each of many children."""
_PACKAGE_ROOT = str(Path(__file__).resolve().parents[2])

_CREATE_NEW_PROCESS_GROUP = 1 << 9  # of Windows; `subprocess` has it, and takes its time to load
OWN_GROUP: dict[str, Any] = {"process_group": 0} if os.name == "posix" else {"creationflags": _CREATE_NEW_PROCESS_GROUP}
"""What ``Popen`` takes so that Ctrl-C reaches only the parent, which then ends its children in order."""


def import_path() -> dict[str, str]:
    """Variables with which a child finds this package, and imports nothing from its working directory."""
    path = os.pathsep.join(filter(None, (_PACKAGE_ROOT, os.environ.get("PYTHONPATH"))))
    return {**SAFE_PATH, "PYTHONPATH": path}


def leave_out_working_directory() -> None:
    """This process, and all that it starts from now on, import nothing from the working directory."""
    here = os.getcwd()  # noqa: PTH109 - compared with entries of sys.path, which are text
    sys.path[:] = [entry for entry in sys.path if entry == _PACKAGE_ROOT or entry not in ("", here)]
    os.environ.update(SAFE_PATH)
