"""``resnet18-lab labels``."""

import json
from typing import Annotated

import typer

from resnet18_lab.cli.console import note

EXAMPLES = "Examples:  resnet18-lab labels cat  ·  resnet18-lab labels 猫  ·  resnet18-lab labels n02123045 --json"


def labels(
    search: Annotated[str, typer.Argument(help="Part of a name in English or Chinese, an index, or a wnid.")],
    as_json: Annotated[bool, typer.Option("--json", help="Write the labels to stdout as a JSON array.")] = False,
) -> int:
    """Find classes by name in either language, by index, or by wnid.

    Exit status 1 when nothing is found.
    """
    from resnet18_lab.inference import labels as table_of_labels

    found = table_of_labels.search(search)
    if as_json:
        typer.echo(json.dumps([vars(label) for label in found], ensure_ascii=False, indent=1))
    else:
        for label in found:
            typer.echo(f"{label.index:>3}  {label.wnid}  {label.en}  {label.zh}".rstrip())
    if not found:
        near = table_of_labels.nearest(search)
        note(f"no class matches {search!r}" + (f"; near to it: {', '.join(near)}" if near else ""))
    return 0 if found else 1


COMMANDS = {"labels": (labels, EXAMPLES)}
