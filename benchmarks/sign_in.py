"""Response time of the console under many sign-in attempts, compared with hashing each password in the page's threads.

    python benchmarks/sign_in.py [--requests 200] [--rounds 3] [--out FILE]

Two servers run in processes of their own, one after the other in every round: the console, and a page that hashes as
many passwords as are sent, as in the example of a framework. Both get that many sign-ins of unknown people at the same
time. The console closes some of so many new connections, and they count as refused. Meanwhile, `/health` is requested
repeatedly, and again at once if its connection is closed. The table has the slowest response, the medians over the
rounds, and the maximum memory of the process. The goals are 0.2 s and 400 MB.
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
GOAL_SECONDS, GOAL_MB = 0.2, 400
WAIT_SECONDS = 600
PLAIN = """
import sys, uvicorn
from argon2 import PasswordHasher
from fastapi import FastAPI, Form

app, hasher = FastAPI(), PasswordHasher()
stored = hasher.hash("a password")

@app.get("/health")
async def health():
    return {"up": "yes"}

@app.post("/sign-in", status_code=403)
def sign_in(person: str = Form(), password: str = Form()):
    try:
        hasher.verify(stored, password)
    except Exception:
        pass
    return {}

uvicorn.run(app, port=int(sys.argv[1]), log_level="critical")
"""


@contextmanager
def serving(command: list[str], origin: str, place: Path) -> Iterator[psutil.Process]:
    with (place / "log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log, cwd=place) as server:
        try:
            until = time.monotonic() + WAIT_SECONDS
            while not is_up(origin):
                assert server.poll() is None and time.monotonic() < until, (place / "log").read_text()
                time.sleep(0.1)
            yield psutil.Process(server.pid)
        finally:
            server.terminate()


def is_up(origin: str) -> bool:
    try:
        return httpx.get(f"{origin}/health", trust_env=False).is_success
    except httpx.HTTPError:
        return False


async def load(origin: str, requests: int, process: psutil.Process) -> dict[str, Any]:
    """Send that many sign-ins in parallel, and request /health until the last response."""
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=origin, timeout=WAIT_SECONDS, limits=limits, trust_env=False) as client:
        before = process.memory_info().rss
        began = time.perf_counter()
        tries = asyncio.gather(*(attempt(client, origin, number) for number in range(requests)))
        waits, memory = [], [before]
        while not tries.done():
            asked = time.perf_counter()
            await health(client)
            waits.append(time.perf_counter() - asked)
            memory.append(process.memory_info().rss)
            await asyncio.sleep(0.01)
        codes = await tries
    return {
        "slowest_health_s": max(waits),
        "memory_mb": max(memory) / 1e6,
        "all_answered_s": time.perf_counter() - began,
        "answers": {code: codes.count(code) for code in sorted(set(codes))},
    }


async def health(client: httpx.AsyncClient) -> None:
    while True:
        try:
            if (await client.get("/health")).is_success:
                return
        except httpx.TransportError:
            pass


async def attempt(client: httpx.AsyncClient, origin: str, number: int) -> str:
    data = {"person": f"nobody-{number}", "password": "a guess"}
    try:
        return str((await client.post("/sign-in", data=data, headers={"origin": origin})).status_code)
    except httpx.TransportError:
        return "refused"


def measure(project: Path, place: Path, requests: int) -> Iterator[tuple[str, dict[str, Any]]]:
    from tests.console.servers import free_port

    for name in ("console", "plain"):
        port = free_port()
        origin, folder = f"http://127.0.0.1:{port}", place / name
        folder.mkdir(exist_ok=True)
        (folder / "plain.py").write_text(PLAIN)
        served = ["-I", "-m", "infra.console.serve", str(project), origin, str(port)]
        command = [sys.executable, *(served if name == "console" else [str(folder / "plain.py"), str(port)])]
        with serving(command, origin, folder) as process:
            yield name, asyncio.run(load(origin, requests, process))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "sign_in.json")
    given = parser.parse_args()
    found: dict[str, list[dict[str, Any]]] = {"console": [], "plain": []}
    with tempfile.TemporaryDirectory() as place:
        project = checkout(Path(place))
        for number in range(given.rounds):
            for name, figures in measure(project, Path(place), given.requests):
                found[name].append(figures)
            print(f"round {number + 1} of {given.rounds}", file=sys.stderr)
    medians = {name: median(rounds) for name, rounds in found.items()}
    show(medians, given.requests)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    goals = {"slowest_health_s": GOAL_SECONDS, "memory_mb": GOAL_MB}
    given.out.write_text(
        json.dumps({"requests": given.requests, "goals": goals, "medians": medians, "rounds": found}, indent=2) + "\n"
    )
    return 0


def checkout(place: Path) -> Path:
    from infra.console.accounts import Accounts
    from infra.console.database import open_database
    from tests.checkouts import Checkouts

    project = Checkouts(place / "checkouts").ready(place / "project")
    Accounts(open_database(project / ".hallmark")).set_password("data-owner", "a password for the benchmark")
    return project


def median(rounds: list[dict[str, Any]]) -> dict[str, float]:
    return {name: statistics.median(each[name] for each in rounds) for name in rounds[0] if name != "answers"}


def show(medians: dict[str, dict[str, float]], requests: int) -> None:
    print(f"{f'{requests} sign-ins at once':<27}{'slowest /health':>16}{'memory':>10}{'all answered':>14}")
    for name, it in medians.items():
        print(f"{name:<27}{it['slowest_health_s']:>14.2f} s{it['memory_mb']:>7.0f} MB{it['all_answered_s']:>12.1f} s")
    ratio = medians["plain"]["slowest_health_s"] / medians["console"]["slowest_health_s"]
    print(f"goals {GOAL_SECONDS} s and {GOAL_MB} MB; plain takes {ratio:.1f} times as long for /health")


if __name__ == "__main__":
    sys.exit(main())
