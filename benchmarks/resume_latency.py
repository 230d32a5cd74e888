"""Latency from a person's decision until the run that waited for it is resumed, on the embedded server.

    python benchmarks/resume_latency.py [--decisions 20] [--quick] [--out benchmarks/results/resume_latency.json]

The project has 60 rows and its own Prefect server and runner. There is one run for each decision, suspended at its data
gate without a process. `hallmark gates approve` is called for one run after the other. Two times are measured, from the
decision's entry in the ledger and by the ledger's clock: until the flow run is running according to Prefect, and until
the run has judged its gate again and closed it in the ledger, after which the next stage starts. The time of the
command before it signs is reading time and does not count. A resumed run is stopped, so that it does not slow down the
next.

The peer is what users would write instead: a flow that calls Prefect's `suspend_flow_run`, served with Prefect's own
defaults on the same server, and a call of `resume_flow_run` for each decision. It does not prove who decided. `--quick`
takes 3 decisions. Twenty take about fifteen minutes. Most of the time is the start of the run's process, which depends
on other work on the machine: the load is printed beside the figures.
"""

import argparse
import contextlib
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import psutil

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
for setting in [name for name in os.environ if name.startswith(("HALLMARK_", "MLFLOW_", "PREFECT_"))]:
    del os.environ[setting]

from infra.prefect import access, server  # noqa: E402
from tasks.gates import cases  # noqa: E402
from tasks.gates.signed_decision import ENTRY_KIND  # noqa: E402
from tasks.ledger.ledger import Ledger, open_ledger  # noqa: E402
from tests.tiny_project import hallmark, hallmark_json, make_project  # noqa: E402

GOAL = 10.0
PARALLEL_STARTS = 4
"""Number of runs that are started in parallel. All are suspended before the first decision."""
PEER = "suspend_flow_run and resume_flow_run of Prefect, served with its defaults"
FLOW = """
from uuid import uuid4

from prefect import flow, suspend_flow_run


@flow
def waits():
    while True:
        suspend_flow_run(timeout=3600, key=str(uuid4()))


if __name__ == "__main__":
    waits.serve("waits")
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--decisions", type=int, default=20)
    parser.add_argument("--quick", action="store_true", help="3 decisions")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "resume_latency.json")
    args = parser.parse_args()
    count = 3 if args.quick else args.decisions
    with tempfile.TemporaryDirectory() as name, served(Path(name) / "project") as project:
        running, closed = ours(project, count)
        peer = theirs(project, Path(name), count)
    lines = [
        *rows("decision to the gate closed and the run going on", closed, peer, GOAL),
        *rows("decision to the flow run running", running, peer, None),
    ]
    for line in lines:
        verdict = "" if line["goal"] is None else f"  goal {line['goal']:g} s: {'met' if line['met'] else 'NOT met'}"
        print(f"{line['metric']:<62} {line['ours']:6.2f} s  Prefect {line['peer_value']:6.2f} s"
              f"  ratio {line['ratio']:.2f}{verdict}")  # fmt: skip
    load = [round(average, 1) for average in os.getloadavg()]
    machine = {"machine": platform.machine(), "cores": os.cpu_count(), "python": platform.python_version()}
    machine |= {"load": load}
    print(f"load of the machine in the last 1, 5 and 15 minutes: {load}")
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps([line | machine for line in lines], indent=2) + "\n")
    return int(any(line["met"] is False for line in lines))


@contextlib.contextmanager
def served(folder: Path) -> Iterator[Path]:
    project = make_project(folder)
    hallmark(project, "init")
    os.environ[server.PORT_VARIABLE] = "0"
    try:
        hallmark(project, "up")
        yield project
    finally:
        hallmark(project, "down")


def ours(project: Path, count: int) -> tuple[list[float], list[float]]:
    """Return the seconds from each decision until its flow run is running, and until its gate is closed."""
    ledger = open_ledger(project / ".hallmark")
    asked = [("run", "--as", "ml-engineer", "--set", f"data.seed={number + 100}") for number in range(count)]
    with ThreadPoolExecutor(PARALLEL_STARTS) as several:
        parked = list(several.map(lambda words: hallmark_json(project, *words), asked))
    running, closed = [], []
    with client(project) as prefect:
        for line in parked:
            run, flow_run = line["run"], UUID(line["flow_run"])
            hallmark(project, "gates", "approve", run, "data", "--as", "data-owner", "--reason", "seen")
            entry = wait_for(lambda run=run: closing_time(ledger, run))
            decision = ledger.entries(ENTRY_KIND)[-1]
            closed.append((entry - decision.time).total_seconds())
            running.append((last_state_time(prefect, flow_run, "RUNNING") - decision.time).total_seconds())
            print(f"{run}: running after {running[-1]:.2f} s, its gate closed after {closed[-1]:.2f} s", flush=True)
            stop(project, prefect, flow_run)
    return running, closed


def closing_time(ledger: Ledger, run: str) -> datetime | None:
    return next((entry.time for entry in ledger.entries(cases.CLOSED, run)), None)


def stop(project: Path, prefect: Any, flow_run: UUID) -> None:
    """End the run's process, and prevent it from being resumed."""
    from prefect.states import Cancelled

    up = server.find(project)
    assert up is not None
    for process in psutil.Process(up.runner.pid).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    wait_for(lambda: prefect.read_flow_run(flow_run).state.is_final())
    prefect.set_flow_run_state(flow_run, Cancelled(message="measured"), force=True)


def theirs(project: Path, folder: Path, count: int) -> list[float]:
    """Return the seconds from each `resume_flow_run` until the flow run, which suspends itself again, is running."""
    script, up = folder / "waits.py", server.find(project)
    assert up is not None
    script.write_text(FLOW)
    given = access.client_environment(project, up.api, is_own_server=True)
    environment = {name: text for name, text in given.items() if "LOGGING" not in name}
    process = subprocess.Popen(
        [sys.executable, script], cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    taken = []
    try:
        with client(project) as prefect:
            flow_run = wait_for(lambda: started(prefect))
            for _ in range(count):
                wait_for(lambda: prefect.read_flow_run(flow_run).state.is_paused())
                time.sleep(1)  # until its process has ended
                began = time.time()
                prefect.resume_flow_run(flow_run)
                wait_for(lambda began=began: last_state_time(prefect, flow_run, "RUNNING").timestamp() > began)
                taken.append(last_state_time(prefect, flow_run, "RUNNING").timestamp() - began)
                print(f"Prefect's own: running after {taken[-1]:.2f} s", flush=True)
    finally:
        process.terminate()
        process.wait(60)
    return taken


def started(prefect: Any) -> UUID | None:
    from prefect.exceptions import ObjectNotFound

    try:
        deployment = prefect.read_deployment_by_name("waits/waits")
    except ObjectNotFound:
        return None
    flow_run: UUID = prefect.create_flow_run_from_deployment(deployment.id).id
    return flow_run


@contextlib.contextmanager
def client(project: Path) -> Iterator[Any]:
    from prefect.client.orchestration import SyncPrefectClient

    up = server.find(project)
    assert up is not None
    with SyncPrefectClient(up.api, auth_string=access.server_secret(project)) as prefect:
        yield prefect


def last_state_time(prefect: Any, flow_run: UUID, state: str) -> datetime:
    states = prefect.read_flow_run_states(flow_run)
    times: list[datetime] = [past.timestamp for past in states if past.type.value == state]
    return max(times)


def wait_for(ask: Callable[[], Any], seconds: float = 300) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if answer := ask():
            return answer
        time.sleep(0.1)
    raise AssertionError(f"waited {seconds:g} s in vain")


def rows(metric: str, taken: list[float], peer: list[float], goal: float | None) -> list[dict[str, Any]]:
    lines = []
    for name, of, wanted in (("median", statistics.median, None), ("95th percentile", percentile, goal)):
        ours, value = of(taken), of(peer)
        lines.append({
            "metric": f"{metric}, {name}", "ours": round(ours, 2), "peer": PEER, "peer_value": round(value, 2),
            "ratio": round(ours / value, 2), "goal": wanted, "met": None if wanted is None else ours <= wanted,
            "unit": "s", "decisions": len(taken), "each": [round(seconds, 2) for seconds in taken],
            "each_of_peer": [round(seconds, 2) for seconds in peer],
        })  # fmt: skip
    return lines


def percentile(taken: list[float]) -> float:
    """Return the 95th percentile: the smallest value that at least 95 of 100 values do not exceed."""
    return sorted(taken)[-(len(taken) // 20) - 1]


if __name__ == "__main__":
    sys.exit(main())
