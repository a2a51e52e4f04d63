"""Child processes import nothing from the folder they are started in: it may be a folder of strangers' files.

``python -m`` and ``python -c`` look for modules in the working directory first; ``PYTHONSAFEPATH`` ends that.
"""

import os
import sys
from pathlib import Path

SAFE_PATH = {"PYTHONSAFEPATH": "1"}
"""What the environment of every child holds."""


def leave_out_working_directory() -> None:
    """This process, and all that it starts from now on, import nothing from the working directory."""
    package_root = str(Path(__file__).resolve().parents[2])
    here = os.getcwd()  # noqa: PTH109 - compared with entries of sys.path, which are text
    sys.path[:] = [entry for entry in sys.path if entry == package_root or entry not in ("", here)]
    os.environ.update(SAFE_PATH)
