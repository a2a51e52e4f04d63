"""Write docs/scaling.md from two records: tools/records/scaling.py makes scaling.json, `make chaos` bulk_memory.json.

Usage: python tools/pages/scaling.py
"""

from resnet18_lab.base import paths
from resnet18_lab.base.files import write_text
from resnet18_lab.benchmark.kept_records import read_record
from resnet18_lab.bulk import cluster
from resnet18_lab.bulk.cluster_workers import READ_AT_ONCE

RECORD = paths.records_dir() / "scaling.json"
MEMORY = paths.records_dir() / "bulk_memory.json"
PAGE = RECORD.parent.parent / "scaling.md"
NAMES_A_REQUEST = 1000
"""An assumption: the most that ListObjectsV2 of S3 returns, see LISTING_SOURCE."""
LISTING_SOURCE = "https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html"
IDLE_SOURCE = "https://github.com/ray-project/ray/blob/master/src/ray/common/ray_config_def.h"
"""Where `num_workers_soft_limit` and `idle_worker_killing_time_threshold_ms` stand."""
MILLION = 1_000_000


def page(record: dict, memory: dict) -> str:
    """The page as Markdown; every figure comes from the records or is named as an assumption."""
    parts = [part(record) for part in (introduction, stages, measured, cost)]
    parts += [flat(memory), limits(record), faults()]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def introduction(record: dict) -> str:
    """What was measured, on what."""
    engine, machine = record["engine"], record["environment"]
    return f"""# More than one machine

Made by `tools/pages/scaling.py` from `docs/records/scaling.json` and `docs/records/bulk_memory.json`; no figure here is typed
by hand.

Measured on {machine["cpu"]}, {machine["usable_cores"]} cores, with {engine["backend"]}, weights {engine["weights"]}, Ray
{record["ray"]}, and JPEGs of {record["mean_bytes"] / 1000:.0f} kB made of the project's photographs. The "nodes" are raylets of one core
each **on this one machine**, with object stores of {record["object_store_mb"]} MB: they share its memory and its page cache, and no
network lies between them. So the tables show what Ray itself costs, and nothing about a network."""


def stages(record: dict) -> str:
    """The table of stages."""
    times = record["stages"]
    whole = sum(times.values())
    rows = [f"| {name} | {seconds * 1e3:.2f} | {seconds / whole:.0%} |" for name, seconds in times.items()]
    return f"""## Where the time goes

One thread, batches of {record["batch"]}, milliseconds a picture (the fastest timing of each round, their mean):

| stage | ms | share |
|---|---|---|
{chr(10).join(rows)}
| all | {whole * 1e3:.2f} | 100% |"""


def measured(record: dict) -> str:
    """The table of rates, set against the bound."""
    local, nodes = record["local"], record["cluster"]
    rows = [_row(f"this machine, {one['workers']} worker(s)", one) for one in local]
    rows += [_row(f"Ray, {one['nodes']} node(s)", one) for one in nodes]
    return f"""## Measured

The bound is cores / (sum of the stages): every core busy with a picture all the time. In each of {len(record["rounds"])} round(s)
every row below was run on as many cores as it has workers or nodes (pinned, with all that belongs to it: Ray's own services
and the driver share the cores of the nodes) over {record["pictures_a_core"]:,} pictures a core. Before each run and after the last the stages
were timed, and the fastest timing of a round gives its bound. The table holds the median of the rounds, and in brackets the
lowest and the highest.

| where | pictures/s | of its round's bound | seconds of start |
|---|---|---|---|
{chr(10).join(rows)}

For Ray the rate is that of the rows after the first quarter of them, by the times at which the shards were written. The start
is the rest of the time until the last shard: connecting, processes that load Python and the engine, the first blocks. For
this machine it is the time to the first answer. Two nodes did {nodes[1]["rate"] / nodes[0]["rate"]:.2f} times the rate of one, two workers {local[1]["rate"] / local[0]["rate"]:.2f} times
the rate of one. {_above(local + nodes)}"""


def _row(where: str, one: dict) -> str:
    rate, share, start = ((one[name], *one[f"{name}_range"]) for name in ("rate", "of_bound", "start"))
    return (
        f"| {where} | {rate[0]:.1f} ({rate[1]:.1f} to {rate[2]:.1f}) | {share[0]:.0%} ({share[1]:.0%} to {share[2]:.0%}) "
        f"| {start[0]:.1f} ({start[1]:.1f} to {start[2]:.1f}) |"
    )


def _above(rows: list[dict]) -> str:
    """A sentence on rates above their bound, which no core can reach."""
    high = max(row["of_bound_range"][1] for row in rows)
    if high <= 1:
        return "No rate is above its bound."
    return (
        f"The highest single share is {high:.0%}, which no pipeline can have: the machine's pace changed\n"
        "between the timing of the stages and that run, so shares are good to that much only."
    )


def cost(record: dict) -> str:
    """Core-hours of a million pictures."""
    hours = MILLION * sum(record["stages"].values()) / 3600
    rows = [
        f"| Ray, {one['nodes']} node(s) | {_hours(one, one['start']):.2f} | {_hours(one, one['start']) / hours:.2f} |"
        for one in record["cluster"]
    ]
    rows += [
        f"| this machine, {one['workers']} worker(s) | {_hours(one, one['start'], 'workers'):.2f} "
        f"| {_hours(one, one['start'], 'workers') / hours:.2f} |"
        for one in record["local"]
    ]
    return f"""## What a million pictures cost

Core-hours = cores × (start + {MILLION:,} / rate) / 3600. The stages alone would be **{hours:.2f} core-hours**.

| where | core-hours | times the stages alone |
|---|---|---|
{chr(10).join(rows)}

Money is that times the price of a core-hour. Derived from the stages: {hours / 24:.2f} days on one core, and with N cores that much
divided by N, until one of the limits below. The start is paid once a run, on every core: a run should last many times as
long. A faster engine lowers only the share of `run` in the table of stages."""


def _hours(one: dict, start: float, cores: str = "nodes") -> float:
    return one[cores] * (start + MILLION / one["rate"]) / 3600


def flat(memory: dict) -> str:
    """The table of peaks, short runs beside long ones."""
    rows = []
    for suffix in ("csv", "parquet"):
        few, many = memory[suffix]
        for what, name in (("parent", "the command"), ("all", "with its workers")):
            grown = (many[what] - few[what]) / 1e6
            rows.append(f"| {suffix}, {name} | {few[what] / 1e6:.1f} | {many[what] / 1e6:.1f} | {grown:+.1f} |")
    fewer, more = (f"{run['pictures']:,}" for run in memory["csv"])
    return f"""## Memory on one machine

Largest resident memory in MB of whole commands, from the listing to the written output, of one folder of hard links to one
small picture. Two workers, `onnxruntime-fp32` with untrained weights, sampled every 20 ms on {memory["environment"]["cpu"]} (`make chaos`).

| output | {fewer} pictures | {more} pictures | difference |
|---|---|---|---|
{chr(10).join(rows)}

What grows are the names of the folder, held to sort them; Parquet holds one row group at a time."""


def limits(record: dict) -> str:
    """Where it stops, with the reasoning."""
    each = 1 / sum(record["stages"].values())
    lister, node = 1 / record["listing_seconds_a_file"], record["cluster"][-1]
    bytes_a_name = record["driver_bytes_a_name"]
    return f"""## Where it stops

- **Listing.** Local folders are listed at {lister:,.0f} files/s by one process (measured over {record["listed"]:,} hard links). At the bound
  of one core, {each:.0f} pictures/s, a lister alone feeds {lister / each:,.0f} cores. A bucket that answers {NAMES_A_REQUEST:,} names a request (the most
  that [S3]({LISTING_SOURCE}) gives) and takes L seconds
  for it lists {NAMES_A_REQUEST:,} / L a second.
- **Names in memory.** While listing, the names of one folder are held, to sort them; a bucket without folders is one folder.
  The driver of a cluster then holds all names of its run, {bytes_a_name:.0f} bytes each measured over the same files: {bytes_a_name * MILLION / 1e6:,.0f} MB a
  million, besides the copy that Ray makes of them. Cut a hundred million into `--shard K/N`. On one machine the names are in
  a file.
- **Object store.** A picture's bytes pass through Ray's object store once, from the reader to the engine: at two nodes
  {node["rate"] * record["mean_bytes"] / 1e6:.1f} MB/s. The crop, the tensor, the logits and the rows stay inside the engine's process. A block holds at most
  {cluster.LARGEST_BLOCK} pictures, {cluster.LARGEST_BLOCK * record["mean_bytes"] / 1e6:.0f} MB of these. On a real cluster the bytes cross the network when Ray places reader and engine
  on different nodes.
- **Small files.** Every picture is one read. On a local disk that is {record["stages"]["read"] * 1e3:.2f} ms here (page cache); from a store with a
  latency of L seconds, R readers that fetch {READ_AT_ONCE} at a time get {READ_AT_ONCE} × R / L pictures a second at most. There is one reader to
  {cluster.ENGINES_OF_A_READER} engines, which need {cluster.ENGINES_OF_A_READER * each:.0f} a second: enough while L is below {READ_AT_ONCE / (cluster.ENGINES_OF_A_READER * each):.3f} s (derived, not measured).
- **Processes.** Ray ends idle worker processes beyond one for each core of a node (`num_workers_soft_limit` and
  `idle_worker_killing_time_threshold_ms` in its [configuration]({IDLE_SOURCE})).
  So readers and engines are actors, which live as long as the run, and engines write their shards themselves; as tasks,
  reading and writing would start Python anew for many blocks, on cores that are busy.
- **Stragglers.** Each engine has {cluster.BLOCKS_OF_AN_ENGINE} blocks or more where there are enough pictures; the last ones are waited for.

Not measured: a network, a bucket, more than two nodes, nodes of several cores."""


def faults() -> str:
    """What happens when something breaks."""
    return """## Faults

The output must be on a disk that all nodes share, and so must local pictures; the artifact must be built on each node, or
`RESNET18_LAB_HOME` lie on that disk. A file that cannot be read is an error row, and so is a folder that cannot be listed. A
killed actor is replaced and its block run again; a shard is named by its first row's position, so that it replaces itself. The
folder `OUT.part` takes the output's place when every position was found in it exactly once; until then the output of an
earlier run stays. A run on a cluster is not resumed: give `--shard K/N`, run the one that failed again, and join the
folders with `resnet18-lab merge`, which checks them once more."""


def main() -> None:
    """Write the page."""
    record, memory = (read_record(path) for path in (RECORD, MEMORY))
    write_text(PAGE, page(record, memory))
    print(PAGE)


if __name__ == "__main__":
    main()
