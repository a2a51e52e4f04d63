"""Who may use the service: those who send one of the keys of a file, as ``Authorization: Bearer KEY``."""

import hashlib
import hmac
import re
from pathlib import Path

from resnet18_lab.base.errors import ParameterError
from resnet18_lab.service.refusals import ServiceError, service_error

_SHORTEST = 16
"""Characters of a key; fewer can be guessed."""
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # RFC 6750, 2.1
_MOST_BYTES = 1_000_000
_FREE = re.compile(r"/|/(docs|openapi\.json|healthz|readyz|v2/health/(live|ready))|/(static|docs|samples)/.*")
"""What everybody may see: the page without its answers, its files and sample pictures, and whether it is well."""


def is_free(path: str) -> bool:
    """True for what everybody may see without a key."""
    return _FREE.fullmatch(path) is not None


class Keys:
    """The keys of a file; without a file everybody may ask.

    Of each key its SHA-256 is kept, and a key that comes is compared with all of them in constant time.
    """

    def __init__(self, path: str | None) -> None:
        self._digests = [_digest(key) for key in _read(Path(path))] if path is not None else None

    def refusal_of(self, method: str, path: str, authorization: str) -> ServiceError | None:
        """None for a request that may be made, else why not."""
        if self._digests is None or method == "OPTIONS" or is_free(path):
            return None
        scheme, _, key = authorization.strip().partition(" ")
        if not authorization:
            return service_error("no_key")
        if scheme.lower() != "bearer":
            return service_error("no_bearer")
        asked = _digest(key.strip())
        is_known = False
        for known in self._digests:
            is_known |= hmac.compare_digest(asked, known)
        return None if is_known else service_error("wrong_key")


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


def _read(path: Path) -> list[str]:
    """The keys of the file; empty lines and those that begin with # are left out. ParameterError for a wrong file."""
    try:
        with path.open(encoding="utf-8") as file:
            lines = [line.strip() for line in file.read(_MOST_BYTES).splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise ParameterError(
            f"The keys in {path} cannot be read ({reason}); give a text file, a key a line."
        ) from error
    keys = [line for line in lines if line and not line.startswith("#")]
    for number, line in enumerate(lines, start=1):
        if line in keys and (len(line) < _SHORTEST or not _TOKEN.fullmatch(line)):
            raise ParameterError(
                f"Line {number} of {path} is no key: it takes {_SHORTEST} or more letters, digits and -._~+/ "
                "(such as `openssl rand -hex 24` writes)."
            )
    if not keys:
        raise ParameterError(f"There is no key in {path}; write one a line, such as `openssl rand -hex 24` makes.")
    return keys
