"""A record as a page: every suite's table and figure, the targets, and where it was measured."""

from collections.abc import Callable, Iterator

import pandas as pd
from matplotlib.figure import Figure

from resnet18_lab.benchmark.configuration import shortened
from resnet18_lab.benchmark.record import Record
from resnet18_lab.benchmark.results import figures
from resnet18_lab.benchmark.results.conclusions import noise_floor, sessions
from resnet18_lab.benchmark.results.formatting import intervals, megabytes, shown, supported
from resnet18_lab.benchmark.results.roofline import roofline
from resnet18_lab.benchmark.results.tables import TABLES, markdown
from resnet18_lab.benchmark.results.targets import table, targets

SECTIONS: dict[str, tuple[str, str]] = {
    "latency": (
        "One picture: engines by threads",
        "Milliseconds for one picture of 224×224 with the 95 % interval of the process starts; `load` and `first` are "
        "one-time costs. The A/A row repeats the first row.",
    ),
    "throughput": (
        "Many pictures: one session or several",
        "`sessions × threads` share one process, and the best batch of each way is compared.",
    ),
    "memory": (
        "Memory",
        "Of a fresh process: the largest so far (VmHWM) and what is its own (PSS), beside the same process when it has "
        "imported the engine and loaded nothing.",
    ),
    "cold-start": (
        "Cold start",
        "Engines: from the start of a process to its first answer. The bare script and `classify` are whole commands, "
        "timed from start to exit. The bare script imports ONNX Runtime, Pillow and NumPy and runs the same file once: "
        "the least that any program can do.",
    ),
    "stages": ("Where the time of one picture goes", "Medians over the project's photographs, one after the other."),
    "sizes": (
        "Pictures of several sizes",
        "Preparation from the file to the tensor, beside decoding with Pillow and torchvision's own transforms. Draft "
        "lets the JPEG decoder leave out pixels that the crop would throw away; it changes pixels, so it is an option.",
    ),
    "end-to-end": (
        "A folder of pictures to answers",
        "The loop that tutorials print (open, convert, `transforms.Compose`, a picture at a time) with three engines, "
        "and this project's pipeline: a process a core, each decoding and running its own one-thread session. The "
        "bound is what the cores could do if each were always busy; `same` is the share of answers equal to the first "
        "row's.",
    ),
}
FIGURES: dict[str, Callable[[Record], Figure | None]] = {
    "latency": figures.latency_by_threads,
    "roofline": roofline,
    "throughput": figures.throughput,
    "memory": figures.memory,
    "stages": figures.waterfall,
    "end-to-end": figures.end_to_end,
}


def summary(record: Record) -> pd.DataFrame:
    """A line an engine: ms with one thread and with all cores, start to answer in s, and peak MB."""
    seconds, starts = intervals(record, "latency"), intervals(record, "cold-start")
    peaks = {row.configuration.backend: [r["peak"] for r in row.results] for row in record.of("memory") if row.results}
    cores = max((row.cores for row in record.rows), default=1)
    lines: dict[str, dict[str, str]] = {}
    for row in record.plain("latency"):
        configuration = row.configuration
        if configuration.threads in (1, cores):
            line = lines.setdefault(configuration.backend, {"engine": f"`{configuration.backend}`"})
            line[f"ms, {_threads(configuration.threads)}"] = shown(seconds[configuration.key()])
    for row in record.of("cold-start"):
        if row.results and not row.configuration.variant and row.configuration.backend in lines:
            lines[row.configuration.backend]["start to answer, s"] = supported(starts[row.configuration.key()])
    for engine, values in peaks.items():
        if engine in lines:
            lines[engine]["peak MB"] = megabytes(values)
    return pd.DataFrame(list(lines.values())).fillna("")


def _threads(count: int) -> str:
    return "1 thread" if count == 1 else f"{count} threads"


def place(record: Record) -> str:
    """One sentence: which CPU, cores, weights, versions, profile and day."""
    facts = record.environment
    packages = facts["packages"]
    versions = ", ".join(
        f"{name} {packages[name]}" for name in ("torch", "onnxruntime", "openvino") if name in packages
    )
    return (
        f"Measured on {facts['cpu']}, {facts['usable_cores']} cores, Python {facts['python']}, {versions}, weights "
        f"`{record.weights['name']}`, {record.profile} profile, {record.started[:10]}."
    )


def readme_part(record: Record, figure: str, page: str) -> str:
    """What README shows: the summary, a figure, and the rate of a folder; Markdown."""
    return "\n".join(
        [
            f"![Milliseconds for one picture by engine and threads]({figure})",
            "",
            markdown(summary(record)),
            "",
            *_folder_sentence(record),
            f"*{place(record)} All tables, the record and how to repeat it: [{page}]({page}).*",
        ]
    )


def _folder_sentence(record: Record) -> Iterator[str]:
    table = TABLES["end-to-end"](record)
    if len(table) and "img/s" in table:
        first, best = table.iloc[0], table.iloc[table["img/s"].replace("", "0").astype(float).argmax()]
        yield (
            f"A folder of {record.pictures['made']} JPEGs: {first['img/s']} pictures a second with the loop of the "
            f"tutorials, {best['img/s']} with `classify FOLDER --output FILE` ({best['engine']}), "
            f"{best['of bound']} of what the cores can do."
        )
        yield ""


def markdown_page(record: Record, figure_of: Callable[[str], str]) -> str:
    """The whole page; ``figure_of`` gives the address of a figure by its name."""
    parts = [
        "# Benchmarks",
        "",
        f"{place(record)} {starts_of(record)}, {record.seconds / 60:.0f} minutes in all, at commit "
        f"`{(record.environment.get('git_commit') or 'unknown')[:10]}`. Written by `tools/pages/benchmarks.py` from "
        f"[benchmark.json](records/benchmark.json), which holds every raw sample; {_command(record)} measures anew. "
        "A figure is rounded to what its interval supports, and a note beside a row says what speaks against it. "
        f"{shortened(record.effort)}".rstrip(),
        "",
        "## Targets",
        "",
        markdown(table(targets(record))),
    ]
    for suite, (title, text) in SECTIONS.items():
        if record.of(suite):
            parts += ["", f"## {title}", "", text, *_facts(record, suite), "", markdown(TABLES[suite](record))]
            parts += [f"\n![{title}]({figure_of(suite)})"] if suite in FIGURES else []
            parts += [f"\n![Roofline]({figure_of('roofline')})"] if suite == "latency" else []
    return "\n".join(parts) + "\n"


def starts_of(record: Record) -> str:
    """How many process starts the rows have, suite by suite where they differ."""
    counts: dict[str, int] = {}
    for row in record.rows:
        counts[row.configuration.suite] = max(len(row.results), counts.get(row.configuration.suite, 0))
    usual = max(counts.values(), default=0)
    fewer = [f"{count} in {suite}" for suite, count in counts.items() if count != usual]
    return f"{usual} process starts of each row" + (f" ({', '.join(fewer)})" if fewer else "")


def _command(record: Record) -> str:
    """The command that makes such a record, with the photographs unless they are the project's own."""
    folder = record.pictures.get("folder", "data/samples")
    arguments = "" if folder == "data/samples" else f' ARGS="--pictures .../{folder}"'
    return f"`make bench{arguments}`"


def _facts(record: Record, suite: str) -> list[str]:
    """Lines under a section's text: what follows from the record's intervals, or which pictures were made for it."""
    text = ""
    if suite == "latency":
        text = noise_floor(record)
    elif suite == "throughput":
        text = sessions(record)
    elif suite == "end-to-end":
        pictures = record.pictures
        text = f"{pictures['made']} JPEGs made of the {pictures['photographs']} photographs in `{pictures['folder']}`."
    return ["", text] if text else []
