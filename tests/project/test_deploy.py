"""What docs/deploy.md and the files of deploy/ name exists, and the container's second stage works without torch."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
import urllib.request
from dataclasses import replace
from fnmatch import fnmatch

import pytest
from support.project import ROOT, run_cli, samples_dir

from resnet18_lab.service import client
from resnet18_lab.service.memory import decoding_mb, service_mb, worker_mb
from resnet18_lab.service.settings import ENVELOPE_BYTES, MEGABYTE, Settings

DEPLOY = sorted((ROOT / "deploy").iterdir())
PAGES = [ROOT / "docs" / "deploy.md", ROOT / "Dockerfile", *DEPLOY]


@pytest.fixture(scope="module")
def options():
    return set(re.findall(r"--[a-z-]+", run_cli("serve", "--help", env={"COLUMNS": "200"}).stdout))


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_option_of_serve_exists(path, options):
    named = set()
    for line in path.read_text(encoding="utf-8").splitlines():
        if "resnet18-lab serve" in line:
            named |= set(re.findall(r"--[a-z-]+", line))
    if path.name == "deploy.md":
        named = set(re.findall(r"`(--[a-z-]+)", path.read_text(encoding="utf-8")))
    assert named <= options | {"--only", "--quick", "--build-arg", "--profile"}  # of other programs


def test_every_number_and_route_exists(untrained_home, monkeypatch):
    text = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    monkeypatch.setenv("RESNET18_LAB_HOME", str(untrained_home))
    with client.running("--weights", "untrained") as service:
        for route in set(re.findall(r"`(/(?:healthz|readyz|metrics|docs|api/v1/model))`", text)):
            with urllib.request.urlopen(service.url + route) as answer:
                assert answer.status == 200, route
        with urllib.request.urlopen(f"{service.url}/metrics") as answer:
            exported = answer.read().decode()
        known = (ROOT / "resnet18_lab" / "service" / "prometheus.py").read_text(encoding="utf-8")
        for number in re.findall(r"`(resnet18_\w+)", text):
            assert number in exported or f'"{number.removesuffix("_total")}"' in known, number


def test_every_file_named_exists():
    for path in PAGES:
        for name in re.findall(r"(?:\.\./|\b)(deploy/[\w.-]+|weights/README\.md)", path.read_text(encoding="utf-8")):
            assert (ROOT / name).is_file(), (path.name, name)


def test_the_dockerfile_runs_the_steps_as_another_user_and_without_torch():
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert text.count("\nFROM ") == 2
    assert "deploy/build_artifacts.sh" in text.split("\nFROM ")[1]
    assert "deploy/install_runtime.sh" in text.split("\nFROM ")[2]
    assert text.index("USER 10001") < text.index('CMD ["resnet18-lab"')
    wanted = subprocess.run(
        [sys.executable, str(ROOT / "deploy" / "runtime_requirements.py")], capture_output=True, text=True, check=True
    ).stdout
    assert "fastapi" in wanted
    assert "torch" not in wanted


def test_the_second_stage_copies_what_an_installation_reads():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    second = (ROOT / "Dockerfile").read_text(encoding="utf-8").split("\nFROM ")[2]
    copied = [name for line in re.findall(r"^COPY (?!--from)(.*) \S+$", second, re.MULTILINE) for name in line.split()]
    for name in (project["readme"], *project["license-files"]):
        assert any(fnmatch(name, pattern) for pattern in copied), name


def test_the_proxy_lets_the_largest_body_through_and_names_the_client():
    text = (ROOT / "deploy" / "nginx.conf").read_text(encoding="utf-8")
    allowed = int(re.search(r"client_max_body_size (\d+)m", text)[1]) * 2**20
    largest = Settings().batch_mb * MEGABYTE + ENVELOPE_BYTES
    assert largest <= allowed < largest + 5e6
    assert "proxy_set_header X-Forwarded-For $remote_addr;" in text
    assert "--proxy-headers" in (ROOT / "deploy" / "resnet18-lab.service").read_text(encoding="utf-8")


def test_the_unit_s_memory_holds_the_bound_that_is_written():
    settings, unit = Settings(), (ROOT / "deploy" / "resnet18-lab.service").read_text(encoding="utf-8")
    page = " ".join((ROOT / "docs" / "deploy.md").read_text(encoding="utf-8").split())
    bound, decoding = worker_mb(settings), decoding_mb(settings)
    assert f"150 + {settings.upload_mb} + {settings.max_mb} + {decoding} = {bound} MB" in page
    workers = int(re.search(r"--workers (\d+)", unit)[1])
    assert (
        service_mb(replace(settings, workers=workers))
        <= int(re.search(r"MemoryMax=(\d+)M", unit)[1]) * 2**20 / MEGABYTE
    )


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt" or shutil.which("git") is None, reason="the steps are shell scripts, and need git")
def test_the_container_s_steps_work_in_a_folder_of_their_own(untrained_home):
    if not (ROOT / ".venv" / "bin" / "python").exists() or not (ROOT / ".git").exists():
        pytest.skip("needs a clone with its .venv, whose packages the trial links")
    done = subprocess.run(
        ["sh", "deploy/try_container.sh", "--quick", "--weights", "untrained"], cwd=ROOT, capture_output=True, text=True,
        check=False, timeout=300, env={**os.environ, "RESNET18_LAB_HOME": str(untrained_home)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "the container's steps work" in done.stdout


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="the steps are shell scripts for a Linux image")
def test_the_runtime_stage_answers_and_has_no_torch(tmp_path, untrained_home):
    done = subprocess.run(
        ["sh", "deploy/install_runtime.sh", str(tmp_path / "runtime")], cwd=ROOT, capture_output=True, text=True,
        check=False, timeout=400, env={**os.environ, "PIP_RETRIES": "0"},
    )  # fmt: skip
    if done.returncode != 0 and re.search("No matching distribution|Could not find|Connection|resolve", done.stderr):
        pytest.skip(f"the packages cannot be fetched here: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    python = tmp_path / "runtime" / "bin" / "python"
    assert subprocess.run([str(python), "-c", "import torch"], capture_output=True, check=False).returncode != 0
    environment = {"PATH": os.environ["PATH"], "RESNET18_LAB_HOME": str(untrained_home), "RESNET18_LAB_OFFLINE": "1"}
    command = [str(python), "-m", "resnet18_lab", "serve", "--port", "0", "--weights", "untrained"]
    log = tmp_path / "log.txt"
    with log.open("wb") as said:
        process = subprocess.Popen(command, env=environment, stderr=said, cwd=tmp_path)
    try:
        url = client.address_of(process, log)
        subprocess.run([str(python), str(ROOT / "deploy" / "health.py"), f"{url}/healthz"], check=True, timeout=60)
        found = client.classify(url, (samples_dir() / "cat.jpg").read_bytes(), "cat.jpg")
        assert len(found["predictions"]) == 3
    finally:
        process.terminate()
        assert process.wait(30) == 0
