"""The one tree of errors: each message says what was wrong, where, and what to do."""

import difflib
from collections.abc import Iterable


class LabError(Exception):
    """Root of every error this package raises on purpose.

    The command line prints the message as one line and exits 2.
    """


class CodedError(LabError):
    """An error with a stable ``code`` and the message in two languages, for those who answer programs and people."""

    def __init__(self, code: str, message: str, message_zh: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.message_zh = message_zh

    def __reduce__(self) -> tuple[type["CodedError"], tuple[str, str, str]]:
        """What pickle needs to rebuild the error in another process."""
        return type(self), (self.code, self.message, self.message_zh)


class ImageError(CodedError):
    """A picture that cannot be taken."""


class WeightsError(LabError):
    """A weights file that is damaged, foreign, or not what its name says."""


class WeightsNotFoundError(WeightsError):
    """No weights of that name in any of the places searched; the message lists them."""


class FetchError(LabError):
    """A download that failed; the message names file, URL, place and the variable to set."""


class ArtifactError(LabError):
    """An artifact that is missing, stale or damaged; the message names the command that rebuilds it."""


class EngineError(LabError):
    """An engine that is unknown or not installed; the message lists the available ones or the missing packages."""


class BuildError(LabError):
    """A conversion that failed or whose result does not agree with the eager model."""


class ParameterError(LabError):
    """A setting outside its allowed values; the message names the nearest valid one."""


class ServeError(LabError):
    """A service that cannot start: the address is taken, or its workers die."""


class ReportError(LabError):
    """A report that could not be made."""


def unknown_name(what: str, name: str, names: Iterable[str]) -> str:
    """The message for a name that does not exist: it suggests the nearest name and lists all of them."""
    choices = list(names)
    near = difflib.get_close_matches(name, choices, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    return f"There is no {what} {name!r}.{hint} There are: {', '.join(choices)}."
