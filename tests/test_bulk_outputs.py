"""What the outputs hold, and shards joined to what one run would have written."""

import csv
import json
import shutil
from pathlib import Path

import pytest
from bulk_pictures import CAT, folder_of
from conftest import run_cli

from resnet18_lab import hashing
from resnet18_lab.bulk.writers import METADATA_KEY

parquet = pytest.importorskip("pyarrow.parquet", reason="needs pyarrow")


@pytest.fixture
def classify(untrained_home):
    def run(*arguments, **options):
        return run_cli("classify", *arguments, "--weights", "untrained", home=untrained_home, **options)

    return run


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
    from conftest import ROOT

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
