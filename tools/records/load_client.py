"""A load generator in a process of its own: uploads pictures and prints the outcome as JSON.

Usage: python tools/records/load_client.py URL FOLDER --at-once 10 --requests 1000     as fast as answers come back
       python tools/records/load_client.py URL FOLDER --at-once 200 --rate 120 --seconds 10     at random moments

Times of the second kind count from the moment a request was due, whether or not a connection was free.
"""

import argparse
import json
import sys
import time
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

from resnet18_lab.benchmark.load import arrivals, send_all
from resnet18_lab.service import client


def body_of(path: Path) -> bytes:
    """The form of a picture; its name ends at the file's first dot, so that re-encodings share one."""
    return client.form([(f"{path.name.split('.')[0]}.jpg", path.read_bytes())])


def run(options: argparse.Namespace) -> dict:
    """Seconds, statuses, times in ms of the answers with status 200, and this process's own CPU time."""
    bodies = [body_of(path) for path in sorted(Path(options.folder).iterdir())]
    if options.rate:
        due = arrivals(bodies, options.rate, options.seconds)
    else:
        due = [(None, bodies[number % len(bodies)]) for number in range(options.requests)]
    cpu, path = time.process_time(), urlsplit(options.url).path
    outcomes, seconds = send_all(options.url, due, at_once=options.at_once, path=path, kind=client.FORM)
    return {
        "seconds": seconds,
        "statuses": Counter(str(status) for status, _ in outcomes),
        "ms": [round(ms, 2) for status, ms in outcomes if status == 200],
        "client_cpu_share": (time.process_time() - cpu) / seconds,
    }


def main() -> None:
    """Print the outcome."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("folder")
    parser.add_argument("--at-once", type=int, default=10)
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=0.0)
    parser.add_argument("--seconds", type=float, default=10.0)
    json.dump(run(parser.parse_args()), sys.stdout)


if __name__ == "__main__":
    main()
