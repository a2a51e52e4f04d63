"""Whole processes timed from outside: the command line beside a script that does the least possible."""

import json
import os
import subprocess
import sys
import time

_BARE_SCRIPT = """
import sys
import numpy as np
import onnxruntime as ort
from PIL import Image
options = ort.SessionOptions()
options.intra_op_num_threads = int(sys.argv[3])
session = ort.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
picture = np.asarray(Image.open(sys.argv[2]).convert("RGB").resize((224, 224)), dtype=np.float32)
batch = np.ascontiguousarray(picture.transpose(2, 0, 1)[None]) / np.float32(255)
print(int(session.run(None, {session.get_inputs()[0].name: batch})[0].argmax()))
"""

_SNIPPETS = {"empty python -c": "pass", "import resnet18_lab": "import resnet18_lab"}


def command_of(variant: str, backend: str, artifact: str, picture: str, weights: str, threads: int) -> list[str]:
    """The command line of one of the processes of ``configuration.COMMANDS``."""
    if variant in _SNIPPETS:
        return [sys.executable, "-c", _SNIPPETS[variant]]
    if variant == "bare script":
        return [sys.executable, "-c", _BARE_SCRIPT, artifact, picture, str(threads)]
    options = ["--format", "json", "--weights", weights, "--threads", str(threads), "--backend", backend]
    return [sys.executable, "-m", "resnet18_lab", "classify", picture, *options]


def main() -> None:
    """Run the command of ``argv`` and print the seconds to its exit and its peak memory in bytes as JSON.

    A process of its own, because a child's ``ru_maxrss`` starts at the memory of the one that started it:
    this one has imported next to nothing.
    """
    started = time.perf_counter()
    process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    status, peak = _ended(process)
    seconds = time.perf_counter() - started
    if status != 0:
        message = process.stderr.read().decode(errors="replace") if process.stderr else ""
        raise SystemExit(message.strip() or f"exit status {status}")
    print(json.dumps({"samples": [seconds], "peak": peak}))  # noqa: T201 - its answer


def _ended(process: "subprocess.Popen[bytes]") -> tuple[int, int | None]:
    """Exit status, and peak memory in bytes; None off Linux, where ``ru_maxrss`` has another unit or is missing."""
    if sys.platform != "linux":
        return process.wait(), None
    _, status, usage = os.wait4(process.pid, 0)
    return status, usage.ru_maxrss * 1024


if __name__ == "__main__":
    main()
