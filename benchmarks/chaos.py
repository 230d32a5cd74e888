"""Kills of every process at random under five schedules: whether anything is lost, doubled or left untold.

    python benchmarks/chaos.py [--minutes 60] [--pause 12] [--every 120] [--settle 30] [--seed 1] [--out FILE]

Five schedules request runs of the tiny project, one of them governed runs, at whose gates the script decides with
commands. About every `--pause` seconds a process of the checkout gets SIGKILL: first a kind is drawn (server, runner,
watch, console, flow run, stage), then a process of it. `hallmark up` is called again whenever the server is dead, as a
service manager does; runner and watch start each other. After the time is over, the schedules are paused and runs go
on until none is open. A run that died too often waits for a person, and is resumed as its error says.

Lost are due times without an entry in the ledger, requested runs without a request or an end, and finished stages
without an entry. Doubled are occasions, requests, flow runs or stages of a run that are there twice. Untold are runs
that did not succeed and say no reason, and a ledger that does not verify. Runs that are still open after `--settle`
minutes are listed, and only their ends are not asked for. Exits with 1 if there is any of these: a slow machine needs
more minutes.
"""

import argparse
import json
import os
import platform
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
for variable in [name for name in os.environ if name.startswith(("HALLMARK_", "PREFECT_", "MLFLOW_"))]:
    del os.environ[variable]
os.environ |= {"HALLMARK_MLFLOW_PORT": "off", "HALLMARK_PREFECT_PORT": "0"}

from infra.prefect import client, queue, server  # noqa: E402
from tasks.core.errors import HallmarkError  # noqa: E402
from tasks.gates import signed_request  # noqa: E402
from tasks.ledger.ledger import Entry, Ledger, open_ledger  # noqa: E402
from tasks.runs import journal, run_entries  # noqa: E402
from tasks.runs.checkout import Checkout  # noqa: E402
from tasks.runs.journal import Journal  # noqa: E402
from tasks.scheduling import deployments_in_force  # noqa: E402
from tasks.scheduling.deployments_file import Schedule  # noqa: E402
from tasks.scheduling.occasion_log import PASSED_OVER, TAKEN  # noqa: E402

SCHEDULES = """\
schedules:
  one: {{every: {every}s, anchor: "{anchor}", missed: latest}}
  two: {{every: {every}s, changes: {{use_case.risk_tier: experiment, data.seed: 2}}}}
  three: {{every: {every}s, changes: {{use_case.risk_tier: experiment, data.seed: 3}}, missed: latest}}
  four: {{every: {every}s, changes: {{use_case.risk_tier: experiment, data.seed: 2}}, open_run: skip}}
  five: {{every: {every}s, changes: {{use_case.risk_tier: experiment, data.seed: 2}}, open_run: skip, missed: latest}}
"""
NAMES = ("one", "two", "three", "four", "five")
ATTEMPTS = 5
DECIDERS = {"data": "data-owner", "evaluation": "product-owner", "release": "risk-officer"}
KINDS = {
    "prefect server": "server", "uvicorn": "server", "infra.prefect.runner": "runner", "infra.prefect.watch": "watch",
    "infra.console": "console", "flow-run": "flow run", "prefect.engine": "flow run", "flow_engine": "flow run",
}  # fmt: skip
"""Kind of a process, by a part of its command line. Every other process of the checkout belongs to a stage."""


class Chaos:
    def __init__(self, project: Path, seed: int) -> None:
        self.project, self.state = project, project / ".hallmark"
        self.rng, self.kills, self.resumed, self.restarts = random.Random(seed), Counter[str](), Counter[str](), 0

    def command(self, *args: str, check: bool = True) -> str:
        """Say `hallmark ARGS`. With `check`, a command that a kill disturbed is said again."""
        from tests.tiny_project import hallmark

        for attempt in range(ATTEMPTS):
            try:
                return hallmark(self.project, *args)
            except AssertionError as error:
                if not check:
                    return str(error)
                if attempt == ATTEMPTS - 1:
                    raise
                time.sleep(2)
                self.keep_up()
        return ""

    def keep_up(self) -> None:
        if not server.is_working(self.project):
            self.restarts += 1
            self.command("up", check=False)

    def deploy(self, every: int) -> None:
        """Let the scheduler request experiments too, and put the schedules in force."""
        from tests.tiny_project import ADOPT, commit

        policy = self.project / "infra" / "governance" / "policy.yaml"
        policy.write_text(policy.read_text().replace("{gates: {}}", "{gates: {}, scheduler: true}", 1))
        self.command(*ADOPT)
        anchor = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(time.time() + 20))
        (self.project / "chaos.yaml").write_text(SCHEDULES.format(every=every, anchor=anchor))
        commit(self.project, "Five schedules")
        print(self.command("deploy", "chaos.yaml", "--as", "ml-engineer", "--yes"), flush=True)

    def processes(self) -> dict[str, list[psutil.Process]]:
        """Return the processes of the checkout by kind, without this one and the commands that it said."""
        own, found = {os.getpid(), *(each.pid for each in psutil.Process().children())}, dict[str, list[Any]]()
        for process in psutil.process_iter():
            with suppress(psutil.Error, OSError):
                if process.pid in own or process.status() == psutil.STATUS_ZOMBIE:
                    continue
                is_ours = process.environ().get("HALLMARK_ROOT") == str(self.project)
                if is_ours or Path(process.cwd()).is_relative_to(self.project):
                    found.setdefault(kind_of(process), []).append(process)
        return found

    def kill_one(self) -> None:
        if found := self.processes():
            kind = self.rng.choice(sorted(found))
            victim = self.rng.choice(sorted(found[kind], key=lambda each: each.pid))
            with suppress(psutil.NoSuchProcess):
                victim.send_signal(signal.SIGKILL)  # psutil compares its start time first
                self.kills[kind] += 1

    def decide(self) -> None:
        """Approve what waits at a gate."""
        for run in (each for each in journal.read_journals(self.state) if each.status == "waiting"):
            for gate in (name for name, line in run.gates.items() if line.state == "waiting" and name in DECIDERS):
                self.command("gates", "approve", run.run, gate, "--as", DECIDERS[gate], "--reason", "seen", check=False)

    def rage(self, minutes: float, pause: float) -> None:
        until = time.monotonic() + 60 * minutes
        while time.monotonic() < until:
            time.sleep(min(self.rng.expovariate(1 / pause), max(0.0, until - time.monotonic())))
            self.kill_one()
            self.keep_up()
            self.decide()

    def settle(self, minutes: float) -> None:
        """Pause the schedules, and wait until no run is open."""
        for name in NAMES:
            self.command("schedule", "pause", name, "--as", "ml-engineer", "--reason", "the hour is over")
        deadline = time.monotonic() + 60 * minutes
        while (left := self.open_runs()) and time.monotonic() < deadline:
            time.sleep(5)
            self.keep_up()
            self.decide()
            for run in left:
                if self.waits_for_person(run):
                    self.resumed[run] += 1
                    self.command("run", "--resume", run, "--detach", check=False)

    def open_runs(self) -> list[str]:
        known = {each.run: each for each in journal.read_journals(self.state)}
        with suppress(HallmarkError):
            if server.find(self.project) is None:  # runner or server is being started
                return ["unknown"]
            queued = [each.run for each in queue.read_queue(self.project)]
            return queued + [
                run for run in taken_runs(open_ledger(self.state)) if run not in known or not known[run].is_finished
            ]
        return ["unknown"]  # the server is away

    def waits_for_person(self, run: str) -> bool:
        died = open_ledger(self.state).entries(run_entries.INTERRUPTED_KIND, run)
        known = journal.read_journal(self.state, run)
        status = journal.with_current_status(self.state, known).status if known else ""
        return bool(died and not died[-1].body["goes_on"] and status == "interrupted")


def kind_of(process: psutil.Process) -> str:
    line = " ".join(process.cmdline())
    return next((kind for part, kind in KINDS.items() if part in line), "stage")


def taken_runs(ledger: Ledger) -> list[str]:
    return [str(entry.body["run"]) for entry in ledger.entries(TAKEN)]


def lost(chaos: Chaos, ledger: Ledger, until: datetime) -> Iterator[str]:
    now = deployments_in_force.read_deployments(ledger, Checkout(chaos.project).governance)
    for name, schedule in now.deployments.schedules.items():
        yield from _lost_times(name, schedule, ledger, now.active_since[name], until)
    still_open = set(chaos.open_runs())
    for run in (each for each in taken_runs(ledger) if each not in still_open):
        for kind in (signed_request.ENTRY_KIND, run_entries.RESOLVED_KIND, run_entries.ENDED_KIND):
            if not ledger.entries(kind, run):
                yield f"run {run} has no entry {kind}"
        known = journal.read_journal(chaos.state, run)
        recorded = {entry.body["stage"] for entry in ledger.entries(run_entries.STAGE_KIND, run)}
        finished = {name for name, line in known.stages.items() if line.state in ("done", "cached")} if known else set()
        if missing := finished - recorded:
            yield f"run {run} finished {', '.join(sorted(missing))}, and the ledger has no entry"


def _lost_times(name: str, schedule: Schedule, ledger: Ledger, since: datetime, until: datetime) -> Iterator[str]:
    entries = [each for kind in (TAKEN, PASSED_OVER) for each in ledger.entries(kind) if each.body["name"] == name]
    missed, dues = sum(int(each.body.get("missed") or 0) for each in entries), {each.body["due"] for each in entries}
    due = []
    for moment in schedule.due_times_after(since):
        if moment >= until:
            break
        due.append(moment.isoformat())
    without = [each for each in due if each not in dues]
    if len(without) > missed:
        yield f"schedule {name}: of {len(due)} times {len(without)} have no entry, and {missed} were said to be missed"


def doubled(chaos: Chaos, ledger: Ledger) -> Iterator[str]:
    occasions = Counter(each.subject for kind in (TAKEN, PASSED_OVER) for each in ledger.entries(kind))
    yield from (f"occasion {key} has {count} entries" for key, count in occasions.items() if count > 1)
    runs = taken_runs(ledger)
    yield from (f"run {run} was taken {count} times" for run, count in Counter(runs).items() if count > 1)
    for run in runs:
        if len(ledger.entries(signed_request.ENTRY_KIND, run)) > 1:
            yield f"run {run} has several requests"
        stages = Counter(_stage_and_outputs(entry) for entry in ledger.entries(run_entries.STAGE_KIND, run))
        yield from (f"run {run} recorded {stage} {count} times" for (stage, _), count in stages.items() if count > 1)
    for run, count in _flow_runs(chaos, runs).items():
        if count > 1 + chaos.resumed[run]:
            yield f"run {run} has {count} flow runs"


def _stage_and_outputs(entry: Entry) -> tuple[str, str]:
    return str(entry.body["stage"]), str(entry.body["outputs"])


def _flow_runs(chaos: Chaos, runs: list[str]) -> Counter[str]:
    up = server.find(chaos.project)
    assert up is not None, "it was started anew until no run was open"
    with client.connected_client(chaos.project, up) as prefect:
        from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterName

        found, page = Counter[str](), list[Any]([None])
        while page:
            named = FlowRunFilter(name=FlowRunFilterName(any_=runs))
            page = prefect.read_flow_runs(flow_run_filter=named, limit=200, offset=found.total())
            found.update(str(each.name) for each in page if each)
    return found


def untold(chaos: Chaos, runs: list[Journal]) -> Iterator[str]:
    for run in runs:
        if run.status == "failed" and not run.error:
            yield f"run {run.run} failed and says no reason"
    told = chaos.command("ledger", "verify", check=False)
    if "exited with" in told:
        yield told


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--pause", type=float, default=12, help="mean seconds between two kills")
    parser.add_argument("--every", type=int, default=120, help="seconds between two runs of a schedule")
    parser.add_argument("--settle", type=float, default=30, help="minutes for runs to end after the kills")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "chaos.json")
    args = parser.parse_args()
    from tests.checkouts import Checkouts
    from tests.tiny_project import hallmark

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the services are stopped
    with tempfile.TemporaryDirectory() as made:
        chaos = Chaos(Checkouts(Path(made) / "checkouts").ready(Path(made) / "project"), args.seed)
        try:
            chaos.deploy(args.every)
            chaos.rage(args.minutes, args.pause)
            until = datetime.now(UTC)
            chaos.settle(args.settle)
            document = report(chaos, until)
        finally:
            hallmark(chaos.project, "down")
    document |= {"minutes": args.minutes, "seed": args.seed, "machine": platform.machine(), "cores": os.cpu_count()}
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(document, indent=2) + "\n")
    return int(any(document[name] for name in ("still_open", "lost", "doubled", "untold")))


def report(chaos: Chaos, until: datetime) -> dict[str, Any]:
    chaos.command("up", check=False)  # runner and server are both needed to look
    ledger, runs = open_ledger(chaos.state), journal.read_journals(chaos.state)
    passed_over = Counter(str(entry.body["why"]).split(" ", 1)[0] for entry in ledger.entries(PASSED_OVER))
    found: dict[str, Any] = {
        "kills": dict(chaos.kills.most_common()), "restarts_of_server": chaos.restarts,
        "occasions": len(taken_runs(ledger)), "passed_over": passed_over.total(),
        "runs": dict(Counter(run.status for run in runs)),
        "interruptions": len(ledger.entries(run_entries.INTERRUPTED_KIND)), "resumed_by_person": len(chaos.resumed),
        "still_open": chaos.open_runs(), "lost": list(lost(chaos, ledger, until)),
        "doubled": list(doubled(chaos, ledger)), "untold": list(untold(chaos, runs)),
    }  # fmt: skip
    for name, value in found.items():
        print(f"{name:<20} {value}", flush=True)
    return found


if __name__ == "__main__":
    sys.exit(main())
