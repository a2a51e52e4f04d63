"""A record as a page: every suite's table and figure, the targets, and where it was measured."""

from collections.abc import Callable, Iterator

import pandas as pd
from matplotlib.figure import Figure

from resnet18_lab.benchmark import figures
from resnet18_lab.benchmark.record import Record
from resnet18_lab.benchmark.tables import TABLES, intervals, markdown, megabytes, shown
from resnet18_lab.benchmark.targets import table, targets

SECTIONS: dict[str, tuple[str, str]] = {
    "latency": (
        "One picture: engines by threads",
        "Milliseconds for one picture of 224×224 with the 95 % interval of the process starts; `load` and `first` are "
        "one-time costs. The A/A row repeats the first row: what differs between the two is noise.",
    ),
    "throughput": (
        "Many pictures: one session or several",
        "`sessions × threads` share one process. Several sessions of one thread beat one session of many threads when "
        "pictures are plenty; a single picture is answered sooner by one session.",
    ),
    "memory": (
        "Memory",
        "Of a fresh process: the largest so far (VmHWM) and what is its own (PSS), beside the same process when it has "
        "imported the engine and loaded nothing.",
    ),
    "cold-start": (
        "Cold start",
        "From the start of a process to its first answer. The bare script imports ONNX Runtime, Pillow and NumPy and "
        "runs the same file once: the least that any program can do.",
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
    "roofline": figures.roofline,
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
    for row in record.of("latency"):
        configuration = row.configuration
        if row.results and not configuration.twin and configuration.threads in (1, cores):
            line = lines.setdefault(configuration.engine, {"engine": f"`{configuration.engine}`"})
            line[f"ms, {_threads(configuration.threads)}"] = shown(seconds[configuration.key()])
    for row in record.of("cold-start"):
        if row.results and not row.configuration.variant and row.configuration.backend in lines:
            lines[row.configuration.backend]["start to answer, s"] = f"{starts[row.configuration.key()].value:.2f}"
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
    minutes = record.seconds / 60
    parts = [
        "# Benchmarks",
        "",
        f"{place(record)} {record.effort.starts} starts of each row, {minutes:.0f} minutes in all, at commit "
        f"`{(record.environment.get('git_commit') or 'unknown')[:10]}`. Written by `tools/make_benchmarks.py` from "
        "[benchmark.json](records/benchmark.json), which holds every raw sample; `make bench` measures anew. A note "
        "beside a row says what speaks against it.",
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


def _facts(record: Record, suite: str) -> list[str]:
    if suite != "end-to-end":
        return []
    made = record.pictures
    return ["", f"{made['made']} JPEGs made of the {made['photographs']} photographs in `{made['folder']}`."]
