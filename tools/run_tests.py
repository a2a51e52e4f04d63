"""Run the tests as `make test` does: weights named, network off, coverage gated where weights are real.

With --fast: without the slow tests and without coverage. With --children: coverage counts what child processes run, too,
which takes a quarter longer.
"""

import os
import subprocess
import sys
from pathlib import Path

from resnet18_lab.base.errors import LabError
from resnet18_lab.base.machine import usable_cores
from resnet18_lab.weights.find import find_weights

ROOT = Path(__file__).resolve().parent.parent
MINIMUM_COVERAGE = {False: 78, True: 90}
"""Per cent of the package's lines, in the processes of the tests alone, or in their children as well."""
MOST_AT_ONCE = 4
"""Files of tests at the same time; each may hold a torch of its own in memory."""


def main() -> int:
    """Exit status of pytest."""
    fast, children = "--fast" in sys.argv, "--children" in sys.argv
    rest = [argument for argument in sys.argv[1:] if argument not in ("--fast", "--children")]
    # asleep, and one thread: torch in two files at a time would spin on cores that the other one needs, and waits for
    # threads that are not on a core (two lessons side by side took a tenth more of the processor with two threads)
    environment = {**os.environ, "RESNET18_LAB_OFFLINE": "1", "MPLBACKEND": "agg", "OMP_WAIT_POLICY": "passive"}
    environment.setdefault("OMP_NUM_THREADS", "1")
    try:
        found = find_weights("auto")
        trained = found.path is not None
    except LabError as error:
        trained = False
        print(f"no trained weights, tests that need them are skipped: {error}", flush=True)
    if not trained:
        environment["RESNET18_LAB_WEIGHTS"] = "untrained"
    # by file (notebooks each alone, see conftest), in their order: a file's tests share what they built
    side_by_side = [
        "-n",
        str(min(MOST_AT_ONCE, usable_cores())),
        "--dist",
        "loadfile",
        "--no-loadscope-reorder",
    ]
    command = [sys.executable, "-m", "pytest", *side_by_side]
    if fast:
        command += ["-m", "not slow"]
    else:
        command += ["--cov", "--cov-report=term"]
        command += ["--cov-config=tests/coverage_of_children.ini"] if children else []
        command += [f"--cov-fail-under={MINIMUM_COVERAGE[children]}"] if trained else []
    return subprocess.run([*command, *rest], cwd=ROOT, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
