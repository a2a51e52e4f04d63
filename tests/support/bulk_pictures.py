"""Folders of pictures for the bulk tests, runs that are ended in the middle, and a killer that lies in wait."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from resnet18_lab.bulk import journal
from support.pictures import encode, scene
from support.project import samples_dir


def folder_of(folder: Path, count: int) -> Path:
    """``count`` pictures, hard links of a few small ones, and so equal in threes and more."""
    folder.mkdir(parents=True)
    originals = [folder.parent / f".original{number}.jpg" for number in range(7)]
    for number, original in enumerate(originals):
        original.write_bytes(encode(scene(160 + number, 120), "JPEG", quality=80))
    for number in range(count):
        os.link(originals[number % len(originals)], folder / f"{number:05}.jpg")
    return folder


def command(home: Path, *arguments: object, env: dict[str, str] | None = None, **options: object) -> subprocess.Popen:
    """``resnet18-lab`` started in a process of its own, with untrained weights."""
    environment = {**os.environ, "PYTHONFAULTHANDLER": "1", "RESNET18_LAB_HOME": str(home), **(env or {})}
    line = [sys.executable, "-m", "resnet18_lab", *map(os.fspath, map(_text, arguments)), "--weights", "untrained"]
    settings = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return subprocess.Popen(line, env=environment, **settings)


def ended(process: subprocess.Popen, seconds: float = 60) -> tuple[bytes, bytes]:
    """What a process of ``command`` wrote until its end; one that does not end says where each of its threads is."""
    try:
        return process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGABRT)
        _, said = process.communicate(timeout=30)
        pytest.fail(f"it did not end within {seconds:g} s:\n{said.decode(errors='replace')}")


def _text(argument: object) -> str:
    return os.fspath(argument) if isinstance(argument, str | os.PathLike) else str(argument)


def start_and_wait(home, output, folder, *options, rows=9, **settings):
    """A run that has written some rows, still going."""
    process = command(home, "classify", folder, "--output", output, "--workers", 2, *options, **settings)
    wait_for_rows(process, output, rows)
    return process


def rows_that_stand(output):
    """Rows in a journal; its first line says what run it is."""
    part = journal.journal_of(output)
    return max(0, part.read_bytes().count(b"\n") - 1) if part.exists() else 0


def wait_for_rows(process, output, rows):
    """Until so many rows stand in the journal of a run that goes on."""
    deadline = time.monotonic() + 60
    while rows_that_stand(output) < rows:
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.005)


def end(process, number=signal.SIGKILL):
    """Exit status and stderr of a run that is sent a signal (0: it is waited for)."""
    process.send_signal(number)
    _, complaint = process.communicate(timeout=60)
    return process.returncode, complaint.decode("utf-8", "replace")


def rows_of(path):
    """The rows of a JSONL output."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def audit_hook(folder: Path, body: str) -> dict[str, str]:
    """Environment in which every Python process watches its own events with ``hook(event, args)``."""
    code = "import os, sys\ndef hook(event, args):\n" + textwrap.indent(body, "    ") + "\nsys.addaudithook(hook)\n"
    (folder / "sitecustomize.py").write_text(code, encoding="utf-8")
    path = os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH"))))
    return {"PYTHONPATH": path}


CAT = samples_dir() / "cat.jpg"
