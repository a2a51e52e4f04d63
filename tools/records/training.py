"""Measure what docs/training.md and the card of the distilled weights tell; writes docs/records/training.json.

Usage: python tools/records/training.py LABELLED PACKED --sources FILE.csv [--runs runs/NAME ...] [--start FILE.npz]

LABELLED: photographs, a sub-folder per wnid. PACKED: pictures with targets, as `resnet18-lab distill` takes them, for
the speed of learning beside a loop that does nothing else. --sources: name, pictures, licence of each collection.
"""

import argparse
import csv
import json
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from resnet18_lab.base import paths
from resnet18_lab.base.machine import usable_cores
from resnet18_lab.benchmark.kept_records import Measuring, read_record
from resnet18_lab.benchmark.measure.stages import torchvision_preparation
from resnet18_lab.inference import evaluate
from resnet18_lab.inference.registry import open_engine
from resnet18_lab.model.network import load_model
from resnet18_lab.model.torchvision import torchvision
from resnet18_lab.training.distillation import Distillation
from resnet18_lab.training.pictures import open_packed
from resnet18_lab.training.recipe import Recipe
from resnet18_lab.training.targets import read_targets

RECORD = paths.records_dir() / "training.json"
ROUNDS, SECONDS = 3, 12.0
SIDES = (96, 128)


def with_torchvision(name: str, folder: Path) -> dict:
    """Right answers on labelled photographs through torchvision's own transforms, eager."""
    pictures = evaluate.labelled_pictures(folder)
    right = evaluate.right_classes(pictures, list(range(len(pictures))))
    with open_engine("eager", weights=name) as engine:
        logits = np.concatenate([engine.run(torchvision_preparation(path)()) for path, _ in pictures])
        found = evaluate.evaluation_of(engine.engine, logits, right)
    return {"top1": vars(found.top1), "top5": vars(found.top5)}


def int8_beside_float(name: str, folder: Path) -> dict:
    """The INT8 file's answers beside the float file's, picture by picture."""
    pictures = evaluate.labelled_pictures(folder)
    with (
        open_engine("onnxruntime-fp32", weights=name) as exact,
        open_engine("onnxruntime-int8", weights=name) as int8,
    ):
        return [row.as_json() for row in evaluate.on_pictures([exact, int8], pictures)[0]][1]


def speed(packed: Path) -> list[dict]:
    """Views a second of this project's loop and of a loop of the same steps on one batch, in turn, by size."""
    pictures = open_packed(packed)
    targets = read_targets(packed / "targets.npz", pictures)
    rows = []
    for side in SIDES:
        recipe = replace(Recipe(), minutes=SECONDS / 60, sides=((0.0, side),))
        ours, bare = [], []
        for _ in range(ROUNDS):
            with tempfile.TemporaryDirectory() as place:
                run = Distillation(pictures, targets, Path(place), recipe, device="cpu")
                run._look = lambda _loss: run.progress.curve.append(None)  # noqa: B023 - steps alone are timed
                run._save = lambda: None
                began = time.perf_counter()
                run.run()
                ours.append(run.progress.pictures / (time.perf_counter() - began))
            bare.append(bare_rate(side, recipe.batch, run.bf16))
        rows.append({"side": side, "bf16": run.bf16, "ours": ours, "bare": bare})
    return rows


def bare_rate(side: int, batch: int, bf16: bool) -> float:
    """Views a second of forward, backward and AdamW on one random batch."""
    module = torchvision.models.resnet18().to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.AdamW(module.parameters())
    pixels = torch.randn(batch, 3, side, side).contiguous(memory_format=torch.channels_last)
    labels = torch.randint(0, 1000, (batch,))
    count, began = 0, time.perf_counter()
    while time.perf_counter() - began < SECONDS:
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            logits = module(pixels)
        loss = nn.functional.cross_entropy(logits.float(), labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        count += batch
    return count / (time.perf_counter() - began)


def run_told(folder: Path, labelled: Path) -> dict:
    """A run's record, and how often its weights are right."""
    record = read_record(folder / "record.json")
    kept = (
        "parameters",
        "environment",
        "seconds",
        "finished",
        "views_seen",
        "best_agreement",
        "pictures",
        "bf16",
        "rows",
    )
    return {
        "name": folder.name,
        **{name: record[name] for name in kept},
        "labelled": with_torchvision(str(folder / f"{folder.name}.npz"), labelled),
    }


def sources_in(path: Path) -> list[dict]:
    """The collections of the pictures behind the starting weights."""
    with path.open(encoding="utf-8", newline="") as file:
        return [{**row, "pictures": int(row["pictures"])} for row in csv.DictReader(file)]


def main() -> int:
    """Exit status 0 when the record is written."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("labelled", type=Path)
    parser.add_argument("packed", type=Path)
    parser.add_argument("--sources", type=Path, required=True)
    parser.add_argument("--runs", type=Path, nargs="*", default=[])
    parser.add_argument(
        "--remark", default="", help="what a reader must know of the runs, such as other work on the cores"
    )
    options = parser.parse_args()
    torch.set_num_threads(usable_cores())
    measuring = Measuring(labelled=options.labelled.name, rounds=ROUNDS, seconds=SECONDS)
    content = {
        "weights": {"name": "distilled", "sha256": load_model("distilled").weights.sha256},
        "labelled": with_torchvision("distilled", options.labelled),
        "int8": int8_beside_float("distilled", options.labelled),
        "sources": sources_in(options.sources),
        "remark": options.remark,
        "runs": [run_told(folder, options.labelled) for folder in options.runs],
        "speed": speed(options.packed),
    }
    measuring.write(RECORD, json.loads(json.dumps(content)))
    print(RECORD, "- now run: python tools/pages/training.py")
    return 0


if __name__ == "__main__":
    sys.exit(main())
