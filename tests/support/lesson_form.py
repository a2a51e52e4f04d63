"""What each lesson consists of, read from its stored form: goals, questions and their answers, sources, times."""

import json
import re
from pathlib import Path

LONG = 5
"""Seconds from which a cell must show how far it has come."""
_GOAL = re.compile(r"^- .+", re.MULTILINE)
_QUESTION = re.compile(r"^\d\. .+", re.MULTILINE)
_TIME = re.compile(
    r"\*\*Time:\*\* ([1-9]\d*) minutes to read, ([1-9]\d*) s to run on \d+ cores of .+ \(\d{4}-\d\d-\d\d\)\."
)
_REFERENCE = re.compile(
    r"^- (?P<authors>[^*]+), \*(?P<title>[^*]+)\*, (?P<year>\d{4}), \[(?:arXiv|doi):(?P<id>[^\]]+)\]\((?P<url>\S+)\)$"
)
_ENTRY = re.compile(r"@misc\{\w+,\n(.*?)\n\}", re.DOTALL)


def sources(bibliography: str) -> dict[str, dict[str, str]]:
    """The fields of each entry, by its DOI or arXiv id."""
    entries = [dict(re.findall(r"(\w+) = \{(.*)\}", entry)) for entry in _ENTRY.findall(bibliography)]
    return {entry.get("doi") or entry["eprint"]: entry for entry in entries}


def problems(path: Path) -> list[str]:
    """Where the lesson leaves the form, one line each; empty when nowhere."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    texts = ["".join(cell["source"]) for cell in cells]
    known = sources((path.parent / "references.bib").read_text(encoding="utf-8"))
    found = _beginning(texts[0]) + _questions(texts[1]) + _answers(cells, texts) + _sources(texts, known)
    if not any("show_source(" in text for text in texts):
        found.append("shows no source of the package")
    if not any("$$" in text for text in texts):
        found.append("has no formula")
    for number, (cell, text) in enumerate(zip(cells, texts, strict=True), start=1):
        imports = "lesson = Lesson(" in text  # which show nothing before they are done
        if cell["metadata"].get("seconds", 0) >= LONG and "progress(" not in text and not imports:
            found.append(f"cell {number} takes {cell['metadata']['seconds']} s and shows no progress")
    return found


def _beginning(text: str) -> list[str]:
    found = []
    goals = text.partition("**Goals.**")[2].partition("**Before you start:**")[0]
    if not 3 <= len(_GOAL.findall(goals)) <= 5:
        found.append("names no three to five goals")
    if not re.search(r"\*\*Before you start:\*\* \S", text):
        found.append("does not say what must be known before")
    if not _TIME.search(text):
        found.append("does not say how long it takes: run tools/run_notebooks.py")
    if "../docs/vocabulary.md" not in text:
        found.append("does not lead to the vocabulary")
    return found


def _questions(text: str) -> list[str]:
    if text.startswith("## Predict before you run\n") and len(_QUESTION.findall(text)) == 3:
        return []
    return ["its second cell asks no three questions to predict"]


def _answers(cells: list[dict], texts: list[str]) -> list[str]:
    answers = [position for position, text in enumerate(texts) if "lesson.answers(" in text]
    if len(answers) != 1 or not texts[answers[0] - 1].startswith("## Were you right?"):
        return ["does not answer its questions, once, under 'Were you right?'"]
    said = "".join("".join(output.get("text", "")) for output in cells[answers[0]]["outputs"])
    return [] if len(_QUESTION.findall(said)) == 3 else ["its answers are not three"]


def _sources(texts: list[str], known: dict[str, dict[str, str]]) -> list[str]:
    summary, _, listed = texts[-1].partition("\n## References\n")
    if not summary.startswith("## Summary\n"):
        return ["does not end with its summary"]
    lines, found, body = [line for line in listed.splitlines() if line], [], "\n".join(texts[1:-1]) + texts[0] + summary
    for line in lines:
        read = _REFERENCE.match(line)
        entry = known.get(read["id"]) if read else None
        if read is None or entry is None:
            found.append(f"no reference as references.bib has it: {line}")
            continue
        if (entry["title"], entry["year"]) != (read["title"], read["year"]) or not read["url"].endswith(read["id"]):
            found.append(f"references.bib has other words: {line}")
        if (surname := read["authors"].split(",")[0].split()[-1]) not in body:
            found.append(f"{surname} is listed, and the text does not say what for")
    return found if lines else ["names no source"]
