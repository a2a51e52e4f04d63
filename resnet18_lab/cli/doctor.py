"""``resnet18-lab doctor``."""

import json
from typing import Annotated

import typer

EXAMPLES = "Examples:  resnet18-lab doctor  ·  resnet18-lab doctor --json"
_SIGNS = {"ok": ("ok", "green"), "warning": ("warning", "yellow"), "problem": ("PROBLEM", "bold red")}


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Write the findings to stdout as a JSON array.")] = False,
) -> int:
    """Check the environment: Python, packages, CPU, disk, weights, artifacts, kernel, compiler, browser.

    Exit status 1 when something is a problem.
    """
    from resnet18_lab.cli.checkup import PROBLEM, examine

    findings = examine()
    if as_json:
        typer.echo(json.dumps([finding.as_json() for finding in findings], indent=1))
    else:
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False, header_style="bold")
        for heading in ("", "what", "found"):
            table.add_column(heading, overflow="fold")
        for finding in findings:
            sign, style = _SIGNS[finding.state]
            remedy = f"\n-> {finding.remedy}" if finding.remedy else ""
            table.add_row(Text(sign, style=style), Text(finding.name), Text(finding.detail + remedy))
        Console().print(table)
    return 1 if any(finding.state == PROBLEM for finding in findings) else 0


COMMANDS = {"doctor": (doctor, EXAMPLES)}
