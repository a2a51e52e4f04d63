"""The command ``resnet18-lab``: its parts put together, and every error turned into one line."""

import errno
import os
import sys
from typing import Annotated

import click
import typer

from resnet18_lab import __version__
from resnet18_lab.cli import artifacts, pictures, reports, weights
from resnet18_lab.cli.console import complain
from resnet18_lab.errors import LabError

USAGE_ERROR = 2
INTERRUPTED = 130  # 128 + SIGINT, as shells report it
BROKEN_PIPE = 141  # 128 + SIGPIPE

app = typer.Typer(
    name="resnet18-lab",
    help="Understand, run, convert, shrink and time torchvision's ResNet-18 on a CPU, offline.",
    epilog="Examples:  resnet18-lab weights fetch  ·  resnet18-lab build  ·  resnet18-lab classify cat.jpg  ·  "
    "resnet18-lab report",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"resnet18-lab {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and leave.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    pass


app.command(name="classify", epilog=pictures.EXAMPLES)(pictures.classify)
app.command(name="build", epilog=artifacts.EXAMPLES)(artifacts.build)
app.command(name="report", epilog=reports.EXAMPLES)(reports.report)
app.add_typer(weights.app, name="weights")


def main() -> int:
    """Exit status: 0 all well, 1 some inputs failed, 2 an error of use or place, 130 after Ctrl-C."""
    try:
        status = app(standalone_mode=False)
        sys.stdout.flush()
    except typer.Exit as done:
        return done.exit_code
    except (KeyboardInterrupt, click.Abort):
        complain("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the exit's flush complains again
        return BROKEN_PIPE
    except (click.ClickException, LabError, OSError) as error:
        complain(_one_line(error))
        return USAGE_ERROR
    if status == INTERRUPTED:  # Typer turns Ctrl-C into this status
        complain("interrupted")
    return status if isinstance(status, int) else 0


def _one_line(error: click.ClickException | LabError | OSError) -> str:
    if isinstance(error, click.ClickException):
        command = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "resnet18-lab"
        return f"{error.format_message()} See `{command} --help`."
    if isinstance(error, LabError):
        return str(error)
    return _system_error(error)


def _system_error(error: OSError) -> str:
    place = f" ({error.filename})" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"no space left on the disk{place}; free some and run the same command again"
    return f"{error.strerror or error}{place}"
