"""What a user does on the page, for the tests of the page."""

import mimetypes
from pathlib import Path

import httpx
import pytest

from support.project import samples_dir

expect = pytest.importorskip("playwright.sync_api", reason="needs the test extra: playwright").expect

COFFEE = samples_dir() / "coffee.jpg"
CAT = samples_dir() / "cat.jpg"


def as_buffer(file):
    if isinstance(file, dict):
        return file
    kind = mimetypes.guess_type(file)[0] or "application/octet-stream"
    return {"name": Path(file).name, "mimeType": kind, "buffer": Path(file).read_bytes()}


def choose(page, *files):
    mixed = any(isinstance(file, dict) for file in files)  # the driver takes paths or contents, not both
    page.set_input_files("#file", [as_buffer(file) if mixed else file for file in files])


def recognise(page, *files):
    choose(page, *files)
    page.click("#recognise")
    expect(page.locator("#progress-text")).to_have_text(f"{len(files)}/{len(files)}")


def answer_of(service, path, **parameters):
    with path.open("rb") as file:
        answer = httpx.post(
            f"{service}/api/v1/classify", params=parameters, files={"file": (path.name, file)}, timeout=60
        )
    return answer.json()


def picture_file(name, data, kind="image/png"):
    return {"name": name, "mimeType": kind, "buffer": data}


def as_files(entries):
    return [
        entry if isinstance(entry, dict) else picture_file(entry.name, entry.read_bytes(), "image/jpeg")
        for entry in entries
    ]
