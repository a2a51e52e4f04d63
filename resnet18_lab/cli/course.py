"""``resnet18-lab course``."""

from pathlib import Path
from typing import Annotated

import typer

from resnet18_lab.cli.console import note

EXAMPLES = (
    "Examples:  resnet18-lab course my-course && jupyter lab my-course/notebooks  ·  "
    "resnet18-lab course my-course  (once more: brings it up to date, and leaves what was edited)"
)


def course(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Your folder; made if it is not there.")],
) -> None:
    """Make a copy of the lessons of your own: notebooks without outputs, what they point to, and the photographs.

    Run again after an update of the project it brings the copy up to date. A notebook that you edited is never
    overwritten; which ones were left is said. Running a notebook is no edit.
    """
    from resnet18_lab.course.own_copy import copy_course

    copied = copy_course(folder)
    for what, names in (("new", copied.new), ("brought up to date", copied.updated)):
        if names:
            note(f"{what}: {', '.join(names)}")
    if copied.left:
        note(
            f"left as they are, since they were edited or are not from here: {', '.join(copied.left)}; "
            "to have one anew, rename yours and run this again"
        )
    if not copied.new and not copied.updated:
        note("nothing was to be brought up to date")
    typer.echo(folder / "notebooks")


COMMANDS = {"course": (course, EXAMPLES)}
