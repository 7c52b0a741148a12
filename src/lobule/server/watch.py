"""What an operator sees: numbers for Prometheus, a line of JSON a request; never an image, a name or an address."""

from __future__ import annotations

import json
import logging
import sys
import traceback
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["LOGGER", "JsonLines", "Watch", "log_to_stderr"]

LOGGER: Final = logging.getLogger("lobule.server")
_TELLING_OF_DATA: Final = ("python_multipart", "py.warnings", "PIL")
"""Loggers of libraries that may quote what a client sent: what they would say, the answer says."""

_SECONDS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)


class JsonLines(logging.Formatter):
    """One JSON object a line; of an exception only its type and where it was raised, as its text may hold data."""

    def format(self, record: logging.LogRecord) -> str:
        """Return a record as a line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage() if record.name.startswith("lobule.") else _first_line(record),
            **getattr(record, "told", {}),
        }
        if record.exc_info and record.exc_info[0] is not None:
            frames = traceback.extract_tb(record.exc_info[2])[-6:]
            line["error"] = record.exc_info[0].__name__
            line["where"] = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in frames]
        return json.dumps(line, ensure_ascii=True)


def log_to_stderr() -> None:
    """Send what the service, its HTTP server and asyncio log to stderr, as lines of JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    for name, level in ((LOGGER.name, logging.INFO), ("uvicorn", logging.WARNING), ("asyncio", logging.WARNING)):
        logger = logging.getLogger(name)
        logger.handlers[:] = [handler]
        logger.setLevel(level)
        logger.propagate = False
    for name in _TELLING_OF_DATA:
        logging.getLogger(name).handlers[:] = [logging.NullHandler()]
        logging.getLogger(name).propagate = False
    logging.captureWarnings(True)


class Watch:
    """Numbers of one service.

    Args:
        model_id: of its model.
        waiting: tells how many jobs wait.
    """

    def __init__(self, model_id: str, waiting: Callable[[], int]) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_State(model_id, waiting))
        labels = ("route", "method", "status")
        self._requests = Counter("lobule_requests", "Requests answered.", labels, registry=self._registry)
        self._seconds = Histogram(
            "lobule_request_seconds", "From the head to the end.", ("route",), buckets=_SECONDS, registry=self._registry
        )
        self._images = Counter("lobule_images", "Images by verdict.", ("outcome",), registry=self._registry)
        self._bytes = Counter("lobule_received_bytes", "Bytes of bodies received.", registry=self._registry)
        self.open_requests = Gauge("lobule_open_requests", "Requests at work.", registry=self._registry)

    def request(self, told: Mapping[str, Any]) -> None:
        """Count and log a request that has ended."""
        self._requests.labels(told["route"], told["method"], str(told["status"])).inc()
        self._seconds.labels(told["route"]).observe(told["seconds"])
        self._bytes.inc(told["bytes_in"])
        LOGGER.info("request", extra={"told": dict(told)})

    def images(self, outcomes: Iterable[str]) -> None:
        """Count images by verdict or code of error."""
        for outcome in outcomes:
            self._images.labels(outcome).inc()

    def exposition(self) -> bytes:
        """Return everything in the text format of Prometheus."""
        return generate_latest(self._registry)


class _State(Collector):
    """What is read off at the moment of asking."""

    def __init__(self, model_id: str, waiting: Callable[[], int]) -> None:
        self._model_id, self._waiting = model_id, waiting

    def collect(self) -> Iterable[GaugeMetricFamily]:
        yield GaugeMetricFamily("lobule_waiting_images", "Images that wait.", value=self._waiting())
        model = GaugeMetricFamily("lobule_model_info", "The model that answers.", labels=["model_id"])
        model.add_metric([self._model_id], 1)
        yield model


def _first_line(record: logging.LogRecord) -> str:
    """Return the event of a library: its own fixed text, without the values that would be put into it."""
    return str(record.msg).partition("\n")[0][:200]
