"""Metrics of the gateway for Prometheus. Their labels come from closed sets, and no text is in them."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from tasks.serve.follower import ReleaseFollower

TOKEN_FILE = Path("gateway") / "metrics-token"
"""Path of the file with the token that Prometheus sends, relative to `.hallmark`."""
SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 1.5, 2, 3, 5, 8, 13, 30, 60)
Outcome = Literal["answered", "bad_request", "unauthorized", "too_many", "failed", "cancelled"]


class GatewayMetrics:
    def __init__(self, follower: ReleaseFollower) -> None:
        own = self._registry = CollectorRegistry(auto_describe=False)
        self.requests = Counter("hallmark_gateway_requests", "Requests for an answer.", ["outcome"], registry=own)
        self.tokens = Counter("hallmark_gateway_tokens", "Tokens of answered requests.", ["side"], registry=own)
        self.for_review = Counter(
            "hallmark_gateway_answers_for_review", "Answers whose confidence asks for review.", registry=own
        )
        self.seconds = Histogram(
            "hallmark_gateway_answer_seconds", "Seconds to the whole answer.", buckets=SECONDS, registry=own
        )
        self.first_token = Histogram(
            "hallmark_gateway_first_token_seconds", "Seconds to the first token.", buckets=SECONDS, registry=own
        )
        self._gauge("hallmark_gateway_waiting", "Requests in the queue.", lambda: follower.current.engine.waiting)
        self._gauge("hallmark_gateway_running", "Requests being answered.", lambda: follower.current.engine.running)
        self._gauge(
            "hallmark_gateway_release_sequence",
            "Sequence number of the promotion statement that is served.",
            lambda: follower.current.release.admitted.sequence,
        )
        self._gauge(
            "hallmark_gateway_not_following",
            "1 if a newer release cannot be looked for or loaded.",
            lambda: float(bool(follower.problem)),
        )

    def count(self, outcome: Outcome) -> None:
        self.requests.labels(outcome).inc()

    def text(self) -> bytes:
        return generate_latest(self._registry)

    def _gauge(self, name: str, meaning: str, read: Callable[[], float]) -> None:
        Gauge(name, meaning, registry=self._registry).set_function(read)
