"""The report's own pages while it is made: after each run the index, and JUnit's file, say how far it is."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from resnet18_lab.course.report import pages, sweep
from resnet18_lab.course.report.execution import NOT_RUN, Failure, Run
from resnet18_lab.course.report.junit import write_junit
from resnet18_lab.course.report.plan import Step
from resnet18_lab.weights.find import WeightsFile


@dataclass
class Book:
    """A folder with pages of the runs so far; ``weights`` are those that the index names."""

    folder: Path
    steps: Sequence[Step]
    weights: WeightsFile
    profile: str
    started: str
    junit: Path | None = None
    runs: list[Run] = field(default_factory=list)
    _made_with: list[WeightsFile] = field(default_factory=list)
    _cards: list[pages.Card] = field(default_factory=list)

    @property
    def index(self) -> Path:
        """The page that leads to all others."""
        return self.folder / "index.html"

    @property
    def not_run(self) -> list[str]:
        """Names of the runs that are still to come, or never will."""
        return [step.name for step in self.steps[len(self.runs) :]]

    def add(self, run: Run, weights: WeightsFile) -> None:
        """Write the page of a run that has ended, made with these weights, and then the index."""
        self.runs.append(run)
        self._made_with.append(weights)
        card = self._page(len(self.runs) - 1, with_next=True)
        if run.swept:
            card = replace(card, title=f"{card.title} ({sweep.shown(run.swept)})")
        self._cards.append(card)
        self.write()

    def _page(self, position: int, *, with_next: bool) -> pages.Card:
        names = [None, *(step.name for step in self.steps), None]
        neighbours = names[position], names[position + 2] if with_next else None
        run = self.runs[position]
        return pages.write_page(run, self._made_with[position], self.folder / f"{run.name}.html", neighbours=neighbours)

    def close(self) -> None:
        """Where the report ends before its last run, say so in the index, and lead to no page that is not there."""
        if self.not_run:
            if self.runs:
                self._page(len(self.runs) - 1, with_next=False)
            self.write()

    def write(self) -> None:
        """Write the index and JUnit's file as of now."""
        why = Failure(NOT_RUN, None, "", "the report ended before it")
        waiting = [pages.Card(name, name, 0.0, None, why) for name in self.not_run]
        pages.write_index([*self._cards, *waiting], self.weights, self.profile, self.index)
        if self.junit is not None:
            write_junit(self.junit, self.runs, self.not_run, self.started)
