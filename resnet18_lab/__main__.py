"""``python -m resnet18_lab``: the command line; on a fresh machine it makes its environment first."""

import sys
from importlib.util import find_spec

from resnet18_lab.base.children import leave_out_working_directory

TASKS = ("setup", "setup-tests", "test", "test-fast", "lab")
"""What ``_bootstrap`` does; imported for these alone, because the other commands must start quickly."""


def main() -> int:
    """Exit status of the task or command named on the command line."""
    arguments = sys.argv[1:]
    if arguments and arguments[0] in TASKS:
        from resnet18_lab import _bootstrap

        return _bootstrap.run(arguments[0], arguments[1:])
    leave_out_working_directory()
    if find_spec("typer") is None:  # the interpreter of the system: hand over to the project's own
        from resnet18_lab import _bootstrap

        return _bootstrap.run_in_environment(arguments)
    from resnet18_lab.cli.main import main as command_line

    return command_line()


if __name__ == "__main__":
    sys.exit(main())
