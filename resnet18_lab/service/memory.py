"""The most memory that the service takes, from its settings."""

from resnet18_lab.preprocessing.decoders import most_memory_of
from resnet18_lab.service.settings import MEGABYTE, Settings

WORKER_MB = 150
"""A worker with its engine, idle or computing."""
SUPERVISOR_MB = 60


def worker_mb(settings: Settings) -> int:
    """Megabytes of one worker and its decoding processes: itself, all uploads, one being copied, all decoding."""
    return WORKER_MB + settings.upload_bytes // MEGABYTE + settings.max_mb + decoding_mb(settings)


def decoding_mb(settings: Settings) -> int:
    """Megabytes of a worker's decoding processes; docs/decoding.md has the costs behind it."""
    return most_memory_of(settings.decoders, settings.limits) // MEGABYTE


def service_mb(settings: Settings) -> int:
    """Megabytes of the whole service."""
    return SUPERVISOR_MB + settings.workers * worker_mb(settings)
