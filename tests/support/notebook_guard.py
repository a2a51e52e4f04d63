"""What a notebook's stored form must keep to, read from its JSON.

nbval skips a cell without an execution count and ignores a misspelt tag, both without a word; so these
are looked for here.
"""

import json
import re
from pathlib import Path

MAX_BYTES = 330_000
KNOWN_TAGS = {"parameters", "nbval-check-output", "nbval-ignore-output", "nbval-skip", "raises-exception"}
LOCAL_PATH = re.compile(r"(?<![\w.:/])(/(home|root|Users|work|tmp|mnt|opt|var)/\w|[A-Z]:\\\\)|file://|site-packages")


def problems(path: Path) -> list[str]:
    """What is wrong with the notebook, one line each; empty when nothing is."""
    text = path.read_text(encoding="utf-8")
    notebook = json.loads(text)
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    found = []
    if path.stat().st_size > MAX_BYTES:
        found.append(f"{path.stat().st_size} bytes, more than {MAX_BYTES}")
    found += _parameter_problems(code)
    counts = [cell["execution_count"] for cell in code]
    if counts != list(range(1, len(code) + 1)):
        found.append(f"execution counts are {counts}, not 1..{len(code)}: run it from top to bottom, once")
    for number, cell in enumerate(notebook["cells"], start=1):
        found += [f"cell {number}: {problem}" for problem in _cell_problems(cell)]
    if notebook["cells"][0]["cell_type"] != "markdown" or not _source(notebook["cells"][0]).startswith("# "):
        found.append("does not begin with a heading")
    if not any(_source(cell).startswith("## Summary") for cell in notebook["cells"]):
        found.append("has no Summary")
    return found


def _source(cell: dict) -> str:
    return "".join(cell["source"])


def _parameter_problems(code: list[dict]) -> list[str]:
    tagged = [cell for cell in code if "parameters" in cell["metadata"].get("tags", [])]
    if len(tagged) != 1 or tagged[0] is not code[0]:
        return ["the first code cell, and it alone, must be tagged parameters"]
    lines = [line for line in _source(tagged[0]).splitlines() if line.strip()]
    return [
        f"parameter line without name: type = value  # help: {line}"
        for line in lines
        if not re.fullmatch(r"\w+: \w+ = .+  # .+", line)
    ]


def _cell_problems(cell: dict) -> list[str]:
    found = [f"unknown tag {tag!r}" for tag in cell["metadata"].get("tags", []) if tag not in KNOWN_TAGS]
    if cell["cell_type"] != "code":
        return found
    if re.search(r"^\s*(def|class) ", _source(cell), re.MULTILINE):
        found.append("defines something: logic belongs in the package")
    for output in cell["outputs"]:
        if output["output_type"] == "error":
            found.append(f"stored error {output['ename']}")
        if output.get("name") == "stderr":
            found.append("stored stderr output")
        if LOCAL_PATH.search(_text_of(output)):
            found.append("stored output holds a local path")
    if LOCAL_PATH.search(_source(cell)):
        found.append("source holds a local path")
    return found


def _text_of(output: dict) -> str:
    data = output.get("data", {})
    pieces = [output.get("text", ""), *(data[kind] for kind in data if not kind.startswith("image/"))]
    return "".join("".join(piece) if isinstance(piece, list) else str(piece) for piece in pieces)
