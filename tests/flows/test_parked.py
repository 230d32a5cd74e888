"""When the runner looks at parked runs: at once after a decision, and now and then."""

from pathlib import Path

import pytest

from flows import watch
from tasks.errors import Unavailable
from tasks.govern.gate.signed_decision import KIND
from tasks.govern.ledger.ledger import Ledger, open_ledger


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    monkeypatch.delenv("HALLMARK_LEDGER_URL", raising=False)
    return open_ledger(tmp_path / ".hallmark")


class Clock:
    """Time as the watch sees it, and when it looked."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root, self.now, self.away = root, 1000.0, False
        self.looks: list[set[str] | None] = []
        """Subjects asked for; None: every run."""
        self.parked = watch.Parked()
        monkeypatch.setattr(watch.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(watch, "resume_decided", self.look)

    def look(self, _: Path, about: set[str] | None = None) -> list[str]:
        if self.away:
            raise Unavailable("Prefect is away")
        self.looks.append(about)
        return ["run"]

    def after(self, seconds: float) -> list[set[str] | None]:
        """What it looks at when asked some seconds later."""
        self.now, self.looks = self.now + seconds, []
        self.parked.resume_decided(self.root)
        return self.looks


@pytest.fixture
def clock(tmp_path: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock(tmp_path, monkeypatch)
    assert found.after(0) == [None], "as it starts"
    return found


def test_runs_are_looked_at_as_soon_as_they_are_decided_and_a_while_since_they_may_be_about_to_park(
    clock: Clock, ledger: Ledger
) -> None:
    assert clock.after(0.5) == []
    ledger.append("run.stage", "run", {})
    assert clock.after(0.5) == [], "nobody decided anything"
    ledger.append(KIND, "one", {})
    assert [clock.after(0.5), clock.after(0.5)] == [[{"one"}], [{"one"}]]
    ledger.append("gate.closed", "two", {})
    assert clock.after(watch.AWAIT_SECONDS - 1) == [{"one", "two"}]
    assert [clock.after(1), clock.after(watch.AWAIT_SECONDS)] == [[{"two"}], []]


@pytest.mark.parametrize("kind", ["source.withdrawn", "governance.adopted"])
def test_what_any_run_may_wait_for_in_vain_has_all_looked_at(clock: Clock, ledger: Ledger, kind: str) -> None:
    ledger.append(kind, "it", {})
    assert [clock.after(0.5), clock.after(0.5)] == [[None], []]


def test_every_run_is_looked_at_now_and_then(clock: Clock) -> None:
    assert [clock.after(watch.LOOK_SECONDS), clock.after(0.5)] == [[None], []]


def test_a_look_that_failed_is_made_up_for_at_the_next_call(clock: Clock) -> None:
    clock.away = True
    with pytest.raises(Unavailable):
        clock.after(watch.LOOK_SECONDS)
    clock.away = False
    assert [clock.after(0.5), clock.after(0.5)] == [[None], []]
