"""Measure what docs/scaling.md tells and write docs/records/scaling.json; needs Ray, and nothing else should run.

Usage: python tools/records/scaling.py [--rounds 3] [--pictures 2000] [--weights NAME]

In each round the pipeline of this machine and a Ray cluster run, both on one core and on two; before each of these
and after the last the stages of one picture are timed in one process. A rate is set against the bound of its own
round, by the fastest of those timings, because a machine's pace changes from minute to minute. A process that is
given n cores is pinned to them with all that it starts, so that a cluster's own services are charged to its cores.
"""

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import mean, median

from resnet18_lab.base import paths
from resnet18_lab.base.samples import load_samples
from resnet18_lab.benchmark.folder import WORK, bound, make_jpegs, stage_means, throughput
from resnet18_lab.benchmark.kept_records import Measuring
from resnet18_lab.bulk import cluster, inputs
from resnet18_lab.bulk.batch import Job
from resnet18_lab.bulk.defaults import DEFAULT_BATCH
from resnet18_lab.bulk.parquet_folder import shards_of
from resnet18_lab.bulk.plan import Plan, engine_of

RECORD = paths.records_dir() / "scaling.json"
CORES = (1, 2)
STAGED = 160  # pictures that the stages are timed over
LISTED = 20_000
OBJECT_STORE_MB = 120
PATIENCE = 300  # seconds for one run; a cluster that hangs is ended


def on_workers(count: int, files: Sequence[Path], job: Job) -> dict[str, float]:
    """Rate and start of the pipeline of one machine."""
    result = throughput(files, job, workers=count)
    return {"workers": count, "rate": result.rate, "start": result.first_answer, "seconds": result.seconds}


def on_nodes(count: int, files: Sequence[Path], job: Job) -> dict[str, float]:
    """Rate and start of a cluster of ``count`` nodes of one core each, all on this machine."""
    from pyarrow import parquet
    from ray.cluster_utils import Cluster

    memory = {"object_store_memory": OBJECT_STORE_MB * 1024 * 1024}
    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False, **memory})
    try:
        for _ in range(count - 1):
            nodes.add_node(num_cpus=1, **memory)
        nodes.wait_for_nodes()
        with tempfile.TemporaryDirectory() as place:
            output = Path(place, "out.parquet")
            start = time.time()
            summary = cluster.run(Plan(tuple(map(str, files)), output, job), address=nodes.address)
            seconds = time.time() - start
            assert (summary.rows, summary.errors) == (len(files), 0)
            shards = [
                (shard.stat().st_mtime - start, parquet.read_metadata(shard).num_rows) for shard in shards_of(output)
            ]
    finally:
        nodes.shutdown()
    return {"nodes": count, **steady(sorted(shards)), "seconds": seconds, "shards": len(shards)}


def steady(shards: Sequence[tuple[float, int]]) -> dict[str, float]:
    """The rate after the first quarter of all rows, and the start, from each shard's (second it was written, rows).

    The start is all time without a steady flow: connecting, processes and engines coming up, and the first slow blocks.
    """
    rows = sum(count for _, count in shards)
    done = 0
    for moment, count in shards:  # noqa: B007 - read past the loop
        done += count
        if done >= rows / 4:
            break
    last = shards[-1][0]
    if last <= moment:
        raise SystemExit("Too few pictures for a rate: give more --pictures.")
    rate = (rows - done) / (last - moment)
    return {"rate": rate, "start": last - rows / rate}


def apart(function: Callable, count: int, files: Sequence[Path], job: Job) -> dict[str, float]:
    """What the function returns, run in a process of its own on ``count`` cores."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_pinned, args=(theirs, function, count, files, job))
    process.start()
    theirs.close()
    try:
        if not ours.poll(PATIENCE):
            raise SystemExit(f"{function.__name__}({count}) did not end in {PATIENCE} s; run the tool again.")
        return ours.recv()
    except EOFError:
        raise SystemExit(f"{function.__name__}({count}) failed, see above; the record is unchanged.") from None
    finally:
        process.join(5)
        process.terminate()


def _pinned(answer: Connection, function: Callable, count: int, files: Sequence[Path], job: Job) -> None:
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])
    answer.send(function(count, files, job))


def one_round(files: list[Path], job: Job, pictures: int) -> dict:
    """Both pipelines on each number of cores, with the stages timed before each and after the last."""
    staged = [stage_means(files[:STAGED], job)]
    runs: dict[str, list[dict[str, float]]] = {"local": [], "cluster": []}
    for name, function in (("local", on_workers), ("cluster", on_nodes)):
        for count in CORES:
            runs[name].append(apart(function, count, files[: pictures * count], job))
            print(name, json.dumps(runs[name][-1]), file=sys.stderr)
            staged.append(stage_means(files[:STAGED], job))
    return {"stages": min(staged, key=lambda one: sum(one.values())), "timings_of_stages": staged, **runs}


def summarised(rounds: list[dict], name: str) -> list[dict]:
    """For each number of cores the median of the rounds, with the lowest and the highest."""
    rows = []
    for place, count in enumerate(CORES):
        runs = [one[name][place] for one in rounds]
        values = {
            "rate": [run["rate"] for run in runs],
            "of_bound": [run["rate"] / bound(one["stages"], count) for run, one in zip(runs, rounds, strict=True)],
            "start": [run["start"] for run in runs],
        }
        row = {"workers" if name == "local" else "nodes": count}
        for key, figures in values.items():
            row |= {key: median(figures), f"{key}_range": [min(figures), max(figures)]}
        rows.append(row)
    return rows


def listing(picture: Path, folder: Path) -> dict[str, float]:
    """Seconds a file to list a folder, and bytes a name that the driver of a cluster holds."""
    folder.mkdir()
    for number in range(LISTED):
        os.link(picture, folder / f"{number:06}.jpg")
    start = time.perf_counter()
    entries = list(inputs.walk([folder]))
    seconds = time.perf_counter() - start
    assert len(entries) == LISTED
    tracemalloc.start()
    rows = cluster.rows_of(entries)
    memory, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return {"listed": LISTED, "listing_seconds_a_file": seconds / LISTED, "driver_bytes_a_name": memory / len(rows)}


def measure(rounds: int, pictures: int, weights: str) -> dict:
    """The whole record."""
    import ray

    job = Job(weights=weights)
    with tempfile.TemporaryDirectory() as place:
        files = make_jpegs([sample.path for sample in load_samples()], Path(place, "in"), pictures * max(CORES))
        outcomes = [one_round(files, job, pictures) for _ in range(rounds)]
        return {
            "engine": engine_of(job),
            "ray": ray.__version__,
            "object_store_mb": OBJECT_STORE_MB,
            "batch": DEFAULT_BATCH,
            "pictures_a_core": pictures,
            "mean_bytes": mean(path.stat().st_size for path in files),
            "stages": {stage: mean(one["stages"][stage] for one in outcomes) for stage in WORK},
            "rounds": outcomes,
            "local": summarised(outcomes, "local"),
            "cluster": summarised(outcomes, "cluster"),
            **listing(files[0], Path(place, "many")),
        }


def main() -> None:
    """Measure and write the record; nothing is written when anything fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pictures", type=int, default=2000, help="a core, in each run")
    parser.add_argument("--weights", default="auto")
    options = parser.parse_args()
    if len(os.sched_getaffinity(0)) < max(CORES):
        raise SystemExit(f"This needs {max(CORES)} usable cores.")
    measuring = Measuring(**vars(options))
    measuring.write(RECORD, measure(options.rounds, options.pictures, options.weights))
    print(RECORD, "- now run: python tools/pages/scaling.py")


if __name__ == "__main__":
    main()
