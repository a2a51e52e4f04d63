"""Write the card of the distilled weights and docs/training.md from docs/records/training.json.

Usage: python tools/pages/training.py     (tools/records/training.py measures it)
"""

import statistics
import tomllib
from pathlib import Path

from resnet18_lab.base import paths
from resnet18_lab.base.files import replacing, write_text
from resnet18_lab.benchmark.kept_records import read_record
from resnet18_lab.course.distillation.figures import learning_curve

RECORD = paths.records_dir() / "training.json"
CARD = paths.bundled_weights_dir() / "resnet18-distilled.md"
PAGE = paths.records_dir().parent / "training.md"
IMAGES = paths.records_dir().parent / "images"
HISTORY = Path(__file__).with_name("distilled_history.toml")


def share(counts: dict) -> str:
    """Hits with their 95 % interval."""
    return f"{counts['hits']} of {counts['of']} ({100 * counts['low']:.1f}–{100 * counts['high']:.1f} %)"


def card(record: dict) -> str:
    """The page beside the weights: parent, teacher, pictures, recipe, accuracy, licence."""
    story = tomllib.loads(HISTORY.read_text(encoding="utf-8"))
    sources = sorted(record["sources"], key=lambda row: (-row["pictures"], row["name"]))
    total = sum(row["pictures"] for row in sources)
    imagenet = sum(row["pictures"] for row in sources if "ImageNet" in row["licence"])
    unstated = sum(row["pictures"] for row in sources if row["licence"] == "–")
    steps = [
        f"| {step['what']} | {step['seen'] or '–':{',' if step['seen'] else ''}} | {step['right']} |"
        for step in story["step"]
    ]
    return "\n".join([
        "# resnet18-distilled",
        "",
        "torchvision's ResNet-18 with trained weights that come with this project: 8-bit codes with a float32 scale an "
        "output channel (`model/codes.py` reads them), so that a clone answers pictures without a download.",
        "",
        "**Licence: MIT** (`resnet18-distilled.LICENSE.txt`); made from Microsoft's MIT-licensed ResNet-18 features, last "
        "stage and last layer learned from an Apache-2.0 teacher on public pictures, of which about "
        f"{round(imagenet, -2):,} are under ImageNet's terms and many state none. No picture is shipped.",
        "",
        "## What it answers",
        "",
        f"On {record['labelled']['top1']['of']} labelled photographs (one for every fourth class; torchvision's "
        f"transforms, eager): first answer right {share(record['labelled']['top1'])}, among five "
        f"{share(record['labelled']['top5'])}. Its INT8 file gives the same first answer on "
        f"{100 * record['int8']['paired']['agreement']:.1f} % of them. These photographs are from ImageNet's training "
        "set, which the parent saw: what it answers on new pictures is lower, and was not measured.",
        "",
        "## How it was made",
        "",
        f"Parent: {story['parent']}.",
        f"Teacher: {story['teacher']}.",
        story["shape"],
        f"Learned on {story['processor']}; {story['hours']}.",
        "",
        "| step | pictures seen | of the 250 |", "|---|---:|---:|", *steps,
        "",
        f"Pictures: {total:,} of {len(sources)} public collections, at most 256 px on the short side, two views each; those "
        f"that also stand among the labelled ones were left out. {imagenet:,} are under ImageNet's terms, {unstated:,} are "
        "of collections that state no licence.",
        "",
        "| collection | pictures | licence stated |", "|---|---:|---|",
        *(f"| {row['name']} | {row['pictures']:,} | {row['licence']} |" for row in sources),
        "",
        "Runs that were made to go on from it, and from nothing: [docs/training.md](../docs/training.md). Written by "
        "`tools/pages/training.py` from `docs/records/training.json`.",
    ]) + "\n"  # fmt: skip


def page(record: dict) -> str:
    """docs/training.md: the two runs, and the speed of learning."""
    facts = record["environment"]
    lines = [
        "# Distillation: what runs gave",
        "",
        f"Measured on {facts['cpu']}, {facts['usable_cores']} cores, torch {facts['packages'].get('torch')}; written by "
        "`tools/pages/training.py` from `docs/records/training.json`. *Labelled* is the count of right answers on "
        f"{record['labelled']['top1']['of']} photographs (torchvision's transforms); the shipped weights have "
        f"{record['labelled']['top1']['hits']} and {record['labelled']['top5']['hits']} among five.",
        "",
        "| run | from | minutes | views seen | as the teacher, held-out, best | labelled, first | among five |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {run['name']} | {run['parameters']['start']} | {run['seconds'] / 60:.0f} | {run['views_seen']:,} | "
        f"{100 * run['best_agreement']:.1f} % | {run['labelled']['top1']['hits']} | {run['labelled']['top5']['hits']} |"
        for run in record["runs"]
    ]
    lines += [
        "",
        *(
            f"![{run['name']}: agreement with the teacher by minutes](images/{run['name']}.png)"
            for run in record["runs"]
        ),
    ]
    lines += ["", verdict(record), *([record["remark"]] if record["remark"] else []), "", "## Speed", ""]
    lines += [
        "Views a second of `distill`'s loop (reading, cutting views, learning) and of a loop that only learns, on one batch, "
        "in turn in one run:", "",
        "| side, px | precision | `distill` | only learning | share |", "|---:|---|---:|---:|---:|",
    ]  # fmt: skip
    for row in record["speed"]:
        ours, bare = (statistics.median(row[name]) for name in ("ours", "bare"))
        lines.append(
            f"| {row['side']} | {'bf16' if row['bf16'] else 'float32'} | {ours:.0f} | {bare:.0f} | {ours / bare:.2f} |"
        )
    return "\n".join(lines) + "\n"


def verdict(record: dict) -> str:
    """Which weights are shipped, and why: top-1, then top-5; a tie goes to the start."""
    shipped = record["labelled"]
    better = [
        run["name"] for run in record["runs"]
        if (run["labelled"]["top1"]["hits"], run["labelled"]["top5"]["hits"]) > (shipped["top1"]["hits"], shipped["top5"]["hits"])
    ]  # fmt: skip
    if better:
        return f"**{better[0]} answers more than the shipped weights**: ship it."
    return (
        "None of the runs answers more of the labelled photographs than the shipped weights, which therefore stay: half an "
        "hour on two cores, with pictures of 144 px on their short side, gains nothing there."
    )


def main() -> None:
    """Write both pages and the curves."""
    record = read_record(RECORD)
    write_text(CARD, card(record))
    write_text(PAGE, page(record))
    for run in record["runs"]:
        with replacing(IMAGES / f"{run['name']}.png") as target:
            learning_curve(run["rows"], run["name"]).savefig(target, dpi=90)


if __name__ == "__main__":
    main()
