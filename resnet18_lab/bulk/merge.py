"""The outputs of all shards joined into one: equal to what one run over everything would have written."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from resnet18_lab import atomicfile, hashing
from resnet18_lab.bulk.inputs import Shard
from resnet18_lab.bulk.run import provenance_of
from resnet18_lab.bulk.writers import _pyarrow
from resnet18_lab.errors import LabError

_ALONE = {"shard", "inputs", "rows", "errors", "output_sha256"}  # what shards of one run may differ in


def merge(parts: list[Path], output: Path) -> dict[str, Any]:
    """Provenance of the joined file; the parts may be given in any order.

    Shard K holds the K-th, (K+N)-th, ... input, so rows are taken in turn. Raises LabError when a shard is
    missing or given twice, a file is not what its run wrote, or the parts come from different runs.
    """
    found = sorted(((_provenance(part), part) for part in parts), key=lambda pair: Shard.parse(pair[0]["shard"]).number)
    runs, files = [run for run, _ in found], [file for _, file in found]
    _refuse_mixed(runs, files)
    _refuse_gaps(runs, files)
    if output.suffix.lower() != files[0].suffix.lower() or len({file.suffix.lower() for file in files}) != 1:
        raise LabError(f"The parts end in {files[0].suffix}; give an output of the same kind.")
    with atomicfile.replacing(output) as temporary:
        rows = _JOINERS[files[0].suffix.lower()](temporary, files)
    if rows != runs[0]["inputs_total"]:
        output.unlink()
        raise LabError(f"The parts hold {rows} rows where {runs[0]['inputs_total']} inputs were listed.")
    whole = {**runs[0], "shard": "1/1", "inputs": rows, "rows": rows, "errors": sum(run["errors"] for run in runs)}
    whole["output_sha256"] = hashing.sha256(output, remember=False)
    atomicfile.write_text(provenance_of(output), json.dumps(whole, indent=1, sort_keys=True) + "\n")
    return whole


def _provenance(part: Path) -> dict[str, Any]:
    path = provenance_of(part)
    try:
        run = dict(json.loads(path.read_text(encoding="utf-8")))
        Shard.parse(run["shard"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LabError(f"{path} is missing or damaged; it is written beside each output and says its shard.") from error
    if hashing.sha256(part, remember=False) != run["output_sha256"]:
        raise LabError(f"{part} is not the file its run wrote; run that shard again.")
    return run


def _refuse_mixed(runs: list[dict[str, Any]], files: list[Path]) -> None:
    for run, file in zip(runs, files, strict=True):
        different = [name for name in runs[0] if name not in _ALONE and run.get(name) != runs[0][name]]
        if different:
            name = different[0]
            raise LabError(
                f"{file} comes from another run than {files[0]}: {name} is {run.get(name)} and {runs[0][name]}."
            )


def _refuse_gaps(runs: list[dict[str, Any]], files: list[Path]) -> None:
    shards = [Shard.parse(run["shard"]) for run in runs]
    count = shards[0].count
    if any(shard.count != count for shard in shards):
        raise LabError(f"The parts were cut in different ways: {', '.join(map(str, shards))}.")
    numbers = [shard.number for shard in shards]
    if missing := sorted(set(range(1, count + 1)) - set(numbers)):
        raise LabError(f"Of {count} shards these are missing: {', '.join(map(str, missing))}.")
    if len(numbers) != count:
        twice = [str(file) for file, one in zip(files, numbers, strict=True) if numbers.count(one) > 1]
        raise LabError(f"A shard is given twice: {', '.join(twice)}.")


def _in_turn(sources: list[Iterator[Any]]) -> Iterator[Any]:
    """One from each source in turn until the first that ends; the later ones then have none left either."""
    while True:
        for source in sources:
            try:
                yield next(source)
            except StopIteration:
                return


def _join_lines(target: Path, files: list[Path]) -> int:
    opened = [file.open("rb") for file in files]
    count = 0
    try:
        with target.open("wb") as out:
            for line in _in_turn([iter(file) for file in opened]):
                out.write(line)
                count += 1
    finally:
        for file in opened:
            file.close()
    return count


def _join_csv(target: Path, files: list[Path]) -> int:
    """Records, not lines, are taken in turn: a quoted value may hold line ends."""
    opened = [file.open(encoding="utf-8", newline="") for file in files]
    count = 0
    try:
        readers = [csv.reader(file) for file in opened]
        heads = [next(reader) for reader in readers]
        with target.open("w", encoding="utf-8", newline="") as out:
            writer = csv.writer(out, lineterminator="\n")
            writer.writerow(heads[0])  # a byte order mark stays part of the first name
            for row in _in_turn(list(readers)):
                writer.writerow(row)
                count += 1
    finally:
        for file in opened:
            file.close()
    return count


def _join_parquet(target: Path, files: list[Path]) -> int:
    from resnet18_lab.bulk.writers import METADATA_KEY

    parquet, arrow = _pyarrow()
    schema = parquet.read_schema(files[0])
    run = json.loads(schema.metadata[METADATA_KEY])
    run |= {"shard": "1/1", "inputs": run["inputs_total"]}
    schema = schema.with_metadata({METADATA_KEY: json.dumps(run, sort_keys=True).encode()})
    count = 0
    with parquet.ParquetWriter(target, schema, compression="zstd") as writer:
        group: list[Any] = []
        for row in _in_turn([_parquet_rows(parquet, file) for file in files]):
            group.append(row)
            count += 1
            if len(group) == 10_000:
                writer.write_table(arrow.Table.from_pylist(group, schema=schema))
                group = []
        writer.write_table(arrow.Table.from_pylist(group, schema=schema))
    return count


def _parquet_rows(parquet: Any, file: Path) -> Iterator[Any]:  # noqa: ANN401 - a module of an optional package
    with parquet.ParquetFile(file) as opened:
        for batch in opened.iter_batches(batch_size=1000):
            yield from batch.to_pylist()


_JOINERS = {".jsonl": _join_lines, ".csv": _join_csv, ".parquet": _join_parquet}
