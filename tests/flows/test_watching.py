"""The watch of two machines that share a ledger in Postgres: one has the lease, the other takes over, and a decision
outlives the database."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent import futures
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event

import pytest

from flows.scheduling import OccasionHandler
from infra.doctor import diagnostics
from infra.prefect import access, watch_status
from infra.prefect.watch import Watch
from infra.processes import HALLMARK_PROCESS
from tasks.core.graph import DATA_STAGE_NAMES
from tasks.gates import cases
from tasks.gates.signed_decision import ENTRY_KIND
from tasks.ledger.leases import LEASE_DURATION, Lease, Leases, open_leases
from tasks.ledger.ledger import Ledger, open_ledger
from tasks.runs import installation
from tasks.runs.environment import isolated_environment
from tasks.runs.run import installed_governance
from tasks.scheduling import control
from tasks.scheduling.occasion_log import TAKEN
from tests.checkouts import Checkouts
from tests.flows.test_occasions import look
from tests.governed.postgres import Cluster, cluster, new_database
from tests.in_process import hallmark
from tests.ledger.test_leases import shift
from tests.patience import patience, wait_until
from tests.prefect_server import Flows, Server
from tests.run_states import status

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def database() -> Iterator[Cluster]:
    with cluster() as made:
        yield made


@pytest.fixture
def machines(
    tmp_path: Path, checkouts: Checkouts, database: Cluster, monkeypatch: pytest.MonkeyPatch
) -> tuple[Path, Path]:
    """Two checkouts with the same keys and one ledger."""
    monkeypatch.setenv("HALLMARK_LEDGER_URL", new_database(database.url))
    first, second = (checkouts.warm(tmp_path / name, ledger=False) for name in ("first", "second"))
    hallmark(first, "init")
    return first, second


def declare(ledger: Ledger, root: Path) -> datetime:
    """A schedule, and when it is due first."""
    anchor = ledger.now() + timedelta(seconds=patience(2))
    text = f"schedules:\n  hourly: {{every: 1h, anchor: '{anchor:%Y-%m-%d %H:%M:%S}'}}\n"
    control.declare_deployments(ledger, installed_governance(root, None), "ml-engineer", text)
    return anchor


@contextlib.contextmanager
def watch(root: Path, api: str = "") -> Iterator["subprocess.Popen[str]"]:
    """As `hallmark watch` becomes it."""
    access.prefect_folder(root).mkdir(parents=True, exist_ok=True)
    given = isolated_environment(access.client_environment(root, api, is_own_server=False))
    if not api:
        del given["PREFECT_API_URL"]
    with log_file(root).open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-I", *HALLMARK_PROCESS, "infra.prefect.watch"],
            cwd=access.prefect_folder(root),
            env=given,
            stderr=log,
            text=True,
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def log_file(root: Path) -> Path:
    return access.prefect_folder(root) / "watch.log"


def until(done: Callable[[], object], what: str, root: Path) -> None:
    wait_until(done, what, every=0.2, saw=lambda: log_file(root).read_text())


def asked(ledger: Ledger) -> list[str]:
    """Which installations asked for runs."""
    return [str(entry.body["installation"]) for entry in ledger.entries(TAKEN)]


def outlive(database: Cluster, root: Path, flows: Flows, process: "subprocess.Popen[str]") -> None:
    """The database is stopped before the watch has seen a decision. When it is back the run goes on."""
    parked, ledger = flows.run("--as", "ml-engineer"), open_ledger(root / ".hallmark")
    run, approve = parked.name, ("gates", "approve", parked.name, "data", "--as", "data-owner", "--reason")
    process.send_signal(signal.SIGSTOP)
    hallmark(root, *approve, "seen")
    database.stop()
    process.send_signal(signal.SIGCONT)
    until(lambda: "the ledger at postgresql" in log_file(root).read_text(), "the watch to miss its database", root)
    told = hallmark(root, *approve, "again", code=3)
    assert "nothing was recorded" in told and "s3cret" not in told
    assert status(root, run)["status"] == "waiting"
    database.start()

    def woken() -> bool:
        state = flows.look(parked.id).state
        return state is not None and state.is_scheduled()

    until(woken, "the run to be woken", root)
    with flows.no_further_than(*DATA_STAGE_NAMES, "base_model"):
        flows.execute(parked)
    (decision,), (closing,) = ledger.entries(ENTRY_KIND), ledger.entries(cases.CLOSED, run)
    assert decision.seq < closing.seq and closing.body["state"] == "passed"
    assert status(root, run)["gates"]["data"]["decided_by"] == ["data-owner"]
    assert any(entry.body["stage"] == "base_model" for entry in ledger.entries("run.stage", run)), "it went on"
    assert not (root / ".hallmark" / "ledger.db").exists(), "there is no other ledger"
    assert "holds" in hallmark(root, "ledger", "verify")


def test_one_watches_for_all_and_another_takes_over(
    machines: tuple[Path, Path], database: Cluster, prefect_server: Server
) -> None:
    """The other's database is restarted between a decision and the run going on."""
    first, second = machines
    ledger, leases = open_ledger(first / ".hallmark"), open_leases(first / ".hallmark")
    ours, theirs = installation.installation_id(first), installation.installation_id(second)
    assert watch_status.read_watch_status(first) == watch_status.WatchStatus("nobody has watched yet", True)
    with watch(first) as one:
        until(lambda: ours in watch_status.read_watch_status(second).description, "the first machine to watch", first)
        with prefect_server.used(), prefect_server.client() as client, watch(second, prefect_server.api) as other:
            until(lambda: "watches since" in log_file(second).read_text(), "the second to see the first", second)
            declare(ledger, first)
            until(lambda: ledger.entries(TAKEN), "the first machine to ask for a run", first)
            assert f"installation {ours}, process {one.pid}, since" in hallmark(second, "status")

            one.send_signal(signal.SIGKILL)
            one.wait()
            shift(leases, LEASE_DURATION)  # in place of waiting
            until(
                lambda: theirs in watch_status.read_watch_status(first).description, "the second to take over", second
            )
            declare(ledger, first)
            until(lambda: len(ledger.entries(TAKEN)) == 2, "the second to ask for a run", second)
            assert asked(ledger) == [ours, theirs], "each occasion once"

            outlive(database, second, Flows(second, client), other)
            until(
                lambda: theirs in watch_status.read_watch_status(first).description,
                "the second to have its lease again",
                second,
            )
            other.send_signal(signal.SIGTERM)
            assert other.wait(timeout=patience(60)) == 0
    found = watch_status.read_watch_status(first)
    assert found.description.startswith("nobody for ") and not found.is_missing, "who is told to end lets go"

    def line() -> diagnostics.ReportLine:
        (found,) = diagnostics.run_diagnostics(first, {"watch": diagnostics.DIAGNOSTICS["watch"]})
        return found

    assert not line().do, "nothing waits"
    shift(leases, LEASE_DURATION + watch_status.MAX_ABSENCE)
    assert line().says.startswith("nobody for 5 min") and line().says.endswith("; 1 schedules")
    assert "hallmark up" in line().do


def test_a_machine_whose_clock_is_behind_asks_for_what_is_due_once(
    machines: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both believe to lead, as where the first was asleep for longer than its term."""
    first, second = machines
    ledger = open_ledger(first / ".hallmark")
    due = declare(ledger, first)
    wait_until(lambda: ledger.now() > due, "the schedule to be due")
    leading, late = OccasionHandler(first), OccasionHandler(second)
    look(leading.handle_schedules)
    assert asked(ledger) == [installation.installation_id(first)]
    monkeypatch.setattr(time, "time", lambda: 0.0)
    monkeypatch.setattr("tasks.ledger.ledger.datetime", None)
    monkeypatch.setattr("tasks.ledger.leases.datetime", None)
    look(late.handle_schedules)
    assert asked(ledger) == [installation.installation_id(first)], "the ledger's time is the database's"
    looking = OccasionHandler(second, is_leader=lambda: False)
    due = declare(ledger, first)
    wait_until(lambda: ledger.now() > due, "the schedule to be due")
    look(looking.handle_schedules)
    assert len(asked(ledger)) == 1, "who does not lead asks for nothing"


def test_a_renewal_that_is_under_way_takes_nothing_back_from_who_lets_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, goes_on, take = Event(), Event(), Leases.acquire

    def slowly(self: Leases, *args: str) -> Lease:
        began.set()
        goes_on.wait()
        return take(self, *args)

    monkeypatch.setattr(Leases, "acquire", slowly)
    ours = Watch(tmp_path)
    with ThreadPoolExecutor(2) as pool:
        renewal = pool.submit(ours.renew_lease, tmp_path)
        began.wait()
        end = pool.submit(ours.release_lease)
        futures.wait([end], timeout=0.5)  # it must not end before the renewal
        goes_on.set()
        assert renewal.result() == ["this process watches"] and end.result() is None
    assert ours.renew_lease(tmp_path) == [] and watch_status.read_watch_status(tmp_path).description.startswith(
        "nobody for "
    )


def test_this_process_is_the_one_that_is_named(tmp_path: Path) -> None:
    assert str(os.getpid()) not in watch_status.read_watch_status(tmp_path).description and not list(
        tmp_path.iterdir()
    ), "asking makes nothing"
