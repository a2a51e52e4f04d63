"""What a user does on the page, for the tests of the page."""

import mimetypes
import time
from pathlib import Path

import httpx
import pytest

from support.project import samples_dir

expect = pytest.importorskip("playwright.sync_api", reason="needs the test extra: playwright").expect

COFFEE = samples_dir() / "coffee.jpg"
CAT = samples_dir() / "cat.jpg"
WAIT_SECONDS = 20


def as_buffer(file):
    if isinstance(file, dict):
        return file
    kind = mimetypes.guess_type(file)[0] or "application/octet-stream"
    return {"name": Path(file).name, "mimeType": kind, "buffer": Path(file).read_bytes()}


def choose(page, *files):
    mixed = any(isinstance(file, dict) for file in files)  # the driver takes paths or contents, not both
    page.set_input_files("#file", [as_buffer(file) if mixed else file for file in files])


def drop(page, *paths, items=()):
    """A real drag of files, or of what another page gave, through the debugging protocol."""
    box = page.locator("#stage").bounding_box()
    at = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
    data = {"items": list(items), "files": [str(path) for path in paths], "dragOperationsMask": 1}
    protocol = page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver"):
        protocol.send("Input.dispatchDragEvent", {"type": kind, **at, "data": data})
    expect(page.locator(".landing")).to_be_visible()
    protocol.send("Input.dispatchDragEvent", {"type": "drop", **at, "data": data})
    expect(page.locator(".landing")).to_be_hidden()


def recognise(page, *files):
    choose(page, *files)
    page.click("#recognise")
    expect(page.locator("#progress-text")).to_have_text(f"{len(files)}/{len(files)}")


def reload(page):
    """Load the page anew, until it is shown: what is hidden yet has no text."""
    page.reload()
    page.wait_for_selector("html[data-ready]")


def wait_until_true(page, expression):
    """Polls from here: within the page its policy forbids the driver to evaluate text."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not page.evaluate(expression):
        assert time.monotonic() < deadline, f"it did not become true: {expression}"
        page.wait_for_timeout(50)


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
