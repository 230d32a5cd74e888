"""Text of the metrics in Prometheus's format, and the token of the address /metrics."""

import secrets
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest

from infra.metrics.collector import CheckoutCollector
from tasks.core.files import create_private_file, read_bounded

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
TOKEN_FILE = Path("console") / "metrics-token"
"""Path of the file with the token that Prometheus sends, relative to `.hallmark`."""
MAX_TOKEN_BYTES = 1000


class MetricsPage:
    def __init__(self, root: Path) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(CheckoutCollector(root))

    def text(self) -> bytes:
        return generate_latest(self._registry)


def metrics_token(state: Path, token_file: Path = TOKEN_FILE) -> bytes:
    """Return the token of an address /metrics, by default the console's. It is made if there is none."""
    path = state / token_file
    create_private_file(path, f"{secrets.token_urlsafe(32)}\n".encode())
    return read_bounded(path, MAX_TOKEN_BYTES).strip()
