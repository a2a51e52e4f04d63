"""The report as JUnit XML, which CI servers read: a test case a run."""

import re
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree as Xml

from resnet18_lab.base.errors import ParameterError
from resnet18_lab.base.files import replacing, written_file
from resnet18_lab.course.report.execution import Run

_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_NOT_OF_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SUITE = "resnet18-lab report"


def check_target(path: Path) -> None:
    """Raise, before anything runs, for a place where no such file can be written."""
    if path.is_dir():
        raise ParameterError(f"--junit {path} is a folder; give the name of a file, such as report.xml.")
    written_file(path).parent.mkdir(parents=True, exist_ok=True)


def write_junit(target: Path, runs: Sequence[Run], not_run: Sequence[str], started: str) -> None:
    """Replace the file as a whole. ``not_run`` are the names of runs that were left out, which count as skipped."""
    counts = {
        "tests": len(runs) + len(not_run),
        "failures": sum(run.failure is not None for run in runs),
        "errors": 0,
        "skipped": len(not_run),
        "time": _seconds(sum(run.seconds for run in runs)),
    }
    numbers = {name: str(count) for name, count in counts.items()}
    root = Xml.Element("testsuites", {"name": _SUITE, **numbers})
    suite = Xml.SubElement(root, "testsuite", {"name": _SUITE, "timestamp": started, **numbers})
    for run in runs:
        _add(suite, run)
    for name in not_run:
        case = Xml.SubElement(suite, "testcase", classname="notebooks", name=name, time="0")
        Xml.SubElement(case, "skipped", message="not run: the report ended before it")
    Xml.indent(root)
    with replacing(target) as temporary:
        Xml.ElementTree(root).write(temporary, encoding="utf-8", xml_declaration=True)


def _add(suite: Xml.Element, run: Run) -> None:
    case = Xml.SubElement(suite, "testcase", classname="notebooks", name=run.name, time=_seconds(run.seconds))
    properties = Xml.SubElement(case, "properties")
    facts = [*run.parameters.items(), *(("withheld", text) for text in run.noisy)]
    for name, value in facts:
        Xml.SubElement(properties, "property", name=_text(name), value=_text(str(value)))
    if run.failure:
        message = _text(f"cell {run.failure.cell or '?'}: {run.failure.message}")
        failure = Xml.SubElement(case, "failure", type=run.failure.kind, message=message)
        failure.text = f"{message}\n\n{_text(run.failure.source)}"


def _seconds(seconds: float) -> str:
    return f"{seconds:.3f}"


def _text(text: str) -> str:
    """The text without the colours of a traceback, and with a sign for each character that XML does not have."""
    return _NOT_OF_XML.sub("\ufffd", _COLOURS.sub("", text))
