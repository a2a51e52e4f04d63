"""What the outputs hold, and shards joined to what one run would have written."""

import csv
import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from support.bulk_pictures import CAT, folder_of
from support.project import ROOT, run_cli

from resnet18_lab.base import hashing
from resnet18_lab.bulk import parquet_folder as shards_module
from resnet18_lab.bulk.plan import WORKING_DIRECTORY, provenance_of, write_provenance
from resnet18_lab.bulk.writers import METADATA_KEY, WRITERS, write_parquet

pytestmark = pytest.mark.slow

parquet = pytest.importorskip("pyarrow.parquet", reason="needs pyarrow")


def merge(*arguments):
    return run_cli("merge", *arguments)


def test_parquet_has_typed_columns_and_provenance(classify, tmp_path):
    output = tmp_path / "out.parquet"
    assert classify(CAT, tmp_path / "missing.jpg", "--output", output, "--top-k", 2).returncode == 1
    table = parquet.read_table(output)
    types = {field.name: str(field.type) for field in table.schema}
    assert types["file"] == "string"
    assert types["predictions"].startswith("list<element: struct<rank: int16, index: int16, wnid: string")
    assert types["warnings"] == "list<element: string>"
    run = json.loads(table.schema.metadata[METADATA_KEY])
    assert run["weights"] == "untrained"
    assert len(run["artifact_sha256"]) == 64
    assert run["preprocess_id"].startswith("resize256")
    good, bad = table.to_pylist()
    assert [one["rank"] for one in good["predictions"]] == [1, 2]
    assert isinstance(good["predictions"][0]["score"], float)
    assert (bad["error"], bad["predictions"]) == ("file_not_found", None)


def test_csv_has_a_row_a_picture_and_guards_against_formulas(classify, tmp_path):
    shutil.copy(CAT, tmp_path / "=cmd.jpg")
    output = tmp_path / "out.csv"
    done = classify("=cmd.jpg", "--output", output, "--bom", cwd=tmp_path, env={"PYTHONPATH": pythonpath()})
    assert done.returncode == 0, done.stderr
    assert output.read_bytes().startswith(b"\xef\xbb\xbffile,")
    with output.open(encoding="utf-8-sig", newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["file"] == "'=cmd.jpg"
    assert row["wnid_3"].startswith("n")
    assert row["backend"] == "onnxruntime-fp32"


def pythonpath():
    from support.project import ROOT

    return str(ROOT)


def test_languages_choose_the_names(classify, tmp_path):
    classify(CAT, "--output", tmp_path / "out.jsonl", "--lang", "zh")
    row = json.loads((tmp_path / "out.jsonl").read_text(encoding="utf-8"))
    assert set(row["predictions"][0]) == {"rank", "index", "wnid", "zh", "score"}


def test_the_sidecar_names_the_file_it_is_about(classify, tmp_path):
    output = tmp_path / "out.csv"
    classify(CAT, "--output", output)
    run = json.loads((tmp_path / "out.csv.run.json").read_text(encoding="utf-8"))
    assert run["output_sha256"] == hashing.sha256(output, remember=False)
    assert (run["rows"], run["errors"]) == (1, 0)


@pytest.fixture(scope="module")
def shards(untrained_home, tmp_path_factory):
    """By suffix: the output of one run, and of its three shards."""
    place = tmp_path_factory.mktemp("shards")
    folder = folder_of(place / "in", 10)
    (folder / "new\nline.jpg").write_bytes(b"no picture, and longer than a signature")
    made = {}
    for suffix in ("csv", "jsonl", "parquet"):
        outputs = []
        for name, options in (("all", []), *((str(number), ["--shard", f"{number}/3"]) for number in (1, 2, 3))):
            outputs.append(place / f"{name}.{suffix}")
            line = ["classify", folder, "--output", outputs[-1], "--weights", "untrained", *options]
            assert run_cli(*line, home=untrained_home).returncode in (0, 1)
        made[suffix] = outputs
    return made


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
@pytest.mark.slow
def test_merged_shards_equal_one_run(shards, tmp_path, suffix):
    whole, one, two, three = shards[suffix]
    output = tmp_path / f"merged.{suffix}"
    done = merge(three, one, two, "--output", output)
    assert done.returncode == 0, done.stderr
    if suffix == "parquet":
        assert parquet.read_table(output).equals(parquet.read_table(whole))
        assert parquet.read_schema(output).metadata == parquet.read_schema(whole).metadata
    else:
        assert output.read_bytes() == whole.read_bytes()


def test_merge_refuses_gaps_doubles_and_an_output_of_another_kind(shards, tmp_path):
    _, one, two, three = shards["jsonl"]
    output = tmp_path / "merged.jsonl"
    assert "missing: 2" in merge(one, three, "--output", output).stderr
    assert "twice" in merge(one, two, two, three, "--output", output).stderr
    assert "same kind" in merge(one, two, three, "--output", tmp_path / "merged.csv").stderr
    assert not output.exists()


def test_merge_refuses_a_part_as_output_and_leaves_an_old_output_alone(shards, tmp_path):
    _, *parts = shards["jsonl"]
    before = parts[1].read_bytes()
    assert "one of the parts" in merge(*parts, "--output", parts[1]).stderr
    assert parts[1].read_bytes() == before
    copies = [Path(shutil.copy(part, tmp_path)) for part in parts]
    for part, copy in zip(parts, copies, strict=True):
        run = json.loads(Path(f"{part}.run.json").read_text())
        run["inputs_total"] = 12  # what the parts hold is one fewer
        Path(f"{copy}.run.json").write_text(json.dumps(run))
    output = tmp_path / "merged.jsonl"
    output.write_text("old\n")
    assert "11 rows where 12" in merge(*copies, "--output", output).stderr
    assert output.read_text() == "old\n"


@pytest.mark.slow
def test_shards_from_different_folders_are_parts_of_one_run(untrained_home, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    outputs = []
    for number in (1, 2):
        folder_of(tmp_path / str(number) / "in", 4)
        outputs.append(tmp_path / f"{number}.parquet")
        line = ["classify", "in", "--output", outputs[-1], "--weights", "untrained", "--shard", f"{number}/2"]
        assert run_cli(*line, home=untrained_home, cwd=tmp_path / str(number)).returncode == 0
    merged = tmp_path / "merged.parquet"
    done = merge(*outputs, "--output", merged)
    assert done.returncode == 0, done.stderr
    assert [row["file"] for row in parquet.read_table(merged).to_pylist()] == [
        f"in/0000{number}.jpg" for number in range(4)
    ]
    assert WORKING_DIRECTORY not in json.loads(parquet.read_schema(merged).metadata[METADATA_KEY])


def test_row_groups_are_bounded_by_the_predictions_in_them(tmp_path):
    run = {"kind": "classify", "languages": ["en"], "top_k": 40}
    best = [{"rank": 1, "index": 7, "wnid": "n1", "en": "cock", "score": 0.5}]
    engine = {"backend": "b", "precision": "fp32", "weights": "w", "sha256": "0"}
    rows = [{"file": f"{number}.jpg", "predictions": best, "warnings": [], "engine": engine} for number in range(1234)]
    write_parquet(tmp_path / "out.parquet", iter(rows), run)
    found = parquet.ParquetFile(tmp_path / "out.parquet").metadata
    assert [found.row_group(number).num_rows for number in range(found.num_row_groups)] == [150] * 8 + [34]
    assert found.num_rows == 1234


@pytest.fixture
def folders(tmp_path):
    """Folders of shards as a cluster writes them, of two shards of one run over five inputs."""
    made = []
    for number, positions in ((1, [[0, 1], [2]]), (2, [[1], [0]])):
        inputs = sum(map(len, positions))
        run = {
            "kind": "classify",
            "languages": ["en"],
            "top_k": 1,
            "shard": f"{number}/2",
            "inputs": inputs,
            "inputs_total": 5,
        }
        output = tmp_path / f"{number}.parquet"
        with shards_module.replacing_folder(output) as folder:
            for block in positions:
                rows = [
                    {"position": one, "file": f"{one * 2 + number - 1}.jpg", "error": "empty_file"} for one in block
                ]
                shards_module.write_shard(folder, rows, shards_module.shard_schema(run))
            shards_module.finish(folder, {**run, "rows": inputs, "errors": inputs})
        made.append(output)
    return made


def test_folders_of_shards_are_joined_into_a_folder(folders, tmp_path):
    output = tmp_path / "all.parquet"
    done = merge(*folders[::-1], "--output", output)
    assert done.returncode == 0, done.stderr
    assert "5 rows, 5 errors" in done.stderr
    rows = {row["position"]: row["file"] for row in parquet.read_table(output).to_pylist()}
    assert rows == {number: f"{number}.jpg" for number in range(5)}
    assert json.loads((output / shards_module.RUN_FILE).read_text())["shard"] == "1/1"
    assert merge(*folders, "--output", output).returncode == 0  # what a merge wrote may be written anew


def test_a_folder_with_a_row_missing_or_twice_is_no_part(folders, tmp_path):
    shard = shards_module.shards_of(folders[0])[0]
    shutil.copy(shard, folders[0] / "again.parquet")
    assert "where 3 were listed" in merge(*folders, "--output", tmp_path / "all.parquet").stderr
    (folders[0] / "again.parquet").unlink()
    shard.unlink()
    assert "where 3 were listed" in merge(*folders, "--output", tmp_path / "all.parquet").stderr


def test_a_replacement_that_was_killed_is_ended_by_the_next_run(folders, tmp_path):
    output, part = folders[0], tmp_path / "1.parquet.part"
    before = tmp_path / "1.parquet.before.part"
    output.rename(before)
    shutil.copytree(folders[1], part)
    shards_module.recover(output)  # killed between its two steps: the new one is whole
    assert json.loads((output / shards_module.RUN_FILE).read_text())["shard"] == "2/2"
    assert not part.exists()
    output.rename(before)
    part.mkdir()  # killed between its two steps, and then a run that was killed as well
    shards_module.recover(output)
    assert (output / shards_module.RUN_FILE).is_file()
    shards_module.refuse_foreign(output)


def test_merge_refuses_parts_of_different_runs(classify, shards, tmp_path):
    _, one, two, three = shards["jsonl"]
    folder = json.loads((three.parent / f"{three.name}.run.json").read_text())["paths"][0]
    other = tmp_path / "3.jsonl"
    classify(folder, "--output", other, "--shard", "3/3", "--top-k", 5)
    done = merge(one, two, other, "--output", tmp_path / "merged.jsonl")
    assert done.returncode == 2
    assert "top_k" in done.stderr
    classify(CAT, "--output", other, "--shard", "3/3")
    assert "comes from another run" in merge(one, two, other, "--output", tmp_path / "merged.jsonl").stderr


def test_merge_refuses_a_part_that_was_changed_or_has_no_sidecar(shards, tmp_path):
    _, *parts = shards["jsonl"]
    copies = [shutil.copy(part, tmp_path) for part in parts]
    assert "missing or damaged" in merge(*copies, "--output", tmp_path / "m.jsonl").stderr
    for part in parts:
        shutil.copy(f"{part}.run.json", tmp_path)
    with Path(copies[1]).open("ab") as file:
        file.write(b"{}\n")
    assert "not the file its run wrote" in merge(*copies, "--output", tmp_path / "m.jsonl").stderr


def test_the_target_of_a_link_is_written_and_the_link_stays(classify, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "link.csv"
    link.symlink_to(tmp_path / "elsewhere" / "real.csv")
    assert classify(CAT, "--output", link).returncode == 0
    assert link.is_symlink()
    assert (tmp_path / "elsewhere" / "real.csv").read_text(encoding="utf-8").startswith("file,")


def test_a_pipe_is_refused_before_anything_runs(classify, tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    done = classify(CAT, "--output", tmp_path / "pipe.csv")
    assert done.returncode == 2
    assert "is a pipe or a device" in done.stderr
    assert stat.S_ISFIFO((tmp_path / "pipe.csv").stat().st_mode)


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_more_parts_than_files_may_be_open_are_joined(shards, tmp_path, suffix):
    """Seventy parts of two rows, sixty-four open files."""
    parts = []
    for number in range(1, 71):
        part = tmp_path / f"{number}{suffix}"
        write_part(part, number, 70, [f"{number}.jpg", f"{70 + number}.jpg"])
        parts.append(part)
    line = f"ulimit -n 64; exec {sys.executable} -m resnet18_lab merge {' '.join(map(str, parts))} -o {tmp_path / f'all{suffix}'}"
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert names_in(tmp_path / f"all{suffix}") == [f"{number}.jpg" for number in range(1, 141)]


def write_part(part, number, count, files):
    """A shard's output with its provenance, as a run would leave them."""
    run = {
        "kind": "classify", "shard": f"{number}/{count}", "inputs": len(files), "inputs_total": 2 * count, "errors": len(files),
        "top_k": 1, "languages": ["en"], "bom": False, "rows": len(files),
    }  # fmt: skip
    words = {"code": "file_not_found", "message": "It is\nnot there.", "message_zh": "无"}
    WRITERS[part.suffix](part, [{"file": file, "error": words} for file in files], run)
    write_provenance(provenance_of(part), {**run, "output_sha256": hashing.sha256(part)})


def names_in(output):
    if output.suffix == ".parquet":
        return parquet.read_table(output).column("file").to_pylist()
    if output.suffix == ".csv":
        with output.open(encoding="utf-8", newline="") as file:
            return [row["file"] for row in csv.DictReader(file)]
    return [json.loads(line)["file"] for line in output.read_text(encoding="utf-8").splitlines()]
