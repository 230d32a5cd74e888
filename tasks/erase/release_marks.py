"""Marks of releases that were trained on a record of the person."""

from typing import Any

from tasks.core.errors import Refused
from tasks.erase.subject import Subject
from tasks.ledger.ledger import Entry
from tasks.registry.promote import releases
from tasks.runs.checkout import Checkout
from tasks.suppression.in_force import MARKS_STEP
from tasks.suppression.place_kinds import DELETE, Verb
from tasks.suppression.signed_documents import STEP


def mark_releases(here: Checkout, erasure: str, subject: Subject, verb: Verb, until: Any) -> None:
    """Record what becomes of the releases, before anything of them is removed.

    A release that is marked as retired is never promoted again. A promotion is recorded in a transaction of the ledger
    too, so none can come between the look at the champions and the marks.

    Raises:
        Refused: A release that would be retired is in production.
    """
    day = until.isoformat() if until else None
    marks = [
        {"release": label, "dataset": dataset, "verb": verb, "until": day}
        for label, dataset in sorted(subject.releases.items())
    ]
    with here.ledger.transaction():
        if verb == DELETE:
            _require_not_in_production(here, subject)
        record_step(here, erasure, MARKS_STEP, {"releases": marks})


def record_step(here: Checkout, erasure: str, step: str, body: dict[str, Any]) -> Entry:
    """Record that a step was carried out, and return its entry. Nothing is added if the last entry says the same."""
    wanted = {"step": step} | body
    with here.ledger.transaction():
        known = [entry for entry in here.ledger.entries(STEP, erasure) if entry.body.get("step") == step]
        return known[-1] if known and known[-1].body == wanted else here.ledger.append(STEP, erasure, wanted)


def _require_not_in_production(here: Checkout, subject: Subject) -> None:
    for release in releases.list_releases(here.ledger, here.governance):
        if release.label in subject.releases and releases.CHAMPION in release.aliases:
            raise Refused(
                f"release {release.label} is in production; promote another one before it is retired, or decide "
                "--retrain-by"
            )
