"""Conditions of a certificate: everything was carried out as decided last, and the search leaves nothing open."""

from collections.abc import Iterable, Mapping

from tasks.core.errors import Refused
from tasks.erase import verification
from tasks.erase.execution import LEFTOVERS_STEP, Ruling
from tasks.erase.steps import STEPS
from tasks.erase.subject import Subject
from tasks.erase.verification import SearchResult
from tasks.suppression.cases import ErasureCase
from tasks.suppression.place_kinds import DELETE, Kind


def require_carried_out(case: ErasureCase, rulings: Mapping[Kind, Ruling]) -> None:
    """Verify that each step was carried out as decided last, and that a search followed the last decision.

    Raises:
        Refused: An execution is missing.
    """
    verbs = {step: entry.body.get("verb") for step, entry in case.steps.items()}
    open_kinds = [kind for kind, ruling in rulings.items() if kind in STEPS and verbs.get(kind) != ruling.verb]
    last = case.steps.get(LEFTOVERS_STEP)
    if open_kinds or last is None or last.seq < case.last_decided:
        named = f" ({', '.join(open_kinds)})" if open_kinds else ""
        raise Refused(
            f"erasure {case.id} was not carried out to its end{named}, as it was decided last: hallmark erase execute "
            f"{case.id}"
        )


def require_sources_searched(rulings: Mapping[Kind, Ruling], known: Subject, found: SearchResult) -> None:
    """Verify that the person's sources were searched for a value, if the rows are said to be taken out.

    Raises:
        Refused: There is no value to search for, or a source cannot be opened.
    """
    ruling = rulings.get("source")
    if ruling is None or ruling.verb != DELETE:
        return
    how = "have it decided that source is kept: hallmark erase decide ID source --keep --until YYYY-MM-DD"
    if not known.values:
        raise Refused(
            "the sources cannot be searched, since no value of the person is known but ids of records alone, so nobody "
            f"can say that the rows are gone. Ask for the erasure with --subject, or {how}"
        )
    names = sorted({each.source_id for each in known.records})
    if missing := [name for name in names if _is_named(name, found.not_searched)]:
        raise Refused(
            f"source {', '.join(missing)} could not be searched, so nobody can say that the rows are gone. Make it "
            f"readable, or {how}"
        )


def _is_named(source: str, not_searched: Iterable[str]) -> bool:
    """Return whether a source, or a part of it that could not be unpacked, is among what was not searched."""
    return any(text.startswith((f"source {source},", f"source {source}:")) for text in not_searched)


def require_nothing_left(erasure: str, rulings: Mapping[Kind, Ruling], found: SearchResult) -> None:
    """Verify that something of the person is only where it was decided to be kept.

    Raises:
        Refused: Something is left elsewhere.
    """
    kept = [kind for kind, ruling in rulings.items() if ruling.verb != DELETE]
    if left := verification.undecided(found.places, kept):
        named = "; ".join(f"{place.kind} {place.path} ({', '.join(place.what)})" for place in left[:5])
        raise Refused(
            f"{len(left):,} places still have something of the person that nobody decided to keep: {named}. Remove "
            "them, or have it decided that what is left is kept (hallmark erase decide ID KIND --keep --until "
            f"YYYY-MM-DD), then: hallmark erase execute {erasure}"
        )
