"""Join the outputs of all shards into one, equal to the output of a single run over all inputs."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from resnet18_lab.base import hashing
from resnet18_lab.base.errors import LabError
from resnet18_lab.base.files import replacing
from resnet18_lab.bulk import journal
from resnet18_lab.bulk.inputs import Shard
from resnet18_lab.bulk.parquet_folder import (
    RUN_FILE,
    finish,
    join_folders,
    recover,
    refuse_foreign,
    replacing_folder,
    verify,
)
from resnet18_lab.bulk.plan import ONLY_WHERE_SET, WORKING_DIRECTORY, provenance_of, write_provenance
from resnet18_lab.bulk.writers import METADATA_KEY, Row, pyarrow_modules, write_tables

_COUNTED = ("rows", "errors", "output_sha256")  # added to a run's provenance when it has ended
_AT_A_TIME = 500  # rows of a part in memory
_ALONE = {"shard", "inputs", WORKING_DIRECTORY, *_COUNTED}  # in these, shards of one run may differ


def merge(parts: list[Path], output: Path) -> Row:
    """Join the parts, in any order, into ``output``; returns the provenance of the joined file.

    Shard K holds the K-th, (K+N)-th, ... input, so one row of each part is written in turn; folders of a
    cluster's shards are joined into a folder. Raises LabError when a shard is missing or occurs twice, a file has
    changed since its run, the parts come from different runs, or the output is one of them.
    """
    runs_and_files = sorted(
        ((_provenance(part), part) for part in parts), key=lambda pair: Shard.parse(pair[0]["shard"]).number
    )
    runs, files = [run for run, _ in runs_and_files], [file for _, file in runs_and_files]
    _refuse_mixed(runs, files)
    _refuse_gaps(runs, files)
    _refuse_output(output, files)
    run = {**runs[0], "shard": "1/1", "inputs": runs[0]["inputs_total"]}
    if len({one.get(WORKING_DIRECTORY) for one in runs}) > 1:
        run.pop(WORKING_DIRECTORY, None)
    shared_run = {name: value for name, value in run.items() if name not in _COUNTED}
    joined_run = {**shared_run, "rows": run["inputs"], "errors": sum(one["errors"] for one in runs)}
    with journal.locked(output):
        if files[0].is_dir():
            recover(output)
            refuse_foreign(output)
            with replacing_folder(output) as folder:
                _refuse_count(join_folders(folder, files, shared_run), run)
                finish(folder, joined_run)
        else:
            with replacing(output) as temporary:
                _refuse_count(_JOINERS[files[0].suffix.lower()](temporary, files, shared_run), run)
            joined_run["output_sha256"] = hashing.sha256(output, remember=False)
        write_provenance(provenance_of(output), joined_run)
    return joined_run


def _provenance(part: Path) -> Row:
    path = part / RUN_FILE if part.is_dir() else provenance_of(part)
    try:
        run = dict(json.loads(path.read_text(encoding="utf-8")))
        Shard.parse(run["shard"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LabError(f"{path} is missing or damaged; it is written with each output and says its shard.") from error
    if part.is_dir():
        verify(part, run["inputs"])
    elif hashing.sha256(part, remember=False) != run.get("output_sha256"):
        raise LabError(f"{part} is not the file its run wrote; run that shard again.")
    return run


def _refuse_mixed(runs: list[Row], files: list[Path]) -> None:
    for run, file in zip(runs, files, strict=True):
        names = [*(name for name in runs[0] if name not in _ALONE), *ONLY_WHERE_SET]
        differences = [name for name in names if run.get(name) != runs[0].get(name)]
        if differences:
            name = differences[0]
            raise LabError(
                f"{file} comes from another run than {files[0]}: {name} is {run.get(name)} and {runs[0].get(name)}."
            )


def _refuse_gaps(runs: list[Row], files: list[Path]) -> None:
    shards = [Shard.parse(run["shard"]) for run in runs]
    count = shards[0].count
    if any(shard.count != count for shard in shards):
        raise LabError(f"The parts were cut in different ways: {', '.join(map(str, shards))}.")
    numbers = [shard.number for shard in shards]
    if missing := sorted(set(range(1, count + 1)) - set(numbers)):
        raise LabError(f"Of {count} shards these are missing: {', '.join(map(str, missing))}.")
    if len(numbers) != count:
        duplicates = [str(file) for file, number in zip(files, numbers, strict=True) if numbers.count(number) > 1]
        raise LabError(f"A shard is given twice: {', '.join(duplicates)}.")


def _refuse_output(output: Path, files: list[Path]) -> None:
    kinds = {(file.suffix.lower(), file.is_dir()) for file in files}
    if len(kinds) != 1 or output.suffix.lower() != files[0].suffix.lower():
        raise LabError(f"The parts end in {files[0].suffix}; give parts of one kind, and an output of the same kind.")
    if output.resolve() in {file.resolve() for file in files}:
        raise LabError(f"{output} is one of the parts; give the output another name.")
    if output.is_dir() and not files[0].is_dir():
        raise LabError(f"{output} is a folder, and the parts are files; give the output another name.")


def _refuse_count(rows: int, run: Row) -> None:
    if rows != run["inputs"]:
        raise LabError(f"The parts hold {rows} rows where {run['inputs']} inputs were listed.")


def _in_turn(sources: list[Iterator[Any]]) -> Iterator[Any]:
    """One item of each source in turn, until one has no more; by then the others are empty too."""
    while True:
        for source in sources:
            try:
                yield next(source)
            except StopIteration:
                return


def _join_lines(target: Path, files: list[Path], run: Row) -> int:  # noqa: ARG001 - one signature for all
    count = 0
    with target.open("w", encoding="utf-8", newline="") as out:
        for count, line in enumerate(_in_turn([_records(file, iter) for file in files]), start=1):  # noqa: B007
            out.write(line)
    return count


def _join_csv(target: Path, files: list[Path], run: Row) -> int:  # noqa: ARG001 - one signature for all
    """Join records rather than lines: a quoted value may contain line breaks."""
    count = 0
    with target.open("w", encoding="utf-8", newline="") as out:
        sources = [_records(file, csv.reader) for file in files]
        heads = [next(source) for source in sources]
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(heads[0])  # a byte order mark stays part of the first name
        for count, row in enumerate(_in_turn(sources), start=1):  # noqa: B007
            writer.writerow(row)
    return count


def _records(file: Path, reader: Callable[[Iterator[str]], Iterator[Any]]) -> Iterator[Any]:
    """The records of a text file; it is open only while some of them are read, for there may be many parts."""
    position = 0
    while True:
        with file.open(encoding="utf-8", newline="") as text:
            text.seek(position)
            found = list(islice(reader(iter(text.readline, "")), _AT_A_TIME))
            position = text.tell()
        if not found:
            return
        yield from found


def _join_parquet(target: Path, files: list[Path], run: Row) -> int:
    parquet, _ = pyarrow_modules()
    schema = parquet.read_schema(files[0]).with_metadata({METADATA_KEY: json.dumps(run, sort_keys=True).encode()})
    return write_tables(target, _in_turn([_parquet_rows(parquet, file) for file in files]), schema, run)


def _parquet_rows(parquet: Any, file: Path) -> Iterator[Any]:  # noqa: ANN401 - a module of an optional package
    """The rows of a file, which is open only while a row group is read."""
    for number in range(parquet.read_metadata(file).num_row_groups):
        with parquet.ParquetFile(file) as table:
            group = table.read_row_group(number)
        for start in range(0, group.num_rows, _AT_A_TIME):
            yield from group.slice(start, _AT_A_TIME).to_pylist()


_JOINERS: dict[str, Callable[[Path, list[Path], Row], int]] = {
    ".jsonl": _join_lines,
    ".csv": _join_csv,
    ".parquet": _join_parquet,
}
