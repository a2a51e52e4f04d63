"""The Ray engine on a real cluster of two nodes: two raylets on this machine."""

import json
import os
import subprocess
import sys
import threading
import time

import psutil
import pytest
from bulk_pictures import CAT, folder_of
from conftest import ROOT, run_cli

from resnet18_lab import bulk
from resnet18_lab.bulk import cluster
from resnet18_lab.bulk.batch import Job
from resnet18_lab.bulk.run import Plan
from resnet18_lab.bulk.writers import parquet_row
from resnet18_lab.errors import LabError, ParameterError
from resnet18_lab.paths import home as lab_home

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
    found = [entry.file for entry in cluster.find_inputs(["memory://photos", "memory://photos/b.jpg", str(CAT)])]
    assert [name.removeprefix("memory://").lstrip("/") for name in found[:3]] == ["photos/b.jpg", "photos/deep/a.jpg", "photos/b.jpg"]  # fmt: skip
    assert cluster.read_source(found[0]) == CAT.read_bytes()
    with pytest.raises(LabError) as caught:
        cluster.read_source("memory://photos/missing.jpg")
    assert caught.value.code == "file_not_found"
    with pytest.raises(LabError) as caught:
        cluster.read_source("nosuchstore://x/y.jpg")
    assert caught.value.code == "unreadable"


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

    answers = bulk.stream(walk([folder]), job=JOB, workers=2)
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
def test_two_nodes_give_the_rows_of_the_local_pipeline(address, pictures, tmp_path, untrained_home):
    output = tmp_path / "out.parquet"
    done = run_cli(
        "classify", pictures, "--output", output, "--weights", "untrained", "--engine", "ray", "--address", address,
        home=untrained_home,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr  # two pictures are bad
    assert "Traceback" not in done.stderr
    assert "122 rows, 2 errors" in done.stderr
    assert cluster_rows(output) == local_rows(pictures)
    assert len(list(output.glob("*.parquet"))) > 1
    assert json.loads((tmp_path / "out.parquet.run.json").read_text())["rows"] == 122


@pytest.mark.slow
def test_an_actor_killed_in_the_middle_costs_no_row_and_makes_no_duplicate(address, pictures, tmp_path):
    killed = []

    def kill_one_actor():
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline and not killed:
            for process in psutil.process_iter(["name", "cmdline", "cpu_times"]):
                title = " ".join(process.info["cmdline"] or [])
                busy = process.info["cpu_times"] and process.info["cpu_times"].user > 2.2
                if title.startswith("ray::") and "Actor" in title and "MapWorker" in title and busy:
                    os.kill(process.pid, 9)
                    killed.append(process.pid)
                    return
            time.sleep(0.05)

    for number in range(400):  # long enough to be killed in the middle
        os.link(pictures / f"{number % 120:05}.jpg", pictures / f"more{number:05}.jpg")
    killer = threading.Thread(target=kill_one_actor)
    killer.start()
    summary = cluster.run(Plan((str(pictures),), tmp_path / "out.parquet", JOB), address=address)
    killer.join()
    assert killed, "no actor was seen at work"
    assert (summary.rows, summary.errors) == (522, 2)
    assert cluster_rows(tmp_path / "out.parquet") == local_rows(pictures)
