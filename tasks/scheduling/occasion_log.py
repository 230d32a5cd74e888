"""Occasions that the ledger has: taken, passed over, or taken but not handed to Prefect yet.

The watch updates this log every few seconds. Each update therefore reads only the new entries.
"""

from bisect import bisect_right, insort
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tasks.core.utc import to_utc
from tasks.ledger.ledger import Entry, Ledger
from tasks.runs.run_entries import PASSED_OVER_KIND, TAKEN_KIND

TAKEN, STARTED, PASSED_OVER = TAKEN_KIND, "occasion.started", PASSED_OVER_KIND
"""Kinds of ledger entries about occasions. An occasion is one time of a schedule or one event of a trigger, and its key
is the subject of the entry."""


@dataclass(frozen=True)
class TakenOccasion:
    key: str
    name: str
    run: str
    reason: str
    time: datetime
    installation: str
    body: dict[str, Any]

    @property
    def pool(self) -> str | None:
        pool = self.body.get("pool")
        return pool if isinstance(pool, str) else None


class OccasionLog:
    def __init__(self) -> None:
        self._reset()

    def _reset(self) -> None:
        self._last = 0
        self._keys: set[str] = set()
        self._dues: dict[str, list[datetime]] = {}
        self._taken: dict[str, list[TakenOccasion]] = {}
        self._waiting: dict[str, TakenOccasion] = {}
        self._by_key: dict[str, TakenOccasion] = {}

    def update(self, ledger: Ledger) -> "OccasionLog":
        """Read the entries that were added to the ledger since the last call. Malformed entries are ignored."""
        last = ledger.last_seq()
        if last < self._last:  # it is another ledger, or an earlier state of this one
            self._reset()
        if last > self._last:
            entries = [
                entry for kind in (TAKEN, PASSED_OVER, STARTED) for entry in ledger.entries(kind, after=self._last)
            ]
            for entry in sorted(entries, key=lambda entry: entry.seq):
                self._add_entry(entry)
            self._last = last
        return self

    def contains(self, key: str) -> bool:
        return key in self._keys

    def last_due_time(self, name: str, now: datetime) -> datetime | None:
        """Return the last due time of a schedule in the ledger, up to `now`.

        Later times are ignored. The ledger can contain such times if a clock was set back.
        """
        dues = self._dues.get(name, [])
        place = bisect_right(dues, now)
        return dues[place - 1] if place else None

    def find_taken(self, key: str) -> TakenOccasion | None:
        return self._by_key.get(key)

    def last_taken(self, name: str) -> TakenOccasion | None:
        return self._taken[name][-1] if self._taken.get(name) else None

    def last_taken_time(self, name: str, now: datetime) -> datetime | None:
        """Return the time of the last run request of a schedule or trigger, up to `now`."""
        return next((each.time for each in reversed(self._taken.get(name, [])) if each.time <= now), None)

    def taken_runs(self, name: str) -> set[str]:
        return {each.run for each in self._taken.get(name, [])}

    def count_taken(self, name: str) -> int:
        return len(self._taken.get(name, []))

    def pending_occasions(self, installation: str) -> list[TakenOccasion]:
        return [taken for taken in self._waiting.values() if taken.installation == installation]

    def _add_entry(self, entry: Entry) -> None:
        if entry.kind == STARTED:
            self._waiting.pop(entry.subject, None)
            return
        try:
            name, due = str(entry.body["name"]), entry.body.get("due")
            moment = None if due is None else to_utc(datetime.fromisoformat(due))
            if entry.kind == TAKEN and entry.subject not in self._keys:
                taken = TakenOccasion(
                    entry.subject, name, str(entry.body["run"]), str(entry.body["reason"]), entry.time,
                    str(entry.body["installation"]), entry.body,
                )  # fmt: skip
                self._taken.setdefault(name, []).append(taken)
                self._waiting[entry.subject] = self._by_key[entry.subject] = taken
        except (KeyError, TypeError, ValueError):
            return  # malformed, written by something else than Hallmark; other entries still count
        if moment is not None:
            insort(self._dues.setdefault(name, []), moment)
        self._keys.add(entry.subject)
