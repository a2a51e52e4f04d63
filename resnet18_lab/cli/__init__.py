"""The command line: a thin wrapper on library calls; each command's work is imported when it is run."""

from resnet18_lab.cli.main import app, main

__all__ = ["app", "main"]
