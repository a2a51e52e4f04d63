"""Print the pins of all that the service imports: its requirements and what they require, as requirements.txt has them.

Usage: python deploy/runtime_pins.py     (with the Python of an installed project; nothing is fetched)
"""

import sys

from link_runtime import with_all_they_require
from packaging.utils import canonicalize_name
from runtime_requirements import ROOT, requirements


def pins() -> list[str]:
    """Lines ``name==version``, sorted; raises KeyError for a package that requirements.txt does not pin."""
    lock = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pinned = {line.partition("==")[0]: line for line in lock if "==" in line}
    wanted = {canonicalize_name(package.metadata["Name"]) for package in with_all_they_require(requirements())}
    return [pinned[name] for name in sorted(wanted)]


if __name__ == "__main__":
    sys.stdout.write("\n".join(pins()) + "\n")
