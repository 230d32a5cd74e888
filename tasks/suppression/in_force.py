"""Suppression in force, and releases that were trained on an erased record.

A suppression takes effect when its execution begins, and even if its request cannot be verified: it can only leave rows
out, and it must outlast the keys and roles of the person who signed it.
"""

from collections.abc import Collection
from contextlib import suppress
from datetime import date

from tasks.core.documents.config import FrozenModel
from tasks.core.errors import HallmarkError, Refused
from tasks.ledger.ledger import Entry, Ledger
from tasks.suppression.place_kinds import DELETE, RETRAIN, Verb
from tasks.suppression.signed_documents import (
    CERTIFICATE_KIND,
    CERTIFIED,
    REQUEST_KIND,
    REQUESTED,
    STEP,
    ReleaseOutcome,
)

SUPPRESSION_STEP, MARKS_STEP = "suppression", "release-marks"
"""Names of two steps of an execution, in the body of its ledger entry. The second comes before anything of a release is
removed."""


class ReleaseMark(FrozenModel):
    """Statement of the ledger that a release was trained on an erased record."""

    erasure: str
    """Id of the erasure."""
    verb: Verb
    until: date | None

    def __str__(self) -> str:
        day = f" {'by' if self.verb == RETRAIN else 'until'} {self.until}" if self.until else ""
        outcome = {"delete": "it is retired", "keep": "it stays", "retrain": "another release replaces it"}[self.verb]
        return f"trained on a record that was erased ({self.erasure}): {outcome}{day}; it cannot be reproduced"


def suppressed_digests(ledger: Ledger) -> list[str]:
    """Return the digests of the people and rows that `ingest` leaves out, sorted."""
    begun = {entry.subject for entry in ledger.entries(STEP) if entry.body.get("step") == SUPPRESSION_STEP}
    found = set[str]()
    for entry in ledger.entries(REQUESTED):
        if entry.subject in begun:
            found.update(_digests(entry))
    for entry in ledger.entries(CERTIFIED):
        found.update(_digests(entry))
    return sorted(found)


def require_left_out(suppressed: Collection[str], ledger: Ledger, run: str) -> None:
    """Verify that a run leaves out everybody who is to be forgotten by now.

    Args:
        suppressed: Digests that the run's inputs have (`tasks.sources.sources.ResolvedSources.suppressed`).
        ledger: Ledger with the suppressions.
        run: Id of the run.

    Raises:
        Refused: Somebody is to be forgotten since the run was resolved, so that it would read their rows.
    """
    if missing := set(suppressed_digests(ledger)) - set(suppressed):
        raise Refused(
            f"run {run} was resolved before somebody was to be forgotten, so its inputs do not leave their rows out "
            f"({len(missing):,} digests are missing); ask for the run anew: hallmark run"
        )


def release_marks(ledger: Ledger) -> dict[str, list[ReleaseMark]]:
    """Return the marks of each release, by its name and version, oldest first."""
    found: dict[str, dict[str, ReleaseMark]] = {}
    for entry in ledger.entries(STEP):
        if entry.body.get("step") != MARKS_STEP:
            continue
        for each in entry.body["releases"]:
            mark = ReleaseMark(erasure=entry.subject, verb=each["verb"], until=each["until"])
            found.setdefault(each["release"], {})[entry.subject] = mark
    for entry in ledger.entries(CERTIFIED):  # alone where an older backup was restored
        for outcome in _certified_releases(entry):
            mark = ReleaseMark(erasure=entry.subject, verb=outcome.verb, until=outcome.until)
            found.setdefault(outcome.release, {}).setdefault(entry.subject, mark)
    return {label: list(marks.values()) for label, marks in found.items()}


def require_not_retired(label: str, ledger: Ledger) -> None:
    """Verify that a release was not retired because a record that it was trained on was erased.

    Raises:
        Refused: The release was retired.
    """
    for mark in release_marks(ledger).get(label, []):
        if mark.verb == DELETE:
            raise Refused(f"release {label} may not be used any more: {mark}")


def _digests(entry: Entry) -> list[str]:
    with suppress(HallmarkError, KeyError, TypeError):
        if entry.kind == REQUESTED:
            return REQUEST_KIND.unverified_document(entry.body["envelope"]).suppressed
        return CERTIFICATE_KIND.unverified_document(entry.body["envelope"]).suppressed
    return []


def _certified_releases(entry: Entry) -> list[ReleaseOutcome]:
    with suppress(HallmarkError, KeyError, TypeError):
        return CERTIFICATE_KIND.unverified_document(entry.body["envelope"]).releases
    return []
