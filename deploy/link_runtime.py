"""Link requirements, and what they require, from this environment into another: a runtime without a network.

Usage: python deploy/link_runtime.py REQUIREMENTS.txt SITE-PACKAGES     (with the Python of an installed project)
"""

import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement


def needed(line: str, extras: set[str]) -> Requirement | None:
    """The requirement of that line where it holds here, with one of those extras asked for."""
    requirement = Requirement(line)
    holds = (
        any(requirement.marker.evaluate({"extra": extra}) for extra in extras | {""}) if requirement.marker else True
    )
    return requirement if holds else None


def with_all_they_require(lines: list[str]) -> Iterator[Distribution]:
    """The installed packages that those requirements name, and those that these require; with extras, some again."""
    waiting = [needed(line, set()) for line in lines]
    seen = set()
    while waiting:
        requirement = waiting.pop()
        if requirement is None or (requirement.name.lower(), *sorted(requirement.extras)) in seen:
            continue
        seen.add((requirement.name.lower(), *sorted(requirement.extras)))
        package = distribution(requirement.name)
        yield package
        waiting += [needed(line, requirement.extras) for line in package.requires or []]


def link(lines: list[str], site: Path) -> None:
    """Make symbolic links in ``site`` to the files of all that is needed."""
    for package in with_all_they_require(lines):
        for top in {file.parts[0] for file in package.files or []} - {"..", "__pycache__"}:
            if not (site / top).exists():
                (site / top).symlink_to(Path(str(package.locate_file(top))).resolve())


if __name__ == "__main__":
    link(Path(sys.argv[1]).read_text(encoding="utf-8").splitlines(), Path(sys.argv[2]))
