"""Measure the networks beside each other: right answers, size, and time a picture; writes docs/records/networks.json.

Usage: python tools/records/networks.py FOLDER [--rounds N] [--networks NAME ...] [--output FILE]
(FOLDER: labelled photographs, a sub-folder per wnid)

Networks without trained weights here are left out, and that is said. Times are of one thread, one picture at a time,
each in a process of its own; every round starts all networks in turn, so that all see the machine's good and bad
minutes. Nothing else should run meanwhile.
"""

import argparse
import sys
from pathlib import Path
from statistics import median
from typing import Any

from resnet18_lab.base import paths
from resnet18_lab.base.errors import LabError
from resnet18_lab.base.networks import NETWORKS
from resnet18_lab.benchmark.configuration import Configuration, Effort
from resnet18_lab.benchmark.kept_records import Measuring
from resnet18_lab.benchmark.measure.runner import run_configurations
from resnet18_lab.export.build import build
from resnet18_lab.inference import evaluate
from resnet18_lab.inference.registry import open_engine
from resnet18_lab.weights.find import WeightsFile, find_weights

RECORD = paths.records_dir() / "networks.json"
ENGINES = {"float": "onnxruntime-fp32", "INT8": "onnxruntime-int8"}
ROUNDS = 8
_EFFORT = Effort(1, 10, 0.3, 1.0, 30, 300, 5.0)


def trained(names: list[str]) -> dict[str, WeightsFile]:
    """The weights of each network that has trained ones here."""
    found = {}
    for name in names:
        try:
            found[name] = find_weights(name)
        except LabError as error:
            say(f"{name} is left out: {error}")
    return found


def measure(folder: Path, files: dict[str, WeightsFile], rounds: int) -> dict[str, Any]:
    """The content of the record: a row for each network and precision, and times by round."""
    pictures = evaluate.labelled_pictures(folder)
    rows = []
    for name, file in files.items():
        built = {row.kind.name: row for row in build(file, only=["onnx-fp32", "onnx-int8-static"], notify=say)}
        say(f"{name}: {len(pictures)} labelled photographs")
        engines = [open_engine(engine, weights=name) for engine in ENGINES.values()]
        evaluations, _ = evaluate.on_pictures(engines, pictures)
        for precision, evaluation, kind in zip(ENGINES, evaluations, ("onnx-fp32", "onnx-int8-static"), strict=True):
            details = built[kind].details
            rows.append({
                "network": name, "weights": file.name, "precision": precision, "bytes": built[kind].bytes,
                "operators": details["operators"], "parity": details["parity"]["relative"],
                **evaluation.as_json(), "seconds": [],
            })  # fmt: skip
        for engine in engines:
            engine.close()
    for number in range(rounds):
        say(f"times, round {number + 1} of {rounds}")
        for row in rows:
            configuration = Configuration("latency", ENGINES[row["precision"]], 1)
            (timed,) = run_configurations([configuration], "fast", _EFFORT, weights=row["network"]).rows
            if timed.failures:
                raise SystemExit(f"{row['network']}, {row['precision']}: {timed.failures[0]}")
            row["seconds"].append(median(timed.results[0]["samples"]))
    return {"folder": folder.name, "pictures": len(pictures), "rows": rows}


def say(text: str) -> None:
    """Progress."""
    print(f"networks: {text}", file=sys.stderr, flush=True)


def main() -> int:
    """Exit status 0 when the record is written."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="labelled photographs, a sub-folder per wnid")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--networks", nargs="*", default=list(NETWORKS))
    parser.add_argument("--output", type=Path, default=RECORD)
    options = parser.parse_args()
    measuring = Measuring(folder=options.folder.name, rounds=options.rounds)
    measuring.write(options.output, measure(options.folder, trained(options.networks), options.rounds))
    print(options.output, "- now run: python tools/pages/networks.py")
    return 0


if __name__ == "__main__":
    sys.exit(main())
