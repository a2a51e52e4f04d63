"""The record of a run: configurations, environment and every raw sample, as JSON."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from resnet18_lab.base import machine
from resnet18_lab.base.errors import ParameterError
from resnet18_lab.base.machine import snapshot
from resnet18_lab.benchmark.configuration import Configuration, Effort
from resnet18_lab.benchmark.kept_records import FORMAT, now, read_record, write_record

_FORMATS = (1, FORMAT)
_PARAMETERS = ("effort", "weights", "pictures")


def _cores_here() -> int:
    return machine.usable_cores()


@dataclass
class Row:
    """One configuration with a result for each process start that worked, and why others did not."""

    configuration: Configuration
    results: list[dict[str, Any]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    noise: list[dict[str, float] | None] = field(default_factory=list)
    """For each start the share of the cores' time stolen and used by others; None where not available."""
    cores: int = field(default_factory=_cores_here)
    """Cores usable where it was measured, which need not be where the record is read."""

    @property
    def starts(self) -> list[list[float]]:
        """Samples in seconds, a list for each process start."""
        return [result["samples"] for result in self.results]

    @property
    def ran_threads(self) -> int:
        """Threads of one run as the engine reported them, which may be fewer than it was asked for."""
        counts = [result["threads_read_back"] for result in self.results if "threads_read_back" in result]
        return min(counts, default=self.configuration.threads)

    @property
    def as_asked(self) -> bool:
        """True when the engine ran the number of threads it was asked for."""
        return self.ran_threads == self.configuration.threads

    @property
    def oversubscribed(self) -> bool:
        """True when it runs more threads than there are cores for them."""
        return self.ran_threads * self.configuration.workers > self.cores


@dataclass
class Record:
    """Everything a table is made from."""

    profile: str
    effort: Effort
    weights: dict[str, str]
    environment: dict[str, Any]
    started: str
    rows: list[Row]
    seconds: float = 0.0
    interrupted: bool = False
    parent_cpu_share: float = 0.0
    """CPU time of the waiting parent as a share of the whole time."""
    pictures: dict[str, Any] = field(default_factory=dict)
    """Of ``end-to-end``: the folder's name, how many pictures it held, and how many were made of them."""

    def of(self, suite: str) -> list[Row]:
        """The rows of a suite."""
        return [row for row in self.rows if row.configuration.suite == suite]

    def plain(self, suite: str) -> list[Row]:
        """The measured rows of engines with default settings, each with the threads it was asked for."""
        return [row for row in self.of(suite) if row.results and row.configuration.plain and row.as_asked]

    def save(self, path: Path) -> None:
        """Write the record as JSON, a line a row."""
        fields = _rounded(asdict(self))
        envelope = {name: fields.pop(name) for name in ("environment", "profile", "started", "seconds")}
        write_record(path, fields, **envelope, parameters={name: fields.pop(name) for name in _PARAMETERS})


def _rounded(value: Any) -> Any:  # noqa: ANN401 - whatever JSON holds
    """Seconds to a tenth of a microsecond, far below any noise: a record holds tens of thousands of them."""
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(inner) for inner in value]
    return round(value, 7) if isinstance(value, float) else value


def new(profile: str, effort: Effort, weights: dict[str, str], rows: list[Row]) -> Record:
    """An empty record with today's environment."""
    return Record(profile, effort, weights, snapshot(), now(), rows)


def read(path: Path) -> Record:
    """A record from its file; ParameterError when the file holds none."""
    try:
        content = read_record(path)
        content |= content.pop("parameters", {})
        if content.pop("format") not in _FORMATS:
            raise KeyError("format")
        content.pop("commit", None)
        rows = [Row(**{**row, "configuration": _configuration(row["configuration"])}) for row in content.pop("rows")]
        return Record(**{**content, "effort": Effort(**content["effort"]), "rows": rows})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ParameterError(
            f"{path} is no record of `resnet18-lab bench` ({type(error).__name__}: {error})."
        ) from error


def _configuration(fields: dict[str, Any]) -> Configuration:
    return Configuration(**{**fields, "affinity": tuple(fields["affinity"])})  # JSON knows no tuples
