"""The programs that the page offers: taken from it, and run in a shell, in Python and in the browser."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from support.page_actions import expect


def program(page, kind):
    """The text that the copy button of this kind gives."""
    page.get_by_role("tab", name=kind, exact=True).click()
    page.click("#copy")
    expect(page.locator("#copy")).to_have_text("Copied")
    return page.evaluate("navigator.clipboard.readText()")


def in_shell(text, folder, **environment):
    if shutil.which("curl") is None:
        pytest.skip("needs curl: apt-get install curl")
    done = subprocess.run(
        ["sh", "-c", text], cwd=folder, env={**os.environ, **environment}, capture_output=True, check=True, timeout=60
    )
    return [best["en"] for best in json.loads(done.stdout)["predictions"]]


def in_python(text, folder, **environment):
    done = subprocess.run(
        [sys.executable, "-c", text],
        cwd=folder, env={**os.environ, "PYTHONUTF8": "1", **environment},
        capture_output=True, check=True, timeout=60, text=True, encoding="utf-8",
    )  # fmt: skip
    return [line.split("  ", 1)[1] for line in done.stdout.splitlines()]


def in_browser(page, text, path):
    """Names that the program writes, with the file in the page's first file field."""
    page.evaluate(
        """() => document.body.prepend(Object.assign(document.createElement("input"), {type: "file", id: "theirs"}))"""
    )
    page.set_input_files("#theirs", str(path))
    return page.evaluate(
        """async (program) => {
            const tables = [];
            console.table = (rows) => tables.push(rows);
            await new (async () => {}).constructor(program)();
            return tables[0].map((best) => best.en);
        }""",
        text,
    )
