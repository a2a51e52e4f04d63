"""The one tree of errors: each message says what was wrong, where, and what to do."""

import difflib
from collections.abc import Iterable


class LabError(Exception):
    """Root of every error this package raises on purpose.

    The command line prints the message as one line and exits 2.
    """


class ImageError(LabError):
    """A picture that cannot be taken, with a stable ``code`` and the message in two languages."""

    def __init__(self, code: str, message: str, message_zh: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.message_zh = message_zh

    def __reduce__(self) -> tuple[type["ImageError"], tuple[str, str, str]]:
        """Everything needed to rebuild the error in another process."""
        return type(self), (self.code, self.message, self.message_zh)


class WeightsError(LabError):
    """A weights file that is damaged, foreign, or not what its name says."""


class WeightsNotFoundError(WeightsError):
    """No weights of that name in any of the places searched; the message lists them."""


class FetchError(LabError):
    """A download that failed; the message names file, URL, place and the variable to set."""


class ArtifactError(LabError):
    """An artifact that is missing, stale or damaged; the message names the command that makes it."""


class EngineError(LabError):
    """An engine that is unknown or not installed; the message lists what there is."""


class BuildError(LabError):
    """A conversion that failed or whose result does not agree with the eager model."""


class ParameterError(LabError):
    """A setting outside its allowed values; the message names the nearest valid one."""


class ServeError(LabError):
    """A service that cannot start: the address is taken, or its workers die."""


class ReportError(LabError):
    """A report that could not be made."""


def unknown_name(what: str, name: str, known: Iterable[str]) -> str:
    """The message for a name that does not exist: the nearest one, and all there are."""
    choices = list(known)
    near = difflib.get_close_matches(name, choices, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    return f"There is no {what} {name!r}.{hint} There are: {', '.join(choices)}."
