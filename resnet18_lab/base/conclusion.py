"""What a measurement allows to say: a sentence, or the reason why it is withheld."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Conclusion:
    """A sentence by its name in results; ``withheld`` is why it was too noisy to say, or empty."""

    name: str
    said: str
    withheld: str = ""

    def unless(self, *reasons: str) -> "Conclusion":
        """The same, withheld for the first reason that is not empty."""
        return Conclusion(self.name, self.said, self.withheld or next(filter(None, reasons), ""))

    def __str__(self) -> str:
        """The sentence, or that it cannot be said here and why."""
        return f"Too noisy to say here ({self.name}): {self.withheld}." if self.withheld else self.said


def lines(conclusions: Iterable[Conclusion]) -> str:
    """All of them, a line each."""
    return "\n".join(map(str, conclusions))
