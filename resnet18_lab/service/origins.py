"""Who may ask: pages of other sites may not use a service on this machine, under no name it is reached by.

A browser sends a form to any address without asking, and answers of other sites are hidden from scripts, but their
time is not: so what comes from another site's page is refused before it costs anything. A name that points to this
machine (DNS rebinding) would make such a page one of the service's own: so the name is checked, too.
"""

from collections.abc import Mapping
from urllib.parse import urlsplit

from resnet18_lab.service.refusals import ServiceError, service_error
from resnet18_lab.service.settings import LOOPBACK, Settings

_HARMLESS = ("GET", "HEAD", "OPTIONS")


def refusal_of(method: str, headers: Mapping[bytes, bytes], settings: Settings) -> ServiceError | None:
    """Why a request is refused for where it comes from, or for the name it asks; None for most."""
    host = headers.get(b"host", b"").decode("latin-1")
    if host and not _is_known(_name_of(host), settings):
        return service_error("unknown_host", host=host[:100])
    if method in _HARMLESS or "*" in settings.cors_origins:
        return None
    origin = headers.get(b"origin", b"").decode("latin-1")
    if origin in settings.cors_origins:
        return None
    is_foreign = bool(origin) and urlsplit(origin).netloc.lower() != host.lower()
    if is_foreign or headers.get(b"sec-fetch-site") == b"cross-site":
        return service_error("cross_site", origin=origin[:100] or "another site")
    return None


def _is_known(name: str, settings: Settings) -> bool:
    if settings.allowed_hosts:
        return name in settings.allowed_hosts or (settings.is_local and name in LOOPBACK)
    return not settings.is_local or name in LOOPBACK


def _name_of(host: str) -> str:
    """The host without its port, in lower case; of an IPv6 address without the brackets."""
    host = host.lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].rstrip(".")
