"""Latency, throughput, cost and memory of one model's predictions.

These measurements differ between executions, so no digest covers them.
"""

from collections.abc import Callable, Sequence

from tasks.core.facts import Fact, Facts
from tasks.core.params.evaluation import Evaluation
from tasks.stages.evaluate.decode import Tokens
from tasks.stages.evaluate.inference.executor import Executor

LATENCY_SAMPLE_SIZE = 16
"""Number of prompts that are timed one at a time."""


def sample_prompts(prompts: Sequence[Tokens]) -> list[Tokens]:
    """Return LATENCY_SAMPLE_SIZE evenly spaced prompts.

    The first is included twice, because it also warms up the model.
    """
    drawn = list(prompts[:: max(1, len(prompts) // LATENCY_SAMPLE_SIZE)][:LATENCY_SAMPLE_SIZE])
    return drawn[:1] + drawn


def measure_latencies(
    executor: Executor, prompts: Sequence[Tokens], report_progress: Callable[[int], None]
) -> list[float]:
    """Return the latency in milliseconds of each request. The first request is a warm-up and is not included.

    `report_progress` is called after each request with the number of requests so far.
    """
    times: list[float] = []
    for number, prompt in enumerate(prompts, start=1):
        times.extend(milliseconds for _, milliseconds in executor.map_unordered("time", [prompt]))
        report_progress(number)
    return times[1:]


def speed_facts(
    single_latencies: Sequence[float], rows: int, seconds: float, settings: Evaluation, executor: Executor
) -> Facts:
    """Return the measurements by name; empty if there are no rows.

    Args:
        single_latencies: Latencies in milliseconds of requests that were sent one at a time; can be empty.
        rows: Number of rows answered in batches.
        seconds: Time in seconds that it took to answer these rows.
        settings: Section `evaluation` of params.yaml.
        executor: Executor that runs the model.
    """
    if not rows:
        return {}
    largest = "the most that the model's process held" if settings.workers == 1 else "of the largest worker"
    peak_memory = Fact(value=round(executor.peak_bytes() / 1e9, 3), unit="GB", note=largest)
    return {
        **_latency_facts(single_latencies),
        **_throughput_facts(rows / seconds, rows, settings, executor.count_answering()),
        "peak_memory_gb": peak_memory,
    }


def _latency_facts(single: Sequence[float]) -> Facts:
    import numpy as np

    if not single:
        return {}
    alone = f"{len(single)} requests one at a time after warm-up, model already loaded"
    return {
        "latency_p50_ms": Fact(value=float(np.percentile(single, 50)), unit="ms", note=f"median of {alone}"),
        "latency_p95_ms": Fact(value=float(np.percentile(single, 95)), unit="ms", note=f"95th percentile of {alone}"),
    }


def _throughput_facts(rate: float, rows: int, settings: Evaluation, workers: int) -> Facts:
    """Return throughput and cost. Each worker costs `price_per_hour`, so more workers do not make a request cheaper."""
    together = "" if settings.workers == 1 else f" by {workers} workers together"
    batched = f"batches of {settings.batch_size}, their common beginning read once{together}"
    cost = settings.price_per_hour * workers / 3600 * 1000 / rate
    each = "" if settings.workers == 1 else f" for each of {workers} workers"
    full = f"{settings.price_per_hour} USD an hour{each} at the throughput of {batched}; a full machine, no idle time"
    return {
        "rows_per_second": Fact(value=rate, unit="rows/s", note=f"{rows} rows in {batched}"),
        "cost_per_1000_requests": Fact(value=cost, unit="USD", note=full),
    }
