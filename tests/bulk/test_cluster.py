"""The Ray engine on a real cluster of two nodes: two raylets on this machine."""

import json
import os
import subprocess
import sys
import threading
import time

import psutil
import pytest
from support.bulk_pictures import CAT, folder_of
from support.project import ROOT, run_cli

from resnet18_lab.base.errors import LabError, ParameterError
from resnet18_lab.base.paths import home as lab_home
from resnet18_lab.bulk import cluster, journal, sources
from resnet18_lab.bulk.batch import Job
from resnet18_lab.bulk.inputs import Input
from resnet18_lab.bulk.parquet_folder import RUN_FILE, shards_of
from resnet18_lab.bulk.pipeline import stream
from resnet18_lab.bulk.plan import Plan
from resnet18_lab.bulk.writers import parquet_row

JOB = Job(weights="untrained")


def test_ray_is_imported_only_when_asked_for():
    code = (
        "import sys, resnet18_lab.bulk.cluster, resnet18_lab.cli.main; assert not {'ray', 'fsspec'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, cwd=ROOT)


@pytest.mark.parametrize("change", [{"resume": True}, {"dedupe": True}, {"output": "out.csv"}])
def test_what_a_cluster_cannot_do_is_refused(tmp_path, change):
    from pathlib import Path

    settings = {"output": Path("out.parquet"), **change}
    settings["output"] = tmp_path / settings["output"]
    with pytest.raises(ParameterError):
        cluster.run(Plan((str(CAT),), job=JOB, **settings))


def test_without_ray_the_error_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(LabError, match=r"resnet18-lab\[ray\]"):
        cluster.run(Plan((str(CAT),), tmp_path / "out.parquet", JOB))


def test_urls_are_listed_and_read_through_fsspec(tmp_path):
    fsspec = pytest.importorskip("fsspec", reason="needs fsspec")
    memory = fsspec.filesystem("memory")
    for name in ("photos/b.jpg", "photos/deep/a.jpg", "photos/notes.txt"):
        memory.pipe(f"/{name}", CAT.read_bytes())
    found = [entry.file for entry in sources.find_inputs(["memory://photos", "memory://photos/b.jpg", str(CAT)])]
    assert [name.removeprefix("memory://").lstrip("/") for name in found[:3]] == ["photos/b.jpg", "photos/deep/a.jpg", "photos/b.jpg"]  # fmt: skip
    assert sources.read_source(found[0]) == CAT.read_bytes()
    with pytest.raises(LabError) as caught:
        sources.read_source("memory://photos/missing.jpg")
    assert caught.value.code == "file_not_found"
    with pytest.raises(LabError) as caught:
        sources.read_source("nosuchstore://x/y.jpg")
    assert caught.value.code == "unreadable"


def test_a_bucket_is_listed_a_folder_at_a_time_as_folders_here_are(tmp_path):
    pytest.importorskip("fsspec", reason="needs fsspec")
    for name in ("b.jpg", "a/2.jpg", "a/1.jpg", "a/deep/0.png", "c.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    here = [entry.file for entry in sources.find_inputs([str(tmp_path)])]
    assert [entry.file for entry in sources.find_inputs([f"file://{tmp_path}"])] == [f"file://{name}" for name in here]


def test_a_store_that_needs_a_package_or_is_unknown_is_one_line(monkeypatch):
    registry = pytest.importorskip("fsspec.registry", reason="needs fsspec")
    entry = {"class": "no_such_package.Store", "err": "Install no_such_package to access it"}
    monkeypatch.setitem(registry.known_implementations, "lacking", entry)
    with pytest.raises(LabError, match="Install no_such_package"):
        list(sources.find_inputs(["lacking://bucket/x"]))
    with pytest.raises(LabError, match="nosuchstore"):
        list(sources.find_inputs(["nosuchstore://bucket/x"]))


def test_a_store_that_refuses_is_an_input_with_an_error(monkeypatch):
    fsspec = pytest.importorskip("fsspec", reason="needs fsspec")

    class Closed(fsspec.AbstractFileSystem):
        protocol = "closed"
        cachable = False

        def ls(self, path, detail=True, **options):
            raise PermissionError(f"not allowed: {path}") if "secret" in path else RuntimeError("503\nslow down")

        def isdir(self, path):
            return True

    fsspec.register_implementation("closed", Closed, clobber=True)
    refused, slow = sources.find_inputs(["closed://secret", "closed://busy"])
    assert refused == Input("closed://secret", "permission_denied")
    assert slow.error.code == "unreadable"
    assert "503 slow down" in slow.error.message


@pytest.mark.parametrize(("pictures", "workers", "size"), [(1, 2, 1), (122, 2, 16), (3000, 2, 93), (10**8, 100, 512)])
def test_blocks_are_small_enough_to_end_together_and_no_larger_than_a_store_takes(pictures, workers, size):
    assert cluster.blocks(pictures, workers) == -(-pictures // size)


def test_what_another_kind_of_run_left_is_not_replaced(tmp_path, monkeypatch):
    pytest.importorskip("ray", reason="needs Ray")
    output = tmp_path / "out.parquet"
    output.write_bytes(b"a table")
    with pytest.raises(LabError, match="another name"):
        cluster.run(Plan((str(CAT),), output, JOB))
    output.unlink()
    journal.journal_of(output).write_text("rows")
    with pytest.raises(LabError, match="--resume"):
        cluster.run(Plan((str(CAT),), output, JOB))
    assert journal.journal_of(output).read_text() == "rows"
    with journal.locked(output), pytest.raises(LabError, match="Another run"):
        cluster.run(Plan((str(CAT),), output, JOB))


@pytest.fixture(scope="module")
def address(untrained_home):
    """Two nodes of one core each; their processes inherit this home."""
    pytest.importorskip("ray", reason="needs Ray: pip install 'resnet18-lab[ray]'")
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RESNET18_LAB_HOME", str(untrained_home))
        patch.setenv("PYTHONPATH", str(ROOT))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        memory = {"object_store_memory": 80 * 1024 * 1024}
        nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False, **memory})
        try:
            nodes.add_node(num_cpus=1, **memory)
            nodes.wait_for_nodes()
            yield nodes.address
        finally:
            nodes.shutdown()


@pytest.fixture
def pictures(tmp_path, untrained_home, monkeypatch):
    """A folder with good pictures, a bad one and one that is missing behind a link."""
    monkeypatch.setenv("RESNET18_LAB_HOME", str(untrained_home))
    assert lab_home() == untrained_home
    folder = folder_of(tmp_path / "in", 120)
    (folder / "bad.jpg").write_bytes(b"no picture, and longer than a signature")
    (folder / "gone.jpg").symlink_to("nowhere.jpg")
    return folder


def local_rows(folder):
    from resnet18_lab.bulk.inputs import walk

    answers = stream(walk([folder]), job=JOB, workers=2)
    return sorted(json.dumps(_plain(parquet_row(answer.as_json())), sort_keys=True) for answer in answers)


def cluster_rows(output):
    from pyarrow import parquet

    rows = parquet.read_table(output).to_pylist()
    for row in rows:
        del row["position"]
    return sorted(json.dumps(_plain(row), sort_keys=True) for row in rows)


def _plain(row):
    return {name: value for name, value in row.items() if value is not None}


@pytest.mark.slow
def test_two_nodes_give_the_rows_of_the_local_pipeline_with_the_names_they_were_given(
    address, pictures, tmp_path, untrained_home, monkeypatch
):
    from pyarrow import parquet

    folder_of(tmp_path / "few", 3)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    output = tmp_path / "out.parquet"
    done = run_cli(
        "classify", f"file://{tmp_path}/few", "in", "--output", output, "--weights", "untrained", "--engine", "ray",
        "--address", address, home=untrained_home,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr  # two pictures are bad
    assert "Traceback" not in done.stderr
    assert "UNTRAINED" in done.stderr
    assert "125 rows, 2 errors" in done.stderr
    assert len(list(output.glob("*.parquet"))) > 1
    assert json.loads((tmp_path / "out.parquet.run.json").read_text())["rows"] == 125
    assert json.loads((output / RUN_FILE).read_text())["rows"] == 125
    assert not list(tmp_path.glob("*.part"))
    rows = sorted(parquet.read_table("out.parquet").to_pylist(), key=lambda row: row["position"])
    assert [row["file"] for row in rows[:3]] == [f"file://{tmp_path}/few/0000{number}.jpg" for number in range(3)]
    of_folder = sorted(json.dumps(_plain({**row, "position": None}), sort_keys=True) for row in rows[3:])
    assert of_folder == local_rows("in")


@pytest.mark.slow
def test_a_list_from_elsewhere_is_spread_too(address, tmp_path, untrained_home, monkeypatch):
    from pyarrow import parquet

    folder_of(tmp_path / "in", 3)
    (tmp_path / "list").write_text("in/00001.jpg\nin/missing.jpg\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    options = ["--weights", "untrained", "--engine", "ray", "--address", address, "--output"]
    with open("list") as stdin:  # noqa: PTH123 - named as a user names it
        done = run_cli("classify", "-", *options, "out.parquet", home=untrained_home, stdin=stdin)
    assert done.returncode == 1, done.stderr
    rows = sorted(parquet.read_table("out.parquet").to_pylist(), key=lambda row: row["position"])
    assert [(row["file"], row["error"]) for row in rows] == [
        ("in/00001.jpg", None),
        ("in/missing.jpg", "file_not_found"),
    ]


@pytest.mark.slow
def test_an_actor_killed_in_the_middle_costs_no_row_and_makes_no_duplicate(address, pictures, tmp_path):
    killed, stood = [], []
    output = tmp_path / "out.parquet"

    def kill_one_actor():
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline and not killed:
            shards = shards_of(journal.journal_of(output))
            if shards:  # all actors that will be are at work
                for process in psutil.process_iter(["cmdline"]):
                    title = " ".join(process.info["cmdline"] or [])
                    if title.startswith("ray::MapWorker") and "Classifier" in title:
                        os.kill(process.pid, 9)
                        killed.append(process.pid)
                        stood.extend(shards)
                        return
            time.sleep(0.02)

    for number in range(400):  # long enough to be killed in the middle
        os.link(pictures / f"{number % 120:05}.jpg", pictures / f"more{number:05}.jpg")
    killer = threading.Thread(target=kill_one_actor)
    killer.start()
    summary = cluster.run(Plan((str(pictures),), output, JOB), address=address)
    killer.join()
    assert killed, "no actor was seen at work"
    assert 0 < len(stood) < len(shards_of(output)) / 2, "most of the work was to be done yet"
    assert (summary.rows, summary.errors) == (522, 2)
    assert cluster_rows(output) == local_rows(pictures)
