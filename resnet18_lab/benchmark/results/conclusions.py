"""What a record teaches about threads: sentences and tables written from its figures."""

from statistics import median

from resnet18_lab.benchmark.record import Record
from resnet18_lab.benchmark.results.formatting import intervals, rates
from resnet18_lab.benchmark.results.tuning import best_workers
from resnet18_lab.benchmark.statistics import Interval

BUSY = 0.10
"""Share of the cores' time used by others, or stolen, above which a timing supports no sentence."""


def noise_of(*records: Record) -> str:
    """Why the times of records support no sentence, or empty: what others had of the cores, at the median start."""
    noise = [entry for record in records for row in record.rows for entry in row.noise if entry]
    return noise_by(median(entry["others"] + entry["steal"] for entry in noise) if noise else 0.0)


def noise_by(others: float) -> str:
    """Why a share of the cores' time that others had leaves a timing no sentence, or empty."""
    return f"other processes had {others:.0%} of the cores' time meanwhile" if others > BUSY else ""


def noise_floor(record: Record) -> str:
    """How far the same configuration, measured twice, may be from itself: smaller differences mean nothing."""
    seconds = intervals(record, "latency")
    twin = next((key for key in seconds if key.endswith("A/A")), None)
    first = seconds.get(twin.removesuffix(" A/A")) if twin else None
    if twin is None or first is None:
        return "No control row in this record."
    ratio = seconds[twin].over(first)
    if ratio.high == float("inf"):
        return "One process start tells no noise: the control row cannot be judged."
    sentence = f"The control row takes {ratio.low:.2f} to {ratio.high:.2f} × the time of the row it repeats"
    if ratio.holds(1):
        return f"{sentence} (95 %): a difference within that range is noise."
    return f"{sentence} (95 %), and should take as long: this table is noisier than its intervals say."


def sessions(record: Record) -> str:
    """Whether several sessions of one thread beat one session in pictures a second, each at its best batch."""
    sentences, speeds = [], rates(record)
    for backend, count in best_workers(record).items():
        own = [row.configuration for row in record.plain("throughput") if row.configuration.backend == backend]
        one = _best([speeds[c.key()] for c in own if c.workers == 1])
        many = _best([speeds[c.key()] for c in own if c.workers > 1 and c.threads == 1])
        ratio = many.over(one)
        text = f"{ratio.value:.2f} × ({ratio.low:.2f}-{ratio.high:.2f})"
        sentences.append(
            f"{backend}: {count} sessions of one thread answer {text} the pictures of the best single session."
            if count
            else f"{backend}: several sessions of one thread answer {text} the pictures of the best single session, "
            "which decides nothing."
        )
    return " ".join(sentences)


def _best(speeds: list[Interval]) -> Interval:
    return max(speeds, key=lambda interval: interval.value)
