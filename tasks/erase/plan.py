"""Plan of an erasure: the places with something about the person, by kind. Making it changes nothing."""

from typing import NamedTuple

from tasks.erase import affected_runs
from tasks.erase.places import Places
from tasks.erase.present_places import PLACES
from tasks.erase.subject import Subject
from tasks.registry.promote import releases
from tasks.runs.checkout import Checkout
from tasks.suppression.place_kinds import ALWAYS_DECIDED, KINDS, Kind


class ErasurePlan(NamedTuple):
    subject: Subject
    """Person, with all records, runs, datasets and releases that are known now."""
    places: dict[Kind, Places]
    """Places by kind. Kinds without any are left out."""
    unreadable_releases: list[str]
    """Releases whose training data cannot be read on this machine, and that are not known to be affected."""

    @property
    def to_decide(self) -> list[Kind]:
        """Kinds that need a decision, in the order of an execution."""
        return [name for name in KINDS if name in self.places or name in ALWAYS_DECIDED]


def make_plan(here: Checkout, known: Subject) -> ErasurePlan:
    """Find all places with something about a person.

    Args:
        here: Checkout.
        known: Person as in the vault. Runs, datasets and releases that an interrupted execution found are kept.
    """
    found = affected_runs.find_affected(here.state, known.tokens, known.record_keys)
    records = {each.record: each for each in known.records} | found.records
    datasets = sorted({*known.datasets, *found.datasets})
    by_dataset = releases.releases_by_dataset(here.ledger, here.governance)
    trained = {label: sha256 for sha256 in datasets for label in by_dataset.by_name.get(sha256, [])}
    subject = known.model_copy(
        update={
            "records": sorted(records.values(), key=lambda each: (each.source_id, each.row, each.record)),
            "runs": sorted({*known.runs, *found.runs}),
            "datasets": datasets,
            "releases": dict(sorted((known.releases | trained).items())),
        }
    )
    places = {kind: find(here, subject) for kind, find in PLACES.items()}
    affected = _affected_kinds(subject)
    kept = {kind: each for kind, each in places.items() if each.number or kind in affected}
    return ErasurePlan(subject, kept, [each for each in by_dataset.unreadable if each not in subject.releases])


def _affected_kinds(subject: Subject) -> set[Kind]:
    """Return the kinds that need a decision even if nothing of them is left, since a run or release is affected."""
    of_runs: set[Kind] = {"runs", "cache"}
    of_releases: set[Kind] = {"releases"}
    return (of_runs if subject.runs else set()) | (of_releases if subject.releases else set())
