"""Counters that Prometheus reads, of one process or of several workers together."""

import os
from typing import Any

from robustae.utils.checks import need

__all__ = ["FOLDER", "Metrics"]

FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # where workers leave their counts, as prometheus-client has it
BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """What is counted."""

    def __init__(self) -> None:
        client = need("serve", "prometheus_client", "counting requests")
        self._client, self._registry = client, client.CollectorRegistry()
        made = {"registry": self._registry}
        self.requests = client.Counter("robustae_requests", "Requests answered.", ["route", "status"], **made)
        self.seconds = client.Histogram(
            "robustae_request_seconds", "From a request to its answer.", ["route"], buckets=BOUNDS, **made
        )
        self.rows = client.Counter("robustae_rows", "Rows scored.", **made)
        self.anomalies = client.Counter("robustae_anomalies", "Rows flagged.", **made)
        self.in_hand = client.Gauge(
            "robustae_requests_in_hand", "Requests not yet answered.", multiprocess_mode="livesum", **made
        )

    def exposition(self) -> tuple[bytes, str]:
        """Return the text and its content type."""
        return self._client.generate_latest(self._whole()), self._client.CONTENT_TYPE_LATEST

    def _whole(self) -> Any:
        """The registry of all workers, where there are several."""
        if not os.environ.get(FOLDER):
            return self._registry
        registry = self._client.CollectorRegistry()
        need("serve", "prometheus_client.multiprocess", "counting requests").MultiProcessCollector(registry)
        return registry
