"""Measure what the page of claims needs and no benchmark holds: accuracy, samples' scores, counts, two preparations.

Usage: python tools/records/claims.py FOLDER     (labelled photographs, a sub-folder per wnid)
"""

import argparse
import sys
from pathlib import Path
from typing import Any

from resnet18_lab.base import paths
from resnet18_lab.base.samples import load_samples
from resnet18_lab.benchmark.kept_records import Measuring
from resnet18_lab.course.preprocessing import compared
from resnet18_lab.course.preprocessing.ways import ways_of
from resnet18_lab.inference import evaluate, labels
from resnet18_lab.inference.classify import classify_files
from resnet18_lab.inference.registry import open_engine
from resnet18_lab.weights.find import find_weights

RECORD = paths.records_dir() / "claims.json"
ROUNDS = 15
"""Times each way to prepare a picture is timed, as in notebook 06."""


def measure(folder: Path) -> dict[str, Any]:
    """The content of the record: accuracy, the samples' scores, and counts of the network."""
    from resnet18_lab.model import inspection
    from resnet18_lab.model.network import load_model

    file = find_weights("auto")
    pictures = evaluate.labelled_pictures(folder)
    with open_engine("onnxruntime-fp32") as engine:
        evaluations, _ = evaluate.on_pictures([engine], pictures)
        answers = list(classify_files([sample.path for sample in load_samples()], engine, k=3))
    layers = inspection.layer_table(load_model("auto").module)
    shares = inspection.stage_table(layers)["macs_share"]
    timed = preparation_times()
    by_hand = ways_of(["NumPy by hand"])["NumPy by hand"].prepare(load_samples()[0].path)
    return {
        "weights": {"name": file.name, "sha256": file.sha256},
        "evaluation": {"folder": folder.name, "engines": [row.as_json() for row in evaluations]},
        "samples": [[prediction.score for prediction in answer.predictions] for answer in answers],
        "answers": {
            Path(answer.file).name: [[labels.by_index(one.index).en, one.score] for one in answer.predictions]
            for answer in answers
        },
        "network": {
            "parameters": int(layers["parameters"].sum()),
            "convolutions": inspection.counted_layers(layers)["convolutions"],
            "stem_share": float(shares.iloc[0]),
            "early_share": float(shares.iloc[:2].sum()),
            "streetlight": sum("streetlight" in label.en.lower().replace(" ", "") for label in labels.all_labels()),
            "numpy_dtype": str(by_hand.dtype),
            "preparation_ms": {name: row["ms"] for name, row in timed.items()},
            "preparation_quartiles_ms": {name: [row["from"], row["to"]] for name, row in timed.items()},
            "preparation_rounds": ROUNDS,
        },
    }


def preparation_times() -> dict[str, dict[str, float]]:
    """Milliseconds a photograph by way, median and quartiles, as notebook 06 measures them."""
    photographs = [sample.path for sample in load_samples() if sample.path.suffix == ".jpg"]
    table = compared.times(photographs, ROUNDS, ways_of(["torchvision", "NumPy by hand"]))
    return {str(name): {str(key): float(value) for key, value in row.items()} for name, row in table.iterrows()}


def main() -> int:
    """Exit status 0 when the record is written."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="labelled photographs, a sub-folder per wnid")
    options = parser.parse_args()
    measuring = Measuring(folder=options.folder.name)
    measuring.write(RECORD, measure(options.folder))
    print(RECORD, "- now run: python tools/pages/claims.py")
    return 0


if __name__ == "__main__":
    sys.exit(main())
