"""The probe of the watch's pod, on a real ledger."""

from pathlib import Path

import pytest

from infra.prefect import watch_probe
from infra.prefect.watch_status import LEASE_NAME, MAX_ABSENCE
from tasks.ledger.leases import LEASE_DURATION, LeaseKeeper, open_leases
from tests.ledger.test_leases import shift


def test_it_fails_if_nobody_has_watched_for_long(tmp_path: Path) -> None:
    assert watch_probe.main(tmp_path) == 1, "nobody has watched yet"
    leases = open_leases(tmp_path / ".hallmark")
    LeaseKeeper(leases, LEASE_NAME, "here").renew()
    assert watch_probe.main(tmp_path) == 0
    shift(leases, LEASE_DURATION)
    assert watch_probe.main(tmp_path) == 0, "a restart takes a while"
    shift(leases, MAX_ABSENCE)
    assert watch_probe.main(tmp_path) == 1


def test_a_ledger_that_is_away_is_no_reason_to_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HALLMARK_LEDGER_URL", "postgresql://a:secret@127.0.0.1:1/c")
    assert watch_probe.main(tmp_path) == 0
