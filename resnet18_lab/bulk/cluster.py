"""A bulk run on a Ray cluster; Ray is imported here and nowhere else.

Stages: paths -> bytes (a few readers) -> shards (engines that fill the cores). Both are pools of
actors: tasks would need new processes again and again, because a node keeps no more idle processes than it
has cores. ``resnet18_lab.bulk.cluster_workers`` holds the code that runs on the nodes.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from resnet18_lab.base.children import import_path
from resnet18_lab.base.errors import LabError, ParameterError
from resnet18_lab.bulk import journal
from resnet18_lab.bulk.cluster_workers import READ_AT_ONCE, Classifier, Reader, packed
from resnet18_lab.bulk.inputs import Input, Listing, write_listing
from resnet18_lab.bulk.journal import listing_of
from resnet18_lab.bulk.parquet_folder import finish, recover, refuse_foreign, replacing_folder, verify
from resnet18_lab.bulk.plan import Plan, Progress, Summary, describe, engine_of, provenance_of, write_provenance
from resnet18_lab.bulk.sources import find_inputs
from resnet18_lab.bulk.writers import Row

_READER_CPUS = 0.001  # engines request fewer CPUs than they have threads, so that readers fit beside them
ENGINES_OF_A_READER = 4
SMALLEST_BLOCK, LARGEST_BLOCK = READ_AT_ONCE, 512  # pictures that a reader passes to an engine; also per shard
BLOCKS_OF_AN_ENGINE = 16  # at least, given enough pictures: all engines then end at about the same time
_INHERITED_VARIABLES = ("RESNET18_LAB_HOME", "RESNET18_LAB_WEIGHTS", "RESNET18_LAB_OFFLINE", "PYTHONPATH")


def run(plan: Plan, *, address: str | None = None, progress: Progress = lambda *_: None) -> Summary:
    """Classify on the cluster at ``address`` into a folder of Parquet shards, ``plan.output``.

    Paths may be local (on every node) or any URL that fsspec opens; the output must be on a disk that all
    nodes share. The folder appears complete at the end, after a check that it holds every input exactly once.
    Raises LabError when Ray is not installed.
    """
    _check(plan)
    ray = _ray()
    with journal.locked(plan.output):
        recover(plan.output)
        refuse_foreign(plan.output)
        engine = engine_of(plan.job)
        try:
            inputs = plan.listed() if plan.listed else find_inputs(plan.paths)
            listing = write_listing(listing_of(plan.output), inputs, plan.shard)
            provenance = describe(plan, engine, listing)
            with replacing_folder(plan.output) as folder:
                if listing.count:
                    with _connection(ray, address):
                        _run_stages(ray, replace(plan, listed=None), provenance, listing, folder.resolve(), progress)
                rows, errors = verify(folder, listing.count)
                record = {**provenance, "rows": rows, "errors": errors}
                finish(folder, record)
        finally:
            listing_of(plan.output).unlink(missing_ok=True)
        write_provenance(provenance_of(plan.output), record)
    return Summary(rows, errors, 0, provenance)


def _check(plan: Plan) -> None:
    if plan.output.suffix.lower() != ".parquet":
        raise ParameterError("A cluster writes a folder of Parquet shards: give --output NAME.parquet.")
    if plan.resume or plan.dedupe or plan.cache:
        raise ParameterError("--resume, --dedupe and --cache are for one machine; a cluster runs the work again.")


def _ray() -> Any:  # noqa: ANN401 - a module of an optional package
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise LabError("--runner ray needs Ray: pip install 'resnet18-lab[ray]'.") from error
    return ray


@contextmanager
def _connection(ray: Any, address: str | None) -> Iterator[None]:  # noqa: ANN401
    """Connect to Ray for the block unless there is a connection already; errors of Ray become a one-line LabError."""
    owns_connection = not ray.is_initialized()
    try:
        if owns_connection:
            settings = {"runtime_env": {"env_vars": _environment()}, "log_to_driver": False, "logging_level": "error"}
            ray.init(address=address, **settings)
    except Exception as error:
        raise LabError(f"No Ray cluster can be reached at {address or 'this machine'}: {_last_line(error)}") from error
    try:
        yield
    except Exception as error:  # Ray's errors have no common base
        cause = getattr(error, "cause", None)
        raise LabError(f"The cluster gave up: {_last_line(cause or error)}") from error
    finally:
        if owns_connection:
            ray.shutdown()


def _last_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


def _environment() -> dict[str, str]:
    variables = {name: os.environ[name] for name in _INHERITED_VARIABLES if name in os.environ}
    return {**variables, **import_path(), "OMP_NUM_THREADS": "1"}


def _run_stages(ray: Any, plan: Plan, run: Row, listing: Listing, folder: Path, progress: Progress) -> None:  # noqa: ANN401
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    for name in ("ray.data", "ray"):  # keep stderr for this project's own messages
        logging.getLogger(name).setLevel(logging.ERROR)
    threads = plan.job.threads
    workers = plan.workers or max(1, int(ray.cluster_resources().get("CPU", 1)) // threads)
    entries = rows_of(listing)
    pool = ray.data.ActorPoolStrategy
    counts = (
        ray.data.from_items(entries, override_num_blocks=blocks(len(entries), workers))
        .map_batches(
            Reader,
            fn_constructor_args=(os.getcwd(),),  # noqa: PTH109 - a str for a str
            batch_format="pyarrow",
            batch_size=READ_AT_ONCE,
            compute=pool(size=-(-workers // ENGINES_OF_A_READER)),
            num_cpus=_READER_CPUS,
        )
        .map_batches(
            Classifier,
            fn_constructor_args=(plan, run, str(folder)),
            batch_format="pyarrow",
            batch_size=None,
            compute=pool(size=workers),
            num_cpus=threads - 2 * _READER_CPUS,
        )
    )
    rows = errors = 0
    progress(rows, len(entries), errors)
    for table in counts.iter_batches(batch_size=None, batch_format="pyarrow"):
        rows += sum(table.column("rows").to_pylist())
        errors += sum(table.column("errors").to_pylist())
        progress(rows, len(entries), errors)


def rows_of(inputs: Iterable[Input]) -> list[Row]:
    """The inputs as rows of the first stage; the driver holds all names of a run in memory."""
    return [
        {"position": position, "file": os.fsencode(entry.file), "problem": packed(entry.error)}
        for position, entry in enumerate(inputs)
    ]


def blocks(pictures: int, workers: int) -> int:
    """Number of blocks into which the pictures are divided."""
    size = min(max(pictures // (workers * BLOCKS_OF_AN_ENGINE), SMALLEST_BLOCK), LARGEST_BLOCK)
    return max(1, -(-pictures // size))
