"""Latency, throughput and cost of one model's answers. These differ from machine to machine and are not digested."""

import time
from collections.abc import Sequence

from tasks.evaluate.decode import Decoder, Tokens
from tasks.facts import Fact, Facts
from tasks.params import Evaluation

SAMPLE = 16
"""Prompts timed one at a time."""


class Progress:
    """Prints how far a model is, at most every five seconds: `progress predict@base 40/120 5.1 rows/s eta 14s`."""

    def __init__(self, name: str, rows: int, every: float = 5.0) -> None:
        self.name, self.rows, self.every = name, rows, every
        self.started = self.printed = time.monotonic()

    def __call__(self, done: int) -> None:
        now = time.monotonic()
        if now - self.printed < self.every:
            return
        self.printed = now
        rate = done / (now - self.started)
        eta = (self.rows - done) / rate
        print(f"progress {self.name} {done}/{self.rows} {rate:.1f} rows/s eta {eta:.0f}s", flush=True)

    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self.started


def latencies(decoder: Decoder, prompts: Sequence[Tokens]) -> list[float]:
    """Milliseconds of single requests, over a sample spread evenly over the prompts, after one to warm up."""
    sample = prompts[:: max(1, len(prompts) // SAMPLE)][:SAMPLE]
    for prompt in sample[:1]:
        decoder.answer([prompt])
    return [_milliseconds(decoder, prompt) for prompt in sample]


def _milliseconds(decoder: Decoder, prompt: Tokens) -> float:
    start = time.perf_counter()
    decoder.answer([prompt])
    return (time.perf_counter() - start) * 1000


def facts(single: Sequence[float], rows: int, seconds: float, settings: Evaluation) -> Facts:
    """`single`: milliseconds of requests one at a time; `seconds`: what all `rows` took in batches."""
    import numpy as np

    if not single:
        return {}
    rate = rows / seconds
    alone = f"{len(single)} requests one at a time after warm-up, model already loaded"
    batched = f"batches of {settings.batch_size}, their common beginning read once"
    return {
        "latency_p50_ms": Fact(value=float(np.percentile(single, 50)), unit="ms", note=f"median of {alone}"),
        "latency_p95_ms": Fact(value=float(np.percentile(single, 95)), unit="ms", note=f"95th percentile of {alone}"),
        "rows_per_second": Fact(value=rate, unit="rows/s", note=f"{rows} rows in {batched}"),
        "cost_per_1000_requests": Fact(
            value=settings.price_per_hour / 3600 * 1000 / rate,
            unit="USD",
            note=f"{settings.price_per_hour} USD an hour at the throughput of {batched}; a full machine, no idle time",
        ),
    }
