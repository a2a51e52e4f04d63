"""Write docs/scaling.md from docs/records/scaling.json; with --measure make the record first (needs Ray).

Usage: python tools/make_scaling.py [--measure here --measure 1 --measure 2] [--pictures 400] [--weights NAME]
"""

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

from resnet18_lab import atomicfile, environment, samples
from resnet18_lab.benchmark import bulk as figures
from resnet18_lab.bulk import cluster, inputs
from resnet18_lab.bulk.batch import Job
from resnet18_lab.bulk.run import Plan, engine_of

ROOT = Path(__file__).resolve().parent.parent
RECORD = ROOT / "docs" / "records" / "scaling.json"
PAGE = ROOT / "docs" / "scaling.md"
LISTED = 20_000


def on_nodes(count: int, folder: Path, job: Job, total: int, few: int) -> dict[str, float]:
    """Seconds of a small and of a whole run on a cluster of ``count`` nodes with one core each."""
    from ray.cluster_utils import Cluster

    memory = {"object_store_memory": 120 * 1024 * 1024}
    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False, **memory})
    try:
        for _ in range(count - 1):
            nodes.add_node(num_cpus=1, **memory)
        nodes.wait_for_nodes()
        part = sorted(folder.iterdir())
        seconds = {}
        with tempfile.TemporaryDirectory() as place:
            for name, files in (("few", part[:few]), ("all", part[:total])):
                started = time.perf_counter()
                plan = Plan(tuple(map(str, files)), Path(place, f"{name}.parquet"), job)
                summary = cluster.run(plan, address=nodes.address)
                seconds[name] = time.perf_counter() - started
                assert (summary.rows, summary.errors) == (len(files), 0)
    finally:
        nodes.shutdown()
    marginal = (total - few) / (seconds["all"] - seconds["few"])
    return {"nodes": count, "seconds_few": seconds["few"], "seconds_all": seconds["all"], "rate": marginal,
            "start": seconds["few"] - few / marginal}  # fmt: skip


def measure_here(folder: Path, files: list[Path], job: Job, few: int) -> dict:
    """Stages, listing, and the pipeline of one machine with one and two workers."""
    many = folder.parent / "many"
    many.mkdir()
    for number in range(LISTED):
        os.link(files[0], many / f"{number:06}.jpg")
    started = time.perf_counter()
    assert sum(1 for _ in inputs.walk([many])) == LISTED
    listing = (time.perf_counter() - started) / LISTED
    return {
        "environment": environment.snapshot(),
        "engine": engine_of(job),
        "pictures": len(files),
        "few": few,
        "mean_bytes": sum(path.stat().st_size for path in files) / len(files),
        "stages": figures.stage_means(files[:few], job),
        "listing_seconds_a_file": listing,
        "local": [figures.throughput(files, job, workers=count).as_json() for count in (1, 2)],
    }


def measure(what: str, total: int, weights: str) -> None:
    """Write one part of the record: what one machine does, or a cluster of so many nodes."""
    job = Job(weights=weights)
    known = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.is_file() else {}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, "pictures")
        files = figures.make_jpegs([sample.path for sample in samples.load()], folder, total)
        if what == "here":
            known = measure_here(folder, files, job, total // 4)
        else:
            row = on_nodes(int(what), folder, job, total, total // 4)
            others = [one for one in known.get("cluster", []) if one["nodes"] != row["nodes"]]
            known["cluster"] = sorted([*others, row], key=lambda one: one["nodes"])
    RECORD.parent.mkdir(parents=True, exist_ok=True)
    atomicfile.write_text(RECORD, json.dumps(known, indent=1, sort_keys=True) + "\n")


def page(record: dict) -> str:
    """The page as Markdown; every figure comes from the record."""
    stages, local, nodes = record["stages"], record["local"], record["cluster"]
    per_picture = sum(stages.values())
    engine, machine = record["engine"], record["environment"]
    hours = 1e6 * per_picture / 3600
    paid = [1e6 / row["rate"] * row["nodes"] / 3600 for row in nodes]
    megabyte_rate = nodes[-1]["rate"] * record["mean_bytes"] / 1e6
    lister = 1 / record["listing_seconds_a_file"]
    full = lister / nodes[0]["rate"]
    rows = [f"| {name} | {seconds * 1e3:.2f} | {seconds / per_picture:.0%} |" for name, seconds in stages.items()]
    speeds = [
        f"| this machine, {row['workers']} worker(s) | {row['rate']:.1f} | {row['rate'] / figures.bound(stages, row['workers']):.0%} | {row['first_answer']:.1f} |"
        for row in local
    ]
    speeds += [
        f"| Ray, {row['nodes']} node(s) | {row['rate']:.1f} | {row['rate'] / figures.bound(stages, row['nodes']):.0%} | {row['start']:.1f} |"
        for row in nodes
    ]
    return f"""# More than one machine

Made by `tools/make_scaling.py` from `docs/records/scaling.json`; no figure here is typed by hand.

Measured on {machine["cpu"]}, {machine["usable_cores"]} cores, with {engine["backend"]}, weights {engine["weights"]},
{record["pictures"]} JPEGs of {record["mean_bytes"] / 1000:.0f} kB made of the project's photographs. The "nodes" are raylets
of one core each **on this one machine**: they share its memory and its page cache, and no network lies between them. So
the table shows what Ray itself costs, and nothing about a network.

## Where the time goes

One thread, batches of 4, mean milliseconds a picture:

| stage | ms | share |
|---|---|---|
{chr(10).join(rows)}
| all | {per_picture * 1e3:.2f} | 100% |

## Measured

The bound is cores / (sum of the stages): every core busy with a picture all the time.

| where | pictures/s | of the bound | seconds before it flows |
|---|---|---|---|
{chr(10).join(speeds)}

For Ray the rate is between a run of {record["few"]} and one of {record["pictures"]} pictures, and the start what is left of the
smaller run: actors that load the engine, and the first blocks. Two nodes did {nodes[1]["rate"] / nodes[0]["rate"]:.2f} times the
rate of one, two workers {local[1]["rate"] / local[0]["rate"]:.2f} times the rate of one. Both share the memory of one machine.
A rate above the bound means nothing: the start of a cluster varies by seconds from run to run, and a raylet's one core is
a number that Ray counts with, not a pin. Repeat it with many more pictures before you rely on it.

## What a million pictures cost

Core-hours = 1,000,000 × seconds a picture / 3600. The stages alone give **{hours:.1f} core-hours**; at the measured rates of
Ray it is {paid[0]:.1f} on one node and {paid[1]:.1f} on two. Money is that times the price of a core-hour. Derived from it:
{hours / 24:.2f} days on one core, and with N cores that much divided by N, until one of the limits below. A faster engine
lowers only the share of `run` in the table above.

## Where it stops

- **Listing.** Local folders are listed at {lister:,.0f} files/s by one process (measured over {LISTED:,} hard links). At the rate
  of one core here, a lister alone feeds {full:,.0f} cores; a bucket answers 1,000 names a request, so its rate is 1,000 over
  the time of one request. The driver holds the whole list of paths in memory: cut a hundred million into `--shard K/N`.
- **Object store.** A picture's bytes pass through Ray's object store once, from the reader to the actor: at two nodes
  {megabyte_rate:.1f} MB/s. The crop, the tensor and the logits stay inside the actor. On a real cluster the bytes cross the
  network only when Ray places the actor on another node than the reader.
- **Small files.** Every picture is one read. On a local disk that is {stages["read"] * 1e3:.2f} ms here (page cache); from a store
  with a latency of L seconds, R readers fetch R / L pictures a second at most. Each core needs {1 / per_picture:.0f} a second, so
  R must be at least {1 / per_picture:.0f} × L × cores. Sixteen paths are read by one task, one after the other; many small files are
  better packed before they are read a second time.
- **Stragglers.** The folder of shards appears when the last block is written; a node that is slow at the end is waited for.

Not measured: a network, a bucket, more than two nodes, nodes of several cores.

## Faults

A file that cannot be read is an error row. A killed actor is replaced and its batch run again; each row carries its position,
and the run ends well only when every position was found exactly once. A run on a cluster is not resumed: give shards, and run
the one that failed again.
"""


def main() -> None:
    """Measure when asked, then write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--measure", choices=["here", "1", "2"], action="append", default=[])
    parser.add_argument("--pictures", type=int, default=400)
    parser.add_argument("--weights", default="auto")
    options = parser.parse_args()
    for what in options.measure:
        measure(what, options.pictures, options.weights)
    record = json.loads(RECORD.read_text(encoding="utf-8"))
    if len(record.get("cluster", [])) == 2:  # else the record is not whole yet
        atomicfile.write_text(PAGE, page(record))
        print(PAGE)


if __name__ == "__main__":
    main()
