"""The metrics of /metrics; with PROMETHEUS_MULTIPROC_DIR set those of all workers are summed."""

import os

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, multiprocess
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from resnet18_lab.service import metrics_files
from resnet18_lab.service.settings import METRICS_DIRECTORY

CONTENT_TYPE = CONTENT_TYPE_LATEST

_REGISTRY = CollectorRegistry()
_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)

REQUESTS = Counter(
    "resnet18_http_requests", "Requests answered.", ["route", "method", "status"], registry=_REGISTRY
)  # fmt: skip
REQUEST_SECONDS = Histogram(
    "resnet18_http_request_seconds", "From a request's head to its whole answer.", ["route"],
    buckets=_SECONDS, registry=_REGISTRY,
)  # fmt: skip
PICTURES = Counter(
    "resnet18_pictures", "Pictures by outcome: ok, or the error's code.", ["outcome"], registry=_REGISTRY
)
CACHE = Counter("resnet18_cache", "Pictures looked up in the cache.", ["result"], registry=_REGISTRY)
MODEL_SECONDS = Histogram(
    "resnet18_model_seconds", "One run of the engine.", buckets=_SECONDS, registry=_REGISTRY
)  # fmt: skip
QUEUE_SECONDS = Counter("resnet18_queue_seconds", "Waiting of requests for the engine, summed.", registry=_REGISTRY)
BATCH_ROWS = Histogram("resnet18_batch_rows", "Pictures in one run.", buckets=(1, 2, 4, 8), registry=_REGISTRY)
PENDING = Gauge(
    "resnet18_pending_pictures", "Taken and not answered.", registry=_REGISTRY, multiprocess_mode="livesum"
)  # fmt: skip
WORKERS = Gauge("resnet18_workers", "Workers that are ready.", registry=_REGISTRY, multiprocess_mode="livesum")
RESTARTS = Counter("resnet18_worker_restarts", "Workers that died and were replaced.", registry=_REGISTRY)
DROPPED = Counter("resnet18_dropped_requests", "Requests whose client had gone.", registry=_REGISTRY)

LOST_LINES = Counter("resnet18_lost_log_lines", "Lines of the log that could not be written.", registry=_REGISTRY)


def exposition() -> bytes:
    """The numbers in Prometheus's text format."""
    return generate_latest(_of_all_workers())


def engine_numbers() -> dict[str, float]:
    """Of the engines of all workers: ``runs``, ``rows`` in them, ``model_seconds`` and ``queue_seconds``."""
    samples = {one.name: one.value for metric in _of_all_workers().collect() for one in metric.samples}
    names = {
        "runs": "resnet18_model_seconds_count",
        "rows": "resnet18_batch_rows_sum",
        "model_seconds": "resnet18_model_seconds_sum",
        "queue_seconds": "resnet18_queue_seconds_total",
    }
    return {word: samples.get(name, 0.0) for word, name in names.items()}


def _of_all_workers() -> CollectorRegistry:
    if not os.environ.get(METRICS_DIRECTORY):
        return _REGISTRY
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry


def forget_process(pid: int) -> None:
    """Remove a dead worker from the gauges; its counters are kept."""
    if os.environ.get(METRICS_DIRECTORY):
        multiprocess.mark_process_dead(pid)  # type: ignore[no-untyped-call]
        metrics_files.shrink(pid)
