"""Fine-tune to each depth on one folder, as a user would; writes docs/records/own_classes.json.

Usage: python tools/records/own_classes.py PHOTOS OTHERS [--rows NAME ...] [--remark TEXT] [--output FILE]
(PHOTOS: a folder that `finetune` takes; OTHERS: photographs of none of its classes, to be called unknown)

Each row is the command in a process of its own, with a home of its own; the parent's ONNX files are built before and not
counted. What is finished is kept in reports/own_classes until all is, so an ended run goes on where it was. Nothing else
should run meanwhile.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

from resnet18_lab.base import paths
from resnet18_lab.base.files import write_text
from resnet18_lab.base.machine import snapshot
from resnet18_lab.base.networks import RESNET18, network_named
from resnet18_lab.benchmark.kept_records import Measuring
from resnet18_lab.inference import metrics
from resnet18_lab.training.own_files import formats_of

RECORD = paths.records_dir() / "own_classes.json"
ROWS: dict[str, tuple[str, ...]] = {
    "head": ("--weights", "compact"),
    "head, Lite0": ("--network", "efficientnet-lite0"),
    "layer4": ("--weights", "compact", "--depth", "layer4"),
    "all": ("--weights", "compact", "--depth", "all"),
    "all at 128 px": ("--weights", "compact", "--depth", "all", "--size", "128"),
}
_NAME = "measured"


def run(arguments: list[str], home: Path) -> str:
    """Standard output of the command line with this home; its progress goes on to stderr."""
    command = [sys.executable, "-m", "resnet18_lab", *arguments]
    environment = {**os.environ, "RESNET18_LAB_HOME": str(home)}
    return subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout


def built(options: tuple[str, ...], home: Path) -> None:
    """The parent's ONNX files, in the home."""
    network = network_named(options[1]) if options[0] == "--network" else RESNET18
    run(["build", *options[:2], *(f"--only={name}" for name in formats_of(network))], home)


def measured(photos: Path, others: Path, options: tuple[str, ...], home: Path) -> dict[str, Any]:
    """One row: what the card says, how many of the others are refused, and how long it took."""
    built(options, home)
    shutil.rmtree(home / "models", ignore_errors=True)
    began = time.perf_counter()
    run(["finetune", str(photos), "--name", _NAME, *options], home)
    seconds = time.perf_counter() - began
    card = json.loads((home / "models" / _NAME / "card.json").read_text(encoding="utf-8"))
    answers = json.loads(run(["classify", str(others), "--weights", _NAME, "-f", "json"], home))
    told = [answer["unknown"] for answer in answers if "unknown" in answer]
    results = card["results"]
    recipe = {name: value for name, value in card["recipe"].items() if name != "cross_validation"}
    return {
        "network": card["network"]["name"], "parent": card["parent"]["weights"], "licence": card["parent"]["licence"],
        "recipe": recipe, "pictures": results["pictures"], "top1": results["top1"], "macro_f1": results["macro_f1"],
        "int8": results.get("int8"), "refused": vars(metrics.wilson(sum(told), len(told))), "seconds": round(seconds, 1),
    }  # fmt: skip


def kept(path: Path, commit: str | None) -> dict[str, Any] | None:
    """A row that an earlier run finished at the same commit."""
    row = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return row if row and row.get("commit") == commit else None


def main() -> int:
    """Exit status 0 when the record is written."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("others", type=Path)
    parser.add_argument("--rows", nargs="+", choices=list(ROWS), default=list(ROWS))
    parser.add_argument("--remark", default="", help="what a reader should know of this measurement")
    parser.add_argument("--output", type=Path, default=RECORD)
    arguments = parser.parse_args()
    measuring = Measuring(photos=arguments.photos.name, others=arguments.others.name)
    place = paths.home() / "reports" / "own_classes"
    place.mkdir(parents=True, exist_ok=True)
    rows, commit = [], snapshot()["git_commit"]
    for number, name in enumerate(arguments.rows, start=1):
        print(f"own classes: {name}, {number} of {len(arguments.rows)}", file=sys.stderr, flush=True)
        path = place / f"{name.replace(' ', '-').replace(',', '')}.json"
        measure = partial(measured, arguments.photos, arguments.others, ROWS[name], place / "home")
        row = kept(path, commit) or {**measure(), "commit": commit}
        write_text(path, json.dumps(row))
        rows.append({"name": name, **row})
    measuring.write(arguments.output, {"remark": arguments.remark, "rows": rows})
    shutil.rmtree(place)
    return 0


if __name__ == "__main__":
    sys.exit(main())
