"""Compare ways of making INT8 on labelled photographs.

``methods``: all methods of this project, chosen within calibration halves (docs/records/quantization_methods.json,
about 20 minutes). ``variants``: what other tools make, and the weights files themselves, all calibrated on
data/samples (docs/records/quantization_variants.json, about 3 minutes).
"""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from resnet18_lab.base import paths
from resnet18_lab.base.errors import WeightsError
from resnet18_lab.base.machine import usable_cores
from resnet18_lab.benchmark.kept_records import Measuring
from resnet18_lab.course.quantization import methods as study
from resnet18_lab.course.quantization import variants as lessons
from resnet18_lab.export.build import build
from resnet18_lab.export.int8 import float_graph
from resnet18_lab.inference import evaluate
from resnet18_lab.model.network import LoadedModel, load_model
from resnet18_lab.preprocessing import transform
from resnet18_lab.preprocessing.decode import decode
from resnet18_lab.quantization import calibration


def say(text: str) -> None:
    """Progress goes to stderr."""
    print(text, file=sys.stderr, flush=True)


def labelled(folder: Path, loaded: LoadedModel) -> study.Labelled:
    """The folder's pictures with the float network's logits."""
    pictures = evaluate.labelled_pictures(folder)
    crops = np.stack([transform.crop(decode(path)) for path, _ in pictures])
    logits = study.run_graph(float_graph(loaded), crops)
    return study.Labelled(crops, logits, evaluate.right_classes(pictures, list(range(len(pictures)))))


def methods(loaded: LoadedModel, pictures: study.Labelled) -> dict[str, Any]:
    """The study of all methods."""
    return study.study(float_graph(loaded), pictures, notify=say)


def variants(loaded: LoadedModel, pictures: study.Labelled) -> dict[str, Any]:
    """Every variant's answers, and the float answers of each weights file that is there."""
    build(loaded.weights, only=["onnx-fp32", "onnx-int8-static"])
    rows: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="resnet18-lab-") as folder:
        rivals = lessons.variants(
            loaded, loaded.weights.name, Path(folder), calibration.default_crops().crops, compiled=True, notify=say
        )
        for name, variant in rivals.items():
            say(name)
            milliseconds = lessons.milliseconds_here(variant, pictures.crops[0])
            rows[name] = {
                "bytes": variant.bytes,
                "operators": variant.operators,
                "ms": milliseconds,
                **study.compared(pictures, variant.run(pictures.crops)),
            }
    files = {}
    for name in ("compact", "compact-large"):
        try:
            other = load_model(name)
        except WeightsError:
            continue
        logits = study.run_graph(float_graph(other), pictures.crops)
        files[name] = {"bytes": other.weights.path.stat().st_size, **study.compared(pictures, logits)}
    return {"variants": rows, "files": files}


PARTS = {"methods": methods, "variants": variants}


def main() -> int:
    """Exit status 0 when the record is written."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("folder", type=Path, help="labelled photographs, a sub-folder per wnid")
    parser.add_argument("--weights", default="compact")
    options = parser.parse_args()
    torch.set_num_threads(usable_cores())
    measuring = Measuring(part=options.part, weights=options.weights, folder=options.folder.name)
    loaded = load_model(options.weights)
    content = PARTS[options.part](loaded, labelled(options.folder, loaded))
    facts = {"weights": loaded.weights.name, "weights_sha256": loaded.weights.sha256, "folder": options.folder.name}
    target = paths.records_dir() / f"quantization_{options.part}.json"
    measuring.write(target, {**facts, **content})
    return 0


if __name__ == "__main__":
    sys.exit(main())
