"""What docs/deploy.md and the files of deploy/ name exists, and the container's second stage works without torch."""

import os
import re
import subprocess
import sys
import urllib.request

import pytest
from conftest import ROOT, run_cli, samples_dir

from resnet18_lab import serving_study

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
    assert named <= options | {"--only"}


def test_every_number_and_route_exists(untrained_home, monkeypatch):
    text = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    monkeypatch.setenv("RESNET18_LAB_HOME", str(untrained_home))
    with serving_study.running("--weights", "untrained") as service:
        for route in set(re.findall(r"`(/(?:healthz|readyz|metrics|docs|api/v1/model))`", text)):
            with urllib.request.urlopen(service.url + route) as answer:
                assert answer.status == 200, route
        with urllib.request.urlopen(f"{service.url}/metrics") as answer:
            exported = answer.read().decode()
        known = (ROOT / "resnet18_lab" / "service" / "metrics.py").read_text(encoding="utf-8")
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
        url = serving_study.address_of(process, log)
        subprocess.run([str(python), str(ROOT / "deploy" / "health.py"), f"{url}/healthz"], check=True, timeout=60)
        found = serving_study.classify(url, (samples_dir() / "cat.jpg").read_bytes(), "cat.jpg")
        assert len(found["predictions"]) == 3
    finally:
        process.terminate()
        assert process.wait(30) == 0
