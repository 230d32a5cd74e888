"""Command `hallmark metrics`."""

import sys

from infra.cli import shared
from infra.metrics.exposition import MetricsPage


def metrics() -> None:
    """Print metrics in Prometheus's text format: runs, stages, costs, gates, schedules, incidents, ledger and watch.

    While the console is up, its address /metrics has the same, for who sends the token in
    .hallmark/console/metrics-token.

    Example: hallmark metrics > /var/lib/prometheus/node-exporter/hallmark.prom
    """
    sys.stdout.write(MetricsPage(shared.checkout_root()).text().decode())
