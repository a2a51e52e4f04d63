"""A run into a file: whatever ends it early, every input has exactly one row at the end."""

import contextlib
import csv
import json
import os
import random
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.bulk_pictures import CAT, command, end, folder_of, rows_of, rows_that_stand, start_and_wait, wait_for_rows
from support.project import ROOT, run_cli, tool

from resnet18_lab.base import hashing
from resnet18_lab.base.errors import ImageError
from resnet18_lab.base.text import from_cell
from resnet18_lab.bulk import inputs, journal
from resnet18_lab.preprocessing import decode

FLAT = (100, 500)
"""Pictures of the two runs whose memory is compared."""
NOISE, BYTES_A_PICTURE = 4e6, 4e3
"""What two equal runs may differ by, and what a picture may add in a short run; a long one may add 15 MB in all."""
KILLS = int(os.environ.get("RESNET18_LAB_KILLS", "4"))
FLAT_FORMATS, KILLED_FORMATS = (
    (["csv"], ["csv", "parquet"]) if KILLS < 10 else (["csv", "parquet"], ["jsonl", "csv", "parquet"])
)
"""`make chaos` takes all."""
PICTURES_A_KILL = 30
bulk_memory = tool("records/bulk_memory")
parquet = pytest.importorskip("pyarrow.parquet", reason="needs pyarrow")


def parts_of(output):
    return sorted(path.name for path in output.parent.iterdir() if path.name.endswith(".part"))


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("suffix", FLAT_FORMATS)
def test_memory_is_flat_from_the_listing_to_the_whole_output(untrained_home, tmp_path, suffix, monkeypatch):
    first = folder_of(tmp_path / "first", 1)
    picture = next(first.iterdir())
    time.sleep(hashing.TOO_FRESH_NS / 1e9)  # a worker that hashes a fresh artifact itself has another heap, for good
    monkeypatch.setenv("RESNET18_LAB_HOME", str(untrained_home))
    few, many = FLAT
    limit = min(15e6, NOISE + BYTES_A_PICTURE * (many - few))
    seen = []
    for attempt in ("once", "again"):  # on a busy machine the looks at a short run may miss its peak
        (place := tmp_path / attempt).mkdir()
        peaks = [bulk_memory.peaks_of(picture, count, suffix, place, "untrained") for count in FLAT]
        seen.append(max(peaks[1][what] - peaks[0][what] for what in ("parent", "all")))
        if seen[-1] < limit:
            break
    assert min(seen) < limit, seen


@pytest.mark.slow
@pytest.mark.parametrize("suffix", KILLED_FORMATS)
def test_killed_at_random_moments_and_resumed_the_output_is_that_of_an_undisturbed_run(
    untrained_home, tmp_path, suffix
):
    pictures = PICTURES_A_KILL * KILLS
    folder = folder_of(tmp_path / "in", pictures)
    (folder / "00050.jpg").unlink()
    (folder / "00050.jpg").write_bytes(b"no picture, and longer than a signature")
    whole, killed = tmp_path / f"whole.{suffix}", tmp_path / f"killed.{suffix}"
    assert end(command(untrained_home, "classify", folder, "--output", whole), 0)[0] == 1
    moments = random.Random(7)
    stood = [0]
    for number in range(KILLS):
        process = command(untrained_home, "classify", folder, "--output", killed, "--resume")
        if number % 4 == 3:  # some die while they start, most among their rows
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(moments.uniform(0.0, 1.0))
        else:
            wait_for_rows(process, killed, stood[-1] + moments.randint(1, PICTURES_A_KILL - 8))
        end(process)
        stood.append(rows_that_stand(killed))
    assert sum(0 < rows < pictures for rows in stood[1:]) >= KILLS / 2, stood
    assert len(set(stood)) > KILLS / 2, stood
    status, complaint = end(command(untrained_home, "classify", folder, "--output", killed, "--resume"), 0)
    assert status == 1, complaint
    if suffix == "parquet":
        assert parquet.read_table(killed).equals(parquet.read_table(whole))
    else:
        assert killed.read_bytes() == whole.read_bytes()
    assert parts_of(killed) == []


def test_a_torn_last_line_is_repaired(classify, interrupted):
    folder, output = interrupted
    part = journal.journal_of(output)
    part.write_bytes(part.read_bytes()[:-7])
    done = classify(folder, "--output", output, "--resume")
    assert done.returncode == 0, done.stderr
    assert [row["file"] for row in rows_of(output)] == [str(path) for path in sorted(folder.iterdir())]
    assert "from before" in done.stderr
    assert parts_of(output) == []


def test_a_journal_torn_in_its_first_line_starts_anew(classify, interrupted):
    folder, output = interrupted
    part = journal.journal_of(output)
    part.write_bytes(part.read_bytes()[:20])
    assert classify(folder, "--output", output, "--resume").returncode == 0
    assert len(rows_of(output)) == 60


def test_a_journal_damaged_in_the_middle_is_refused(classify, interrupted):
    folder, output = interrupted
    part = journal.journal_of(output)
    lines = part.read_bytes().splitlines(keepends=True)
    lines[3] = b'{"file": "another.jpg"}\n'
    part.write_bytes(b"".join(lines))
    done = classify(folder, "--output", output, "--resume")
    assert done.returncode == 2
    assert "damaged in line 4" in done.stderr


def test_without_resume_what_was_done_is_not_thrown_away(classify, interrupted):
    folder, output = interrupted
    kept = journal.journal_of(output).read_bytes()
    done = classify(folder, "--output", output)
    assert done.returncode == 2
    assert "--resume" in done.stderr
    assert journal.journal_of(output).read_bytes() == kept


@pytest.mark.parametrize(
    ("field", "other"),
    [("artifact_sha256", "0" * 64), ("weights", "official"), ("backend", "eager"), ("preprocess_id", "resize232-v2")],
)
def test_resume_refuses_other_weights_engine_or_preprocessing(classify, interrupted, field, other):
    folder, output = interrupted
    part = journal.journal_of(output)
    first, rest = part.read_bytes().split(b"\n", 1)
    header = json.loads(first)
    header["run"][field] = other
    part.write_bytes(json.dumps(header).encode() + b"\n" + rest)
    done = classify(folder, "--output", output, "--resume")
    assert done.returncode == 2
    assert f"begun with {field} {other}" in done.stderr


@pytest.mark.parametrize("change", [["--top-k", "5"], ["--lang", "en"], ["--shard", "1/2"]])
def test_resume_refuses_rows_of_another_form(classify, interrupted, change):
    folder, output = interrupted
    done = classify(folder, "--output", output, "--resume", *change)
    assert done.returncode == 2
    assert "was begun with" in done.stderr


def test_resume_refuses_other_paths(classify, interrupted, tmp_path):
    _, output = interrupted
    assert "begun with paths" in classify(CAT, "--output", output, "--resume").stderr


def test_a_finished_run_is_not_run_again(classify, tmp_path):
    output = tmp_path / "out.jsonl"
    assert classify(CAT, "--output", output, "--resume").returncode == 0
    before = output.stat()
    assert classify(CAT, "--output", output, "--resume").returncode == 0
    assert output.stat().st_mtime_ns == before.st_mtime_ns
    output.write_text("changed by hand\n")
    assert classify(CAT, "--output", output, "--resume").returncode == 0
    assert len(rows_of(output)) == 1


def test_a_second_run_into_the_same_file_is_refused_while_the_first_goes_on(untrained_home, classify, tmp_path):
    folder, output = folder_of(tmp_path / "in", 100), tmp_path / "out.jsonl"
    first = start_and_wait(untrained_home, output, folder)
    try:
        done = classify(folder, "--output", output, "--resume")
        assert done.returncode == 2
        assert "Another run is writing" in done.stderr
    finally:
        end(first)


def test_ctrl_c_leaves_a_resumable_state_and_says_how(untrained_home, classify, tmp_path):
    folder, output = folder_of(tmp_path / "in", 100), tmp_path / "out.csv"
    status, complaint = end(start_and_wait(untrained_home, output, folder), signal.SIGINT)
    assert status == 130, complaint
    assert "Traceback" not in complaint
    assert f"--output {output}" in complaint
    assert "--resume" in complaint
    assert not output.exists()
    assert classify(folder, "--output", output, "--resume").returncode == 0
    with output.open(encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file))) == 100


def test_an_old_output_stays_until_the_new_one_is_whole(untrained_home, tmp_path):
    folder, output = folder_of(tmp_path / "in", 60), tmp_path / "out.jsonl"
    output.write_text("old\n")
    end(start_and_wait(untrained_home, output, folder))
    assert output.read_text() == "old\n"


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 64 kB, which needs root."""
    place = tmp_path / "small"
    place.mkdir()
    line = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)]
    if os.name != "posix" or os.geteuid() != 0 or subprocess.run(line, check=False, capture_output=True).returncode:
        pytest.skip("needs the right to mount a small file system (root)")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_stops_the_run_and_it_can_be_resumed(classify, tmp_path, small_disk):
    folder, output = folder_of(tmp_path / "in", 150), small_disk / "out.jsonl"
    done = classify(folder, "--output", output)
    assert done.returncode == 2
    assert "no space left" in done.stderr
    assert "--resume" in done.stderr
    assert "Traceback" not in done.stderr
    subprocess.run(["mount", "-o", "remount,size=4m", str(small_disk)], check=True)
    assert classify(folder, "--output", output, "--resume").returncode == 0
    assert [row["file"] for row in rows_of(output)] == [str(path) for path in sorted(folder.iterdir())]


def test_a_folder_that_vanishes_gives_an_error_row_for_each_of_its_pictures(classify, interrupted):
    folder, output = interrupted
    stood = journal.journal_of(output).read_bytes().count(b"\n") - 1
    shutil.rmtree(folder)
    assert classify(folder, "--output", output, "--resume").returncode == 1
    rows = rows_of(output)
    assert len(rows) == 60
    assert {row["error"]["code"] for row in rows if "error" in row} == {"file_not_found"}
    assert sum("predictions" in row for row in rows) == stood


def test_a_folder_that_vanishes_while_it_is_walked_is_an_input_with_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr("os.path.isdir", lambda _name: True)
    assert list(inputs.walk([str(tmp_path / "gone")])) == [inputs.Input(str(tmp_path / "gone"), "file_not_found")]


def test_names_with_newlines_bad_bytes_and_emoji_keep_their_rows(classify, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    names = [
        b"new\nline.jpg",
        rb"new\nline.jpg",
        b"bad \xff byte.jpg",
        rb"bad \xff byte.jpg",
        b"=1+1.jpg",
        b"'=1+1.jpg",
    ]
    names += [name.encode() for name in ("猫 🐈.jpg", "全角\u3000空格.jpg", "👩\u200d🔬.jpg", 'comma, "quote".jpg')]
    for name in names:
        shutil.copy(CAT, os.fsencode(folder) + b"/" + name)
    wanted = {os.fsencode(folder) + b"/" + name for name in names}
    for suffix in ("jsonl", "csv", "parquet"):
        done = classify(folder, "--output", tmp_path / f"out.{suffix}")
        assert done.returncode == 0, done.stderr
    assert {os.fsencode(row["file"]) for row in rows_of(tmp_path / "out.jsonl")} == wanted
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        cells = [row["file"] for row in csv.DictReader(file)]
    assert {os.fsencode(from_cell(cell)) for cell in cells} == wanted
    assert {f"{folder}/猫 🐈.jpg", f"{folder}/全角\u3000空格.jpg", f"{folder}/👩\u200d🔬.jpg"} < set(cells)
    assert (
        len({line for line in (tmp_path / "out.csv").read_text(encoding="utf-8").split("\n") if line}) == len(names) + 1
    )
    table = parquet.read_table(tmp_path / "out.parquet").to_pylist()
    assert {row["file_bytes"] or row["file"].encode() for row in table} == wanted


def test_nul_separated_paths_on_stdin_may_hold_newlines(classify, tmp_path):
    odd = os.fsencode(tmp_path) + b"/new\nline \xff.jpg"
    shutil.copy(CAT, odd)
    listed = b"\0".join([odd, os.fsencode(CAT), b"/missing\n.jpg"])
    done = classify("-", "-0", "--output", tmp_path / "out.jsonl", input=listed, text=False, encoding=None)
    assert done.returncode == 1, done.stderr
    rows = rows_of(tmp_path / "out.jsonl")
    assert [os.fsencode(row["file"]) for row in rows] == [odd, os.fsencode(CAT), b"/missing\n.jpg"]


def test_paths_on_stdin_one_a_line(classify):
    done = classify("-", "--format", "jsonl", input=f"{CAT}\n\n{CAT}\r\n")
    assert [json.loads(line)["file"] for line in done.stdout.splitlines()] == [str(CAT)] * 2


def test_a_loop_of_links_ends(classify, tmp_path):
    folder = folder_of(tmp_path / "in", 2)
    (folder / "loop").symlink_to(tmp_path / "in", target_is_directory=True)
    (folder / "self.jpg").symlink_to("self.jpg")
    done = classify(tmp_path / "in", "--output", tmp_path / "out.jsonl")
    assert done.returncode == 1
    rows = {Path(row["file"]).name: row for row in rows_of(tmp_path / "out.jsonl")}
    assert sorted(rows) == ["00000.jpg", "00001.jpg", "self.jpg"]
    assert rows["self.jpg"]["error"]["code"] == "unreadable"


@pytest.mark.skipif(os.name != "posix", reason="device files and pipes are POSIX")
def test_device_files_pipes_and_empty_files_are_error_rows_and_block_nothing(classify, tmp_path):
    folder = folder_of(tmp_path / "in", 1)
    (folder / "empty.jpg").touch()
    os.mkfifo(folder / "pipe.jpg")
    (folder / "zero.jpg").symlink_to("/dev/zero")
    expected = {"empty.jpg": "empty_file", "pipe.jpg": "not_a_file", "zero.jpg": "not_a_file", "00000.jpg": None}
    if os.geteuid() == 0:
        os.mknod(folder / "device.jpg", stat.S_IFCHR | 0o666, os.makedev(1, 5))
        expected["device.jpg"] = "not_a_file"
    for options in ([], ["--dedupe"]):
        output = tmp_path / f"out{len(options)}.jsonl"
        assert classify(folder, "--output", output, *options).returncode == 1
        codes = {Path(row["file"]).name: row.get("error", {}).get("code") for row in rows_of(output)}
        assert codes == expected


def powerless():
    """What a command is started with so that permissions hold for it; root's own would open everything."""
    if os.name != "posix":
        pytest.skip("permissions are POSIX")
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("root needs setpriv (util-linux) to do without its rights")
    dropped = "-dac_override,-dac_read_search"
    return ["setpriv", f"--inh-caps={dropped}", f"--bounding-set={dropped}"]


def test_permission_denied_is_an_error_row_for_a_file_and_for_a_folder(untrained_home, tmp_path):
    folder = folder_of(tmp_path / "in", 1)
    shutil.copy(CAT, folder / "secret.jpg")
    (folder / "secret.jpg").chmod(0)
    (folder / "closed").mkdir()
    (folder / "closed").chmod(0)
    output = tmp_path / "out.jsonl"
    line = [*powerless(), sys.executable, "-m", "resnet18_lab", "classify", folder, "--output", output]
    environment = {**os.environ, "RESNET18_LAB_HOME": str(untrained_home)}
    done = subprocess.run(
        [*map(str, line), "--weights", "untrained"], env=environment, check=False, capture_output=True, timeout=60
    )
    (folder / "closed").chmod(0o777)
    assert done.returncode == 1, done.stderr
    codes = {Path(row["file"]).name: row.get("error", {}).get("code") for row in rows_of(output)}
    assert codes == {"00000.jpg": None, "closed": "permission_denied", "secret.jpg": "permission_denied"}


def test_a_closed_folder_is_permission_denied_without_an_output_too(untrained_home, tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir()
    closed.chmod(0)
    done = run_cli(
        "classify", closed, CAT, "--format", "json", "--weights", "untrained", home=untrained_home, prefix=powerless()
    )
    closed.chmod(0o777)
    assert done.returncode == 1, done.stderr
    first, second = json.loads(done.stdout)
    assert (first["file"], first["error"]["code"]) == (str(closed), "permission_denied")
    assert second["predictions"]


def test_a_file_that_changes_while_it_is_read_is_an_error_and_no_answer(tmp_path, monkeypatch):
    picture = tmp_path / "growing.jpg"
    shutil.copy(CAT, picture)
    look = os.fstat

    def and_grow(descriptor):
        found = look(descriptor)
        with picture.open("ab") as other:
            other.write(b"more")
        return found

    monkeypatch.setattr(os, "fstat", and_grow)
    with pytest.raises(ImageError) as caught:
        decode.decode(picture)
    assert caught.value.code == "file_changed"


def test_jsonl_into_head_prints_no_traceback(untrained_home, tmp_path):
    folder = folder_of(tmp_path / "in", 200)
    process = command(untrained_home, "classify", folder, "--format", "jsonl")
    first = process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=60) in (1, 141)  # Typer's own status for a closed pipe, and ours
    complaint = process.stderr.read().decode()
    process.stderr.close()
    assert json.loads(first)["predictions"]
    assert "Traceback" not in complaint
    assert "Broken" not in complaint


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--output", "out.xlsx"], ".csv, .jsonl, .parquet"),
        (["--output", "o.csv", "--shard", "3/2"], "K/N"),
        (["--output", "o.csv", "--shard", "x"], "K/N"),
        (["--resume"], "--output"),
        (["-", "--output", "o.csv"], "alone"),
        (["-0"], "only path"),
        (["--output", "o.csv", "--engine", "spark"], "local, ray"),
        (["--output", "o.parquet", "--address", "auto"], "--runner ray"),
        (["s3://bucket/folder"], "--runner ray"),
        (["--engine", "ray"], "NAME.parquet"),
        (["--output", "o.csv", "--workers", "0"], "workers=0"),
        (["--output", "o.csv", "--top-k", "0"], "top_k=0"),
    ],
)
def test_wrong_uses_are_one_line_that_says_what_to_do(classify, tmp_path, arguments, words):
    done = classify(CAT, *arguments, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)})
    assert done.returncode == 2
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr


def test_torch_and_ray_are_not_imported(untrained_home, tmp_path):
    code = (
        "import sys; from resnet18_lab.cli.main import main; sys.argv[1:] = ['classify', *sys.argv[1:], '--weights', 'untrained'];"
        "assert main() == 0; bad = {'torch', 'ray', 'pyarrow', 'pandas'} & set(sys.modules); assert not bad, bad"
    )
    environment = {**os.environ, "RESNET18_LAB_HOME": str(untrained_home)}
    line = [sys.executable, "-c", code, str(CAT), "--output", str(tmp_path / "out.csv")]
    subprocess.run(line, env=environment, check=True, timeout=120, capture_output=True)
