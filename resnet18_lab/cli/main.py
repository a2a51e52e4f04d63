"""The command ``resnet18-lab``: its parts put together, and every error turned into one line."""

import errno
import io
import os
import sys
from importlib import import_module
from typing import Annotated

import typer

from resnet18_lab import __version__
from resnet18_lab.base.children import leave_out_working_directory
from resnet18_lab.base.errors import LabError
from resnet18_lab.base.interrupts import held_back_while_importing
from resnet18_lab.base.streams import fill_closed
from resnet18_lab.cli.console import complain

_USAGE_ERROR = 2
INTERRUPTED = 130  # 128 + SIGINT, as shells report it
_BROKEN_PIPE = 141  # 128 + SIGPIPE

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


COMMANDS = (
    "classify", "bulk", "build", "bench", "evaluate", "networks", "doctor", "inspect", "labels", "report", "course",
    "results",
    "serve", "finetune", "models", "distill", "weights",
)  # fmt: skip
"""Modules of this room with commands, in the order of the help: each has a table COMMANDS (function, examples, and
perhaps more arguments of Typer's), or a group of its own."""

for _module in COMMANDS:
    _held = import_module(f"resnet18_lab.cli.{_module}")
    for _name, _function in getattr(_held, "COMMANDS", {}).items():
        app.command(name=_name, epilog=_function[1], **dict(*_function[2:]))(_function[0])
    if hasattr(_held, "app"):
        app.add_typer(_held.app, name=_module)


def main() -> int:
    """Exit status: 0 all well, 1 some inputs failed, 2 an error of use or place, 130 after Ctrl-C."""
    fill_closed()
    if os.environ.get("COLUMNS") == "0":  # some terminals say so before they know their width
        del os.environ["COLUMNS"]
    leave_out_working_directory()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # odd file names, and terminals that know no Chinese
    try:
        with held_back_while_importing():
            status = app(standalone_mode=False)
        sys.stdout.flush()
    except typer.Exit as done:
        return done.exit_code
    except (KeyboardInterrupt, typer.Abort):
        complain("interrupted")
        return INTERRUPTED
    except RuntimeError as error:
        if not isinstance(error.__cause__, KeyboardInterrupt):  # Python makes one of an interrupt in a class's body
            raise  # where imports are not held back: on Windows, or when they take too long
        complain("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the exit's flush complains again
        return _BROKEN_PIPE
    except (typer.TyperException, LabError, OSError) as error:
        complain(_one_line(error))
        return _USAGE_ERROR
    if status == INTERRUPTED:  # Typer turns Ctrl-C into this status
        complain("interrupted")
    return status if isinstance(status, int) else 0


def _one_line(error: typer.TyperException | LabError | OSError) -> str:
    if isinstance(error, typer.TyperException):  # a wrong command, argument or option
        context = getattr(error, "ctx", None)
        command = context.command_path if context else "resnet18-lab"
        return f"{getattr(error, 'format_message', error.__str__)()} See `{command} --help`."
    if isinstance(error, LabError):
        return str(error)
    return _system_error(error)


def _system_error(error: OSError) -> str:
    place = f" ({error.filename})" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"no space left on the disk{place}; free some and try again"
    if isinstance(error, FileExistsError | NotADirectoryError):
        return f"a file is where a folder is meant{place}; remove it or choose another folder"
    if isinstance(error, IsADirectoryError):
        return f"a folder is where a file is meant{place}; give a file"
    return f"{error.strerror or error}{place}; mend that, or choose another place (--output, RESNET18_LAB_HOME)"
