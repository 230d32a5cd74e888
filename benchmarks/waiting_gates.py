"""Cost of a thousand waiting gates: size in the ledger, and time to list, show and watch them.

    python benchmarks/waiting_gates.py [--gates 1000] [--others 100000] [--out benchmarks/results/waiting_gates.json]

One real run of the sample use case runs until it is suspended at its data gate. The other gates have its evidence with
all digests and figures changed, as if no two had anything in common. The peers are what users would pick instead: flow
runs paused in the Prefect server of that run, and model versions in an MLflow registry with the tag of a waiting one.
Neither has evidence or knows who may decide. Commands and peers are timed in turns as whole processes, since the
machine may be shared.
"""

import argparse
import json
import os
import platform
import random
import re
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
os.environ.pop("HALLMARK_LEDGER_URL", None)

from benchmarks.ledger import rows as other_rows  # noqa: E402
from flows.suspended_runs import SuspendedRuns  # noqa: E402
from infra.prefect import access  # noqa: E402
from tasks.gates import cases, signed_request  # noqa: E402
from tasks.gates.checks.checks import CheckResult, evaluate_check  # noqa: E402
from tasks.gates.evidence import Evidence  # noqa: E402
from tasks.gates.signed_request import RecordedRunRequest  # noqa: E402
from tasks.ledger.ledger import Ledger, open_ledger  # noqa: E402
from tasks.policy.policy import Check  # noqa: E402
from tasks.runs.run import installed_governance, run_layout  # noqa: E402
from tasks.trust import dsse, keys  # noqa: E402
from tests.ledger_tampering import mend, unguard  # noqa: E402

TIMES = 7
POLLS = 20
PREFECT, MLFLOW = "paused Prefect flow runs", "tagged MLflow model versions"
PYTHON_CODE = [sys.executable, "-c"]
LIST_PREFECT = """
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterState, FlowRunFilterStateType
wanted = FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=["PAUSED"])))
with get_client(sync_client=True) as client:
    found, page = [], [None]
    while page:
        found += (page := client.read_flow_runs(flow_run_filter=wanted, limit=200, offset=len(found)))
for each in found:
    print(each.name, each.state.name)
assert len(found) >= COUNT, len(found)
"""
LIST_MLFLOW = """
from mlflow.tracking import MlflowClient
client, found, token = MlflowClient("STORE"), [], None
while True:
    page = client.search_model_versions("tags.approval = 'pending'", max_results=1000, page_token=token)
    found, token = found + list(page), page.token
    if not token:
        break
for each in found:
    print(each.name, each.version, each.tags)
assert len(found) == COUNT, len(found)
"""
MAKE_MLFLOW = """
from mlflow.tracking import MlflowClient
client = MlflowClient("STORE")
client.create_registered_model("triage")
for number in range(COUNT):
    client.create_model_version("triage", f"models/{number}", tags={"approval": "pending", "run": f"run-{number:04}"})
"""


def hallmark(*args: str) -> list[str]:
    return [str(Path(sys.executable).with_name("hallmark")), *args]


def project(folder: Path) -> tuple[Path, Evidence]:
    """Return a clone whose only run waits at its data gate, with its Prefect server up, and that gate's evidence."""
    clone = folder / "project"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    for args in (("init",), ("run", "--as", "ml-engineer")):
        subprocess.run(hallmark(*args), cwd=clone, check=True, stdout=subprocess.DEVNULL)
    (case,) = cases.open_cases(open_ledger(clone / ".hallmark"))
    return clone, case.evidence


def requests(clone: Path, count: int) -> list[RecordedRunRequest]:
    """Record run requests. Each has a worktree here that contains only the request."""
    ledger, governed = open_ledger(clone / ".hallmark"), installed_governance(clone, None)
    known = signed_request.request_for_run(ledger, governed, cases.open_cases(ledger)[0].evidence.run)
    assert known is not None
    signer = keys.make_signer(keys.load_private_key(clone / ".hallmark" / "keys" / "ml-engineer"))
    signed = []
    with ledger.transaction():
        for number in range(count):
            asked = known.request.model_copy(update={"run_id": f"20260303-120000-{number:04x}"})
            signed.append(signed_request.record_request(ledger, governed, signed_request.sign_request(asked, signer)))
            dsse.write_envelope(run_layout(clone, asked.run_id).request_path, signed[-1].envelope)
    return signed


COMMON_FIELDS = {"asks", "checks", "purpose", "bar", "adopted"}
"""Fields of the evidence that all runs of the use case have in common."""


def varied_evidence(evidence: Evidence, asked: RecordedRunRequest, seed: int) -> Evidence:
    """Return the evidence of another run, in which every digest and figure differs."""
    said = varied(evidence.model_dump(mode="json", exclude=COMMON_FIELDS | {"policy_sha256"}), random.Random(seed))
    said |= {"run": asked.request.run_id, "request_sha256": asked.sha256, "policy_sha256": evidence.policy_sha256}
    kept = evidence.model_dump(mode="json", include=COMMON_FIELDS)
    other = Evidence.model_validate(said | kept)
    checks = [evaluate_check(check_of(result), other.facts) for result in evidence.checks]
    return other.model_copy(update={"checks": checks})


def check_of(result: CheckResult) -> Check:
    return Check(**result.model_dump(include={"name", "fact", "bound", "at_least", "at_most"}))


def varied(value: Any, choose: random.Random) -> Any:
    if isinstance(value, dict):
        return {name: varied(each, choose) for name, each in value.items()}
    if isinstance(value, list):
        return [varied(each, choose) for each in value]
    if isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value):
        return f"{choose.getrandbits(256):064x}"
    if isinstance(value, bool) or value in (0, 1, None) or isinstance(value, str):
        return value
    if isinstance(value, int):
        return value + choose.randrange(9)
    return round(value * (1 + choose.random() / 100), len(str(value).partition(".")[2]))


def size(database: Path) -> int:
    with sqlite3.connect(database) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return database.stat().st_size


def ask(ledger: Ledger, evidence: Evidence, asked: list[RecordedRunRequest]) -> None:
    with ledger.transaction():
        for seed, request in enumerate(asked):
            cases.open_gate(ledger, varied_evidence(evidence, request, seed))


def fill(database: Path, others: int) -> None:
    """Write entries about other subjects without the ledger's own append, whose flushes to disk would take an hour."""
    connection = sqlite3.connect(database, isolation_level=None)
    (last,) = connection.execute("SELECT max(seq) FROM hallmark_ledger").fetchone()
    guards = [text for (text,) in connection.execute("SELECT sql FROM sqlite_master WHERE type = 'trigger'")]
    unguard(connection)
    connection.execute("BEGIN")
    moved = other_rows(last + 1, others, time.time(), "gate.closed")
    connection.executemany("INSERT INTO hallmark_ledger VALUES (?, ?, ?, ?, ?)", moved)
    mend(connection)
    for guard in guards:
        connection.execute(guard)
    connection.execute("COMMIT")
    connection.close()


def pause(clone: Path, count: int) -> tuple[float, dict[str, str]]:
    """Make paused flow runs in the project's server. Return the bytes of each, and the server's environment."""
    api = json.loads((clone / ".hallmark" / "prefect" / "up.json").read_text())["api"]
    database = next((clone / ".hallmark" / "prefect").rglob("prefect.db"))
    before, env = (
        size(database),
        access.client_environment(clone, api, is_own_server=True) | {"PREFECT_LOGGING_LEVEL": "WARNING"},
    )
    make = f"""
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.states import Paused
@flow(name="other")
def other(): ...
with get_client(sync_client=True) as client:
    for number in range({count}):
        client.create_flow_run(other, name=f"run-{{number:04}}", state=Paused(timeout_seconds=99999))
"""
    subprocess.run([*PYTHON_CODE, make], env=env, check=True, stdout=subprocess.DEVNULL)
    return (size(database) - before) / count, env


def tag(folder: Path, count: int) -> tuple[float, str]:
    """Make tagged model versions in a new registry. Return the bytes of each, and the registry's URL."""
    store = f"sqlite:///{folder / 'mlflow.db'}"
    for number in (1, count):  # the first call makes the tables
        before = size(folder / "mlflow.db") if number > 1 else 0
        code = MAKE_MLFLOW.replace("STORE", store).replace("COUNT", str(number))
        code = code if number == 1 else code.replace('client.create_registered_model("triage")\n', "")
        subprocess.run([*PYTHON_CODE, code], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return (size(folder / "mlflow.db") - before) / count, store


def seconds(command: list[str], folder: Path, env: dict[str, str] | None = None) -> float:
    began = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 0, done.stderr
    return time.perf_counter() - began


def median_seconds(acts: dict[str, Callable[[], float]]) -> dict[str, float]:
    taken: dict[str, list[float]] = {name: [] for name in acts}
    for _ in range(TIMES):
        for name, act in acts.items():
            taken[name].append(act())
    return {name: statistics.median(each) for name, each in taken.items()}


def polls(clone: Path) -> tuple[float, float]:
    """Return the processor seconds in which the watch checks for new decisions, and in which it checks all gates."""
    parked = SuspendedRuns(clone)
    taken = {}
    for whole in (True, False):
        each = []
        for _ in range(POLLS):
            began = time.process_time()
            parked.find_decided_runs(whole)
            each.append(time.process_time() - began)
        taken[whole] = statistics.median(each)
    return taken[False], taken[True]


def measure(folder: Path, gates: int, others: int) -> Iterator[dict[str, Any]]:
    clone, evidence = project(folder)
    try:
        asked, database = requests(clone, gates), clone / ".hallmark" / "ledger.db"
        ledger, before = open_ledger(clone / ".hallmark"), size(database)
        ask(ledger, evidence, asked)
        ours = (size(database) - before) / gates
        flow_run, env = pause(clone, gates)
        version, store = tag(folder, gates)
        versions = str(gates + 1)
        label = f"{gates:,} gates waiting"
        yield row(f"{label}: ledger on disk, each", ours, 4096, "B", PREFECT, flow_run)
        yield row(f"{label}: ledger on disk, each", ours, 4096, "B", MLFLOW, version)
        acts = {
            "list": lambda: seconds(hallmark("gates", "list"), clone),
            "show": lambda: seconds(hallmark("gates", "show", asked[0].request.run_id, "data"), clone),
            PREFECT: lambda: seconds([*PYTHON_CODE, LIST_PREFECT.replace("COUNT", str(gates))], folder, env),
            MLFLOW: lambda: seconds(
                [*PYTHON_CODE, LIST_MLFLOW.replace("STORE", store).replace("COUNT", versions)], folder
            ),
        }
        alone = median_seconds(acts)
        fill(database, others)
        among = median_seconds({name: acts[name] for name in ("list", "show")})
        for what, taken in (("", alone), (f" among {others:,} other entries", among)):
            yield row(f"{label}{what}: list, a whole process", taken["list"], 1, "s", PREFECT, alone[PREFECT])
            yield row(f"{label}{what}: list, a whole process", taken["list"], 1, "s", MLFLOW, alone[MLFLOW])
            yield row(f"{label}{what}: show one, a whole process", taken["show"], 1, "s")
        idle, whole = polls(clone)
        yield row("the monitor's look, nothing new", idle * 1000, 20, "ms")
        yield row("the monitor's look at all of them, once a minute", whole * 1000, None, "ms")
    finally:
        subprocess.run(hallmark("down"), cwd=clone, check=False, stdout=subprocess.DEVNULL)


def row(metric: str, ours: float, goal: float | None, unit: str, peer: str = "", value: float | None = None) -> Any:
    return {
        "metric": metric,
        "ours": round(ours, 4),
        "peer": peer,
        "peer_value": value and round(value, 4),
        "ratio": value and round(ours / value, 4),
        "goal": goal,
        "met": None if goal is None else ours < goal,
        "unit": unit,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gates", type=int, default=1000)
    parser.add_argument("--others", type=int, default=100_000)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "waiting_gates.json")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        lines = list(measure(Path(folder), args.gates, args.others))
    for line in lines:
        peer = f"{line['peer']} {line['peer_value']:g}, ratio {line['ratio']:g}  " if line["peer"] else ""
        verdict = "" if line["goal"] is None else f"goal {line['goal']:g}: {'met' if line['met'] else 'NOT met'}"
        print(f"{line['metric']:<78} {line['ours']:g} {line['unit']}  {peer}{verdict}")
    machine = {"machine": platform.machine(), "cores": os.cpu_count(), "python": platform.python_version()}
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps([line | machine for line in lines], indent=2) + "\n")


if __name__ == "__main__":
    main()
