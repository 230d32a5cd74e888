"""Latency, throughput, cost and memory of one model's answers. They differ between machines and are not digested."""

import resource
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tasks.core.facts import Fact, Facts
from tasks.core.params.evaluation import Evaluation
from tasks.stages.evaluate.decode import Decoder, Tokens

SAMPLE = 16
"""Prompts timed one at a time."""


def sample(prompts: Sequence[Tokens]) -> list[Tokens]:
    """SAMPLE prompts spread evenly over all, the first of them twice: once to warm up."""
    drawn = list(prompts[:: max(1, len(prompts) // SAMPLE)][:SAMPLE])
    return drawn[:1] + drawn


def latencies(decoder: Decoder, sample: Sequence[Tokens], done: Callable[[int], None]) -> list[float]:
    """Milliseconds of single requests but for the first, which warms up. `done` is told how many are answered."""
    taken = []
    for number, prompt in enumerate(sample, start=1):
        taken.append(_milliseconds(decoder, prompt))
        done(number)
    return taken[1:]


def _milliseconds(decoder: Decoder, prompt: Tokens) -> float:
    start = time.perf_counter()
    decoder.answer([prompt])
    return (time.perf_counter() - start) * 1000


def facts(single: Sequence[float], rows: int, seconds: float, settings: Evaluation) -> Facts:
    """`single`: milliseconds of requests one at a time, perhaps none; `seconds`: what all `rows` took in batches."""
    if not rows:
        return {}
    held = Fact(value=round(peak_bytes(settings) / 1e9, 3), unit="GB", note="the most that the model's process held")
    return {**_latency(single), **_throughput(rows / seconds, rows, settings), "peak_memory_gb": held}


def peak_bytes(settings: Evaluation) -> int:
    """The most that this process held: of its GPU's memory, or of the machine's."""
    if settings.device == "gpu":
        import torch

        return int(torch.cuda.max_memory_allocated())
    status = Path("/proc/self/status")
    if status.is_file():  # `ru_maxrss` begins with what the process held that started this one
        return int(status.read_text().partition("VmHWM:")[2].split()[0]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _latency(single: Sequence[float]) -> Facts:
    import numpy as np

    if not single:
        return {}
    alone = f"{len(single)} requests one at a time after warm-up, model already loaded"
    return {
        "latency_p50_ms": Fact(value=float(np.percentile(single, 50)), unit="ms", note=f"median of {alone}"),
        "latency_p95_ms": Fact(value=float(np.percentile(single, 95)), unit="ms", note=f"95th percentile of {alone}"),
    }


def _throughput(rate: float, rows: int, settings: Evaluation) -> Facts:
    batched = f"batches of {settings.batch_size}, their common beginning read once"
    cost = settings.price_per_hour / 3600 * 1000 / rate
    full = f"{settings.price_per_hour} USD an hour at the throughput of {batched}; a full machine, no idle time"
    return {
        "rows_per_second": Fact(value=rate, unit="rows/s", note=f"{rows} rows in {batched}"),
        "cost_per_1000_requests": Fact(value=cost, unit="USD", note=full),
    }
