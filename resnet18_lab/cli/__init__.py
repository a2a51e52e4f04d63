"""The command line: a module a command, each a thin wrapper on library calls, imported when it is run."""
