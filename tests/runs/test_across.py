"""A run is executed or fetched on one machine at a time, as the lease in a ledger that they share says."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tasks.core.errors import Refused
from tasks.ledger.leases import LEASE_DURATION, LEASES, Leases, open_leases
from tasks.runs import installation, run_lease
from tasks.runs.run_lease import hold_run_lease
from tests.governed.postgres import started

RUN = "20260101-000000-aaaa"


@pytest.fixture
def machines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, Path]]:
    monkeypatch.setattr(run_lease, "RENEW_SECONDS", 0.3)
    monkeypatch.setattr(run_lease, "POLL_SECONDS", 0.1)
    with started() as url:
        monkeypatch.setenv("HALLMARK_LEDGER_URL", url)
        for name in ("one", "two"):
            (tmp_path / name / ".hallmark").mkdir(parents=True)
        yield tmp_path / "one", tmp_path / "two"


def test_the_second_is_told_who_has_it_and_has_it_once_that_is_done(machines: tuple[Path, Path]) -> None:
    one, two = machines
    with hold_run_lease(one, RUN):
        holder = f"installation {installation.installation_id(one)}, process"
        who = f"is being executed or fetched elsewhere: .*{holder} .* `hallmark down`"
        with pytest.raises(Refused, match=who), hold_run_lease(two, RUN):
            pass
        with hold_run_lease(two, "20260101-000000-bbbb"), hold_run_lease(one, RUN):
            pass  # another run, and the same machine: its own lock keeps its processes apart
    with hold_run_lease(two, RUN):
        pass


def test_each_is_told_what_runs_on_the_others(machines: tuple[Path, Path]) -> None:
    one, two = machines
    assert run_lease.runs_on_other_machines(two) == {}
    open_leases(one / ".hallmark").acquire("checks", "somebody", "of another kind")
    with hold_run_lease(one, RUN):
        assert run_lease.runs_on_other_machines(one) == {}
        (place,) = run_lease.runs_on_other_machines(two).items()
        assert place[0] == RUN and installation.installation_id(one) in place[1]
    assert run_lease.runs_on_other_machines(two) == {}


def test_one_that_died_is_waited_for_until_its_term_is_over(
    machines: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = machines
    leases = open_leases(one / ".hallmark")
    leases.acquire(f"run/{RUN}", installation.installation_id(one), "one, which was killed")
    looked: list[float] = []

    def passes(seconds: float) -> None:
        """Time, in which nobody renews."""
        looked.append(seconds)
        lease, _ = leases.read_lease(f"run/{RUN}")
        assert lease is not None and lease.owner == installation.installation_id(one)
        if len(looked) == 3:
            end(leases)

    monkeypatch.setattr(run_lease.time, "sleep", passes)
    with hold_run_lease(two, RUN):
        assert looked == [0.1] * 3
        lease, now = leases.read_lease(f"run/{RUN}")
        assert lease is not None and lease.owner == installation.installation_id(two) and not lease.is_over(now)


def end(leases: Leases) -> None:
    """As if a term had passed."""
    lease, _ = leases.read_lease(f"run/{RUN}")
    with leases._engine.begin() as connection:
        connection.execute(
            LEASES.update().values(until=(lease.until - LEASE_DURATION - timedelta(seconds=1)).isoformat())
        )


def test_a_ledger_that_nobody_shares_has_no_leases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HALLMARK_LEDGER_URL", raising=False)
    with hold_run_lease(tmp_path, RUN):
        assert run_lease.runs_on_other_machines(tmp_path) == {} and not list(tmp_path.iterdir())
