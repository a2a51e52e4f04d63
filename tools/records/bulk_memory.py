"""Measure the memory of bulk runs of 2,000 and 20,000 pictures and write docs/records/bulk_memory.json.

Usage: python tools/records/bulk_memory.py [--pictures 2000 20000] [--weights untrained]
"""

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from resnet18_lab.base import hashing, paths
from resnet18_lab.base.samples import load_samples
from resnet18_lab.benchmark.kept_records import Measuring
from resnet18_lab.export.build import build

RECORD = paths.records_dir() / "bulk_memory.json"
ENDINGS = ("csv", "parquet")


def peak_memory(process: subprocess.Popen) -> dict[str, int]:
    """Largest resident bytes of a process, and of it and its children together, while it runs."""
    parent = total = 0
    whole = psutil.Process(process.pid)
    while process.poll() is None:
        with contextlib.suppress(psutil.Error):
            own = whole.memory_info().rss
            parent = max(parent, own)
            total = max(total, own + sum(one.memory_info().rss for one in whole.children()))
        time.sleep(0.02)
    return {"parent": parent, "all": total}


def peaks_of(picture: Path, count: int, ending: str, place: Path, weights: str) -> dict[str, int]:
    """Peaks of `classify FOLDER --output x.ENDING` over so many links to one picture."""
    folder = place / f"{ending}-{count}"
    folder.mkdir()
    for number in range(count):
        os.link(picture, folder / f"{number:06}.jpg")
    command = [sys.executable, "-m", "resnet18_lab", "classify", str(folder), "--weights", weights]
    process = subprocess.Popen(
        [*command, "--output", str(place / f"{count}.{ending}")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    peaks = peak_memory(process)
    if process.wait() != 0:
        raise SystemExit(f"the run over {count} pictures ended with status {process.returncode}")
    return peaks


def main() -> None:
    """Measure and write the record; nothing is written when anything fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, nargs=2, default=[2000, 20000])
    parser.add_argument("--weights", default="untrained")
    options = parser.parse_args()
    measuring = Measuring(**vars(options))
    with tempfile.TemporaryDirectory(prefix="resnet18-lab-memory-") as place:
        os.environ["RESNET18_LAB_HOME"] = f"{place}/home"
        build(options.weights, only=["onnx-fp32"])
        time.sleep(hashing.TOO_FRESH_NS / 1e9)  # a worker that hashes a fresh artifact itself has another heap
        picture = Path(place, "one.jpg")
        picture.write_bytes(load_samples()[0].path.read_bytes())
        content = {
            ending: [
                {"pictures": count, **peaks_of(picture, count, ending, Path(place), options.weights)}
                for count in options.pictures
            ]
            for ending in ENDINGS
        }
    measuring.write(RECORD, content)
    print(RECORD, "- now run: python tools/pages/scaling.py")


if __name__ == "__main__":
    main()
