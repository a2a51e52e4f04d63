"""Folders of pictures for the bulk tests, and a killer that lies in wait for a file's name."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

from conftest import samples_dir
from pictures import encode, scene


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
    environment = {**os.environ, "RESNET18_LAB_HOME": str(home), **(env or {})}
    line = [sys.executable, "-m", "resnet18_lab", *map(os.fspath, map(_text, arguments)), "--weights", "untrained"]
    settings = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return subprocess.Popen(line, env=environment, **settings)


def _text(argument: object) -> str:
    return os.fspath(argument) if isinstance(argument, str | os.PathLike) else str(argument)


def audit_hook(folder: Path, body: str) -> dict[str, str]:
    """Environment in which every Python process watches its own events with ``hook(event, args)``."""
    code = "import os, sys\ndef hook(event, args):\n" + textwrap.indent(body, "    ") + "\nsys.addaudithook(hook)\n"
    (folder / "sitecustomize.py").write_text(code, encoding="utf-8")
    path = os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH"))))
    return {"PYTHONPATH": path}


CAT = samples_dir() / "cat.jpg"
