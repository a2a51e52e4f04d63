"""Exit status 0 when a bill of materials names what this environment has, no more and no less, by name and version.

Usage: python deploy/check_bill.py SBOM.json     (with the runtime's Python; what installs packages is not counted)
"""

import json
import re
import sys
from importlib.metadata import distributions
from pathlib import Path

INSTALLERS = {"pip", "setuptools", "resnet18-lab"}
"""With the project itself, which is the bill's own subject."""


def difference(bill: Path) -> set[tuple[str, str]]:
    """(name, version) of all that only one of the two has."""
    named = {(one["name"], one["version"]) for one in json.loads(bill.read_text(encoding="utf-8"))["components"]}
    installed = {(re.sub(r"[-_.]+", "-", one.metadata["Name"]).lower(), one.version) for one in distributions()}
    return named ^ {(name, version) for name, version in installed if name not in INSTALLERS}


if __name__ == "__main__":
    sys.exit(f"the bill and the runtime differ: {sorted(found)}" if (found := difference(Path(sys.argv[1]))) else 0)
