"""The same work on a Ray cluster; Ray is imported here and nowhere else.

Stages: paths -> bytes (small tasks) -> answers (a pool of actors with an engine of one thread each, which
call the same function as the workers of one machine) -> Parquet shards. The artifact must be built on
every node, or ``RESNET18_LAB_HOME`` lie on a shared disk.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from resnet18_lab import atomicfile, images
from resnet18_lab.bulk.batch import Item, Job, failed, open_engine, run_batch
from resnet18_lab.bulk.inputs import PICTURE_SUFFIXES, Input, Listing, walk, write_listing
from resnet18_lab.bulk.journal import listing_of
from resnet18_lab.bulk.run import Plan, Summary, describe, engine_of, provenance_of
from resnet18_lab.bulk.writers import parquet_row, parquet_schema
from resnet18_lab.errors import ImageError, LabError, ParameterError
from resnet18_lab.image_errors import image_error

_ENGINE_CPUS, _SMALL_CPUS = 0.75, 0.125  # an engine and its readers and writers share a core
_PASSED_ON = ("RESNET18_LAB_HOME", "RESNET18_LAB_WEIGHTS", "RESNET18_LAB_OFFLINE", "PYTHONPATH")
_READ_BATCH = 16
_PACKAGE_ROOT = str(Path(__file__).resolve().parents[2])


def run(plan: Plan, *, address: str | None = None) -> Summary:
    """Classify on the cluster at ``address`` into a folder of Parquet shards, ``plan.output``.

    Paths may be local (on every node) or any URL that fsspec opens. The folder appears as a whole at the
    end, after every input was found in it exactly once. Raises LabError when Ray is not installed.
    """
    _check(plan)
    ray = _ray()
    engine = engine_of(plan.job)
    plan.output.parent.mkdir(parents=True, exist_ok=True)
    found = plan.listed() if plan.listed else find_inputs(plan.paths)
    listing = write_listing(listing_of(plan.output), found, plan.shard)
    provenance = describe(plan, engine, listing)
    started = not ray.is_initialized()
    if started:
        ray.init(address=address, runtime_env={"env_vars": _environment()}, log_to_driver=False, logging_level="error")
    try:
        rows, errors = _run_stages(ray, plan, provenance, listing)
    finally:
        if started:
            ray.shutdown()
        listing.path.unlink(missing_ok=True)
    written = {**provenance, "rows": rows, "errors": errors}
    atomicfile.write_text(provenance_of(plan.output), json.dumps(written, indent=1, sort_keys=True) + "\n")
    return Summary(rows, errors, 0, provenance)


def _check(plan: Plan) -> None:
    if plan.output.suffix.lower() != ".parquet":
        raise ParameterError("A cluster writes a folder of Parquet shards: give --output NAME.parquet.")
    if plan.resume or plan.dedupe or plan.cache:
        raise ParameterError("--resume, --dedupe and --cache are for one machine; a cluster runs the work again.")
    if plan.output.exists() and (not plan.output.is_dir() or not provenance_of(plan.output).is_file()):
        raise LabError(f"{plan.output} exists and was not written by a cluster run; choose another name.")


def _ray() -> Any:  # noqa: ANN401 - a module of an optional package
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise LabError("--engine ray needs Ray: pip install 'resnet18-lab[ray]'.") from error
    return ray


def _environment() -> dict[str, str]:
    path = os.pathsep.join(filter(None, (_PACKAGE_ROOT, os.environ.get("PYTHONPATH"))))
    kept = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return {**kept, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}


def _run_stages(ray: Any, plan: Plan, provenance: dict[str, Any], listing: Listing) -> tuple[int, int]:  # noqa: ANN401
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    for name in ("ray.data", "ray"):  # stderr is for this project's own remarks
        logging.getLogger(name).setLevel(logging.ERROR)
    partial = plan.output.with_name(plan.output.name + ".part")
    shutil.rmtree(partial, ignore_errors=True)
    entries = [
        {"position": position, "file": os.fsencode(entry.file), "problem": entry.problem or ""}
        for position, entry in enumerate(listing)
    ]
    workers = plan.workers or max(1, int(ray.cluster_resources().get("CPU", 1)))
    if entries:
        (
            ray.data.from_items(entries, override_num_blocks=max(1, min(len(entries) // _READ_BATCH, workers * 16)))
            .map_batches(read_batch, batch_format="pyarrow", batch_size=_READ_BATCH, num_cpus=_SMALL_CPUS)
            .map_batches(
                Actor,
                fn_constructor_args=(plan.job, provenance),
                batch_format="pyarrow",
                batch_size=plan.batch,
                compute=ray.data.ActorPoolStrategy(size=workers),
                num_cpus=_ENGINE_CPUS,
            )
            .write_parquet(str(partial.resolve()), ray_remote_args={"num_cpus": _SMALL_CPUS})
        )
    partial.mkdir(exist_ok=True)
    counts = _verify(partial, listing.count)
    shutil.rmtree(plan.output, ignore_errors=True)
    partial.replace(plan.output)
    return counts


def _verify(folder: Path, expected: int) -> tuple[int, int]:
    """Rows and errors of a folder of shards; LabError unless every input has exactly one row."""
    from pyarrow import parquet

    seen = bytearray(expected)
    rows = errors = 0
    for shard in sorted(folder.glob("*.parquet")):
        table = parquet.read_table(shard, columns=["position", "error"])
        for position in table.column("position").to_pylist():
            seen[position] = 1
        rows += table.num_rows
        errors += table.num_rows - table.column("error").null_count
    if rows != expected or not all(seen):
        raise LabError(
            f"The cluster wrote {rows} rows for {expected} inputs, {sum(seen)} different ones; see {folder}."
        )
    return rows, errors


def find_inputs(paths: Iterable[str]) -> Iterator[Input]:
    """The pictures of local paths and of URLs; a URL is taken as a folder when there is something below it."""
    for path in paths:
        if "://" not in path:
            yield from walk([str(Path(path).resolve())])
            continue
        import fsspec

        files, root = fsspec.core.url_to_fs(path)
        below = sorted(files.find(root)) if files.isdir(root) else []
        if below:
            wanted = (name for name in below if Path(name).suffix.lower() in PICTURE_SUFFIXES)
            yield from (Input(files.unstrip_protocol(name)) for name in wanted)
        else:
            yield Input(path)


def read_source(name: str) -> bytes:
    """The bytes of a local file or a URL; raises ImageError and nothing else."""
    if "://" not in name:
        return images.read(name)
    import fsspec

    try:
        with fsspec.open(name, "rb") as file:
            return images.read(file)
    except ImageError:
        raise
    except FileNotFoundError as error:
        raise image_error("file_not_found") from error
    except PermissionError as error:
        raise image_error("permission_denied") from error
    except Exception as error:  # every kind of store has errors of its own
        raise image_error("unreadable", reason=f"{type(error).__name__}: {error}"[:200]) from error


def read_batch(table: Any) -> Any:  # noqa: ANN401 - Arrow tables
    """The table with a column of bytes, and of the error where a file could not be read."""
    import pyarrow as arrow

    contents: list[bytes | None] = []
    problems: list[str] = []
    for name, problem in zip(table.column("file").to_pylist(), table.column("problem").to_pylist(), strict=True):
        content, note = None, ""
        try:
            if problem:
                text, _, reason = problem.partition(":")
                raise image_error(text, reason=reason)
            content = read_source(os.fsdecode(name))
        except ImageError as error:
            note = json.dumps([error.code, error.message, error.message_zh])
        contents.append(content)
        problems.append(note)
    columns = {"position": table.column("position"), "file": table.column("file")}
    return arrow.table({**columns, "content": arrow.array(contents, arrow.binary()), "problem": problems})


class Actor:
    """An engine of one thread that lives as long as its process; called with tables of ``read_batch``."""

    def __init__(self, job: Job, run: dict[str, Any]) -> None:
        self._job, self._run = job, run
        self._engine = open_engine(job)
        if self._engine.engine.sha256 != run["artifact_sha256"]:
            raise LabError("This node has another artifact than the one that started the run; build it anew.")

    def __call__(self, table: Any) -> Any:  # noqa: ANN401 - Arrow tables
        """Rows of the output for the pictures of a table, with their positions."""
        import pyarrow as arrow

        names = [os.fsdecode(name) for name in table.column("file").to_pylist()]
        contents, problems = table.column("content").to_pylist(), table.column("problem").to_pylist()
        readable: list[Item] = [
            (name, content) for name, content, problem in zip(names, contents, problems, strict=True) if not problem
        ]
        answered = iter(run_batch(self._job, self._engine, readable))
        rows = []
        for position, name, problem in zip(table.column("position").to_pylist(), names, problems, strict=True):
            answer = failed(self._job, name, ImageError(*json.loads(problem))) if problem else next(answered)
            rows.append({"position": position, **parquet_row(answer.as_json(self._run["languages"]))})
        schema = parquet_schema(self._run)
        return arrow.Table.from_pylist(rows, schema=schema.insert(0, arrow.field("position", arrow.int64())))

    def __del__(self) -> None:
        with contextlib.suppress(Exception):
            self._engine.close()
