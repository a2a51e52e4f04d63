"""``resnet18-lab finetune`` as a reader would run it, in a home of its own that is gone afterwards."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from resnet18_lab.base.errors import LabError
from resnet18_lab.inference import artifacts, metrics
from resnet18_lab.weights.find import WeightsFile

_NAME = "lesson"


@dataclass(frozen=True)
class Made:
    """What the command left: the model's card, the bytes of each of its files, and how long it took."""

    card: dict[str, Any]
    bytes: dict[str, int]
    seconds: float

    def files(self) -> pd.DataFrame:
        """A row a file, in MB."""
        return pd.DataFrame({"MB": {name: f"{size / 1e6:.2f}" for name, size in self.bytes.items()}})

    def results(self) -> dict[str, metrics.Share]:
        """Right answers of the float and the INT8 file on the judged pictures, and how many of those stay known."""
        told = self.card["results"]
        shares = {
            "float": told["top1"],
            "INT8": told["int8"]["top1"],
            "own pictures kept by INT8": told["int8"]["kept"],
        }
        return {name: metrics.Share(**share) for name, share in shares.items()}


def finetuned(folder: Path, file: WeightsFile) -> Made:
    """Run it on the folder with those weights, whose ONNX files are built; LabError with its words if it fails."""
    with tempfile.TemporaryDirectory() as place:
        home, built = Path(place), artifacts.folder_of(file)
        shutil.copytree(built, home / "artifacts" / built.name)
        command = [
            sys.executable,
            "-m",
            "resnet18_lab",
            "finetune",
            str(folder),
            "--name",
            _NAME,
            "--weights",
            file.text,
        ]
        began = time.perf_counter()
        done = subprocess.run(
            command, env={**os.environ, "RESNET18_LAB_HOME": str(home)}, capture_output=True, text=True,
            encoding="utf-8", check=False,
        )  # fmt: skip
        seconds = time.perf_counter() - began
        if done.returncode:
            raise LabError(f"finetune failed: {done.stderr.strip()}")
        model = home / "models" / _NAME
        card = json.loads((model / "card.json").read_text(encoding="utf-8"))
        made = [path for pattern in (f"models/{_NAME}/*", f"artifacts/{_NAME}-*/*.onnx") for path in home.glob(pattern)]
        return Made(card, {path.name: path.stat().st_size for path in sorted(made)}, seconds)
