"""Throughput and latency of the gateway over HTTP, and whether it answers as evaluated.

    python benchmarks/gateway.py CHECKOUT --key KEY [--callers 32] [--seconds 30] [--out FILE]

CHECKOUT is a checkout whose gateway is up (`hallmark serve up`). The held-out rows of its release are the requests.

1. Every row is asked once, by several callers at a time, and compared with the answer that was evaluated.
2. Requests per second with many callers, and the latency with one and with eight. The peer, measured right after and on
   the same rows, is transformers' `generate`, one request at a time, as plain serving code calls it.
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tasks.core.records import record, texts  # noqa: E402

PEER_ROWS = 24
PEER = """\
import json, sys, time
from hallmark import releases
from tasks.registry.admit import admission
from hallmark.models import AdmittedModel
from pathlib import Path
import torch
torch.set_num_threads(2)
model = AdmittedModel(admission.admit_in_checkout(Path(sys.argv[1]), sys.argv[2]))
questions, times = json.load(sys.stdin), []
model.ask(questions[0])
for question in questions:
    began = time.perf_counter()
    model.ask(question)
    times.append(time.perf_counter() - began)
print(json.dumps(times))
"""


def evaluated_rows(checkout: Path, release: str) -> list[tuple[list[dict[str, str]], str]]:
    """Return the turns of each held-out row, and the answer that was evaluated."""
    listed = subprocess.run(
        [checkout / ".venv/bin/hallmark", "releases", "list", "--json"], cwd=checkout, capture_output=True, check=False
    )
    (run,) = [each["run"] for each in json.loads(listed.stdout) if f"{each['name']}-{each['version']}" == release]
    artefacts = checkout / ".hallmark" / "runs" / run / "artefacts"
    rows = [
        row
        for row in record.read_table(artefacts / "split" / "test.parquet").to_pylist()
        if not texts.is_plain_text(row)
    ]
    said = record.read_table(artefacts / "predict" / "candidate" / "predictions.parquet").to_pylist()
    return [
        ([{"role": turn["role"], "content": turn["content"]} for turn in row["messages"][:-1]], answer["answer"])
        for row, answer in zip(rows, said, strict=True)
        if not answer["reason"]
    ]


class Caller:
    def __init__(self, url: str, key: str, model: str) -> None:
        self.url, self.model = url, model
        self.client = httpx.AsyncClient(
            headers={"Authorization": f"Bearer {key}"},
            timeout=300,
            trust_env=False,
            limits=httpx.Limits(max_connections=64),
        )

    async def ask(self, turns: list[dict[str, str]]) -> str:
        response = await self.client.post(
            f"{self.url}/v1/chat/completions", json={"model": self.model, "messages": turns}
        )
        response.raise_for_status()
        return str(response.json()["choices"][0]["message"]["content"])

    async def health(self) -> float:
        began = time.perf_counter()
        (await self.client.get(f"{self.url}/health")).raise_for_status()
        return time.perf_counter() - began


async def ask_all(
    caller: Caller, rows: list[Any], callers: int, seconds: float | None = None
) -> tuple[list[Any], float]:
    """Ask the rows by some callers at a time; with `seconds`, over and over until then. Return answers and the time."""
    began, place, found = time.perf_counter(), 0, list[Any]()

    async def one() -> None:
        nonlocal place
        while (place < len(rows)) if seconds is None else time.perf_counter() - began < seconds:
            mine, place = place, place + 1
            turns, _ = rows[mine % len(rows)]
            start = time.perf_counter()
            text = await caller.ask(turns)
            found.append((mine, text, time.perf_counter() - start))

    await asyncio.gather(*(one() for _ in range(callers)))
    return found, time.perf_counter() - began


def quantile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


async def measure(args: argparse.Namespace) -> list[dict[str, Any]]:
    up = json.loads((args.checkout / ".hallmark" / "gateway" / "up.json").read_text())
    name = (args.checkout / ".hallmark" / "gateway" / "model").read_text()
    health = httpx.get(f"{up['origin']}/health", trust_env=False).json()
    rows = evaluated_rows(args.checkout, health["release"])
    caller = Caller(up["origin"], args.key, name)
    await caller.ask(rows[0][0])
    found, _ = await ask_all(caller, rows, 8)
    different = sum(text != rows[place][1] for place, text, _ in found)
    many, took = await ask_all(caller, rows, args.callers, args.seconds)
    one, _ = await ask_all(caller, rows, 1, args.seconds / 2)
    eight, _ = await ask_all(caller, rows, 8, args.seconds / 2)
    overhead = [await caller.health() for _ in range(200)]
    questions = [turns[-1]["content"] for turns, _ in rows[:PEER_ROWS] if len(turns) == 1]
    peer = subprocess.run(
        [args.checkout / ".venv/bin/python", "-c", PEER, str(args.checkout), name],
        input=json.dumps(questions), capture_output=True, text=True, check=True, cwd=args.checkout,
    )  # fmt: skip
    alone = json.loads(peer.stdout.splitlines()[-1])
    rate, peer_rate = len(many) / took, len(alone) / sum(alone)
    median, peer_median = statistics.median(t for _, _, t in one), statistics.median(alone)
    return [
        {"metric": "rows answered otherwise than evaluated", "ours": different, "peer_value": None, "ratio": None,
         "goal": 0, "met": different == 0, "unit": f"of {len(rows)}"},
        {"metric": f"requests/s, {args.callers} callers", "ours": rate, "peer_value": peer_rate,
         "ratio": rate / peer_rate, "goal": 5.0, "met": rate >= 5.0, "unit": "1/s"},
        {"metric": "p50, one caller", "ours": 1000 * median, "peer_value": 1000 * peer_median,
         "ratio": median / peer_median, "goal": 1400, "met": median <= 1.4, "unit": "ms"},
        {"metric": "p95, eight callers", "ours": 1000 * quantile([t for _, _, t in eight], 0.95), "peer_value": None,
         "ratio": None, "goal": 2900, "met": quantile([t for _, _, t in eight], 0.95) <= 2.9, "unit": "ms"},
        {"metric": "p95 of /health, one caller", "ours": 1000 * quantile(overhead, 0.95), "peer_value": None,
         "ratio": None, "goal": 5, "met": quantile(overhead, 0.95) <= 0.005, "unit": "ms"},
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--key", required=True)
    parser.add_argument("--callers", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "gateway.json")
    args = parser.parse_args()
    args.checkout = args.checkout.resolve()
    results = asyncio.run(measure(args))
    print(f"{'metric':40} {'ours':>9} {'generate':>9} {'ratio':>6} {'goal':>7}")
    for each in results:
        peer = "–" if each["peer_value"] is None else f"{each['peer_value']:.2f}"
        ratio = "–" if each["ratio"] is None else f"{each['ratio']:.2f}"
        print(f"{each['metric']:40} {each['ours']:9.2f} {peer:>9} {ratio:>6} {each['goal']:>7} {each['unit']}")
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
