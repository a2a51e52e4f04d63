"""Compare all ways of making INT8 on labelled photographs: writes docs/records/quantization.json (about 15 minutes)."""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import torch

from resnet18_lab import atomicfile, environment, evaluate, images, model, preprocess, quantization_study, quantize
from resnet18_lab.cores import usable_cores

TARGET = Path(__file__).resolve().parent.parent / "docs" / "records" / "quantization.json"


def main() -> int:
    """Exit status 0 when the record is written."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="labelled photographs, a sub-folder per wnid")
    parser.add_argument("--weights", default="compact")
    chosen = parser.parse_args()
    torch.set_num_threads(usable_cores())
    loaded = model.load(chosen.weights)
    listed = evaluate.labelled_pictures(chosen.folder)
    crops = np.stack([preprocess.crop(images.decode(path)) for path, _ in listed])
    proto = quantize.float_graph(loaded)
    logits = quantization_study.run_graph(proto, crops)
    pictures = quantization_study.Labelled(crops, logits, evaluate.right_classes(listed, list(range(len(listed)))))
    found = quantization_study.study(proto, pictures, notify=lambda name: print(name, file=sys.stderr, flush=True))
    facts = {"weights": loaded.weights.name, "weights_sha256": loaded.weights.sha256, "folder": chosen.folder.name}
    content = {**facts, **found, "environment": environment.snapshot()}
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    atomicfile.write_text(TARGET, json.dumps(content, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
