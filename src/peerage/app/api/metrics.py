"""The node's counters and gauges as Prometheus reads them.

Invariant: names and reasons come from the code, never from peers, so their number is bounded; nothing here tells who
this node talks to or what is shared.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from peerage.app.api.models import Status
from peerage.peer.metrics import Metrics

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


def prometheus_text(status: Status, metrics: Metrics) -> bytes:
    """Return the text that a scraper gets."""
    registry = CollectorRegistry()
    registry.register(_NodeCollector(status, metrics))
    return generate_latest(registry)


class _NodeCollector(Collector):
    """One look at the node."""

    def __init__(self, status: Status, metrics: Metrics) -> None:
        self._status = status
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        """Give the gauges, then the counters."""
        yield from self._gauges()
        yield from self._counters()

    def _gauges(self) -> Iterator[Metric]:
        status = self._status
        info = GaugeMetricFamily("peerage_info", "Which version runs; always 1", labels=["version"])
        info.add_metric([status.version], 1)
        yield info
        yield GaugeMetricFamily("peerage_peers", "Neighbours connected now", status.peers)
        yield GaugeMetricFamily("peerage_known_peers", "Peers in the table", status.known_peers)
        yield GaugeMetricFamily("peerage_shares", "Shared paths", status.shares)
        yield GaugeMetricFamily("peerage_transfers", "Downloads that have not ended", status.transfers)
        yield GaugeMetricFamily("peerage_down_bytes_per_second", "Content coming in", status.rate_down)
        yield GaugeMetricFamily("peerage_up_bytes_per_second", "Content going out", status.rate_up)
        yield GaugeMetricFamily("peerage_started_seconds", "When the node was started", status.started)

    def _counters(self) -> Iterator[Metric]:
        by_name: dict[str, list[tuple[str, int]]] = defaultdict(list)
        for name, reason, count in self._metrics:
            by_name[name].append((reason, count))
        for name, counts in by_name.items():
            family = CounterMetricFamily(f"peerage_{name}", name.replace("_", " ").capitalize(), labels=["reason"])
            for reason, count in counts:
                family.add_metric([reason], count)
            yield family
