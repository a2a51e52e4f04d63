"""The photographs that come with the project, and which classes count as right for each."""

import csv
from dataclasses import dataclass
from pathlib import Path

from resnet18_lab.base.paths import samples_dir


@dataclass(frozen=True)
class Sample:
    """A photograph; ``acceptable`` holds class indexes, empty when none of the 1,000 classes fits."""

    path: Path
    acceptable: tuple[int, ...]
    note: str

    def verdict(self, index: int) -> str:
        """``right``, ``wrong``, or ``no such class`` for a predicted class index."""
        if not self.acceptable:
            return "no such class"
        return "right" if index in self.acceptable else "wrong"


def load_samples() -> list[Sample]:
    """All samples, sorted by file name; an empty list where the project is installed without them."""
    table = samples_dir() / "labels.csv"
    if not table.is_file():
        return []
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [
        Sample(
            table.parent / row["file"],
            () if row["acceptable"] == "none" else tuple(int(index) for index in row["acceptable"].split(";")),
            row["note"],
        )
        for row in sorted(rows, key=lambda row: row["file"])
    ]
