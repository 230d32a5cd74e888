"""Where a person is, for who may look at records of the sources: on the ledger before anything is answered.

That somebody's records are in a source says something of them, so the answer is about those sources alone that `Access`
opens to who asks. It names the others whether the person is in them or not. The value that was looked up, a name or an
address, is nowhere on the ledger: its keyed tokens are.
"""

from dataclasses import dataclass
from pathlib import Path

from tasks.core.errors import InputError, Refused
from tasks.core.layout import EXPERIMENTS
from tasks.inquiry import looks
from tasks.inquiry.access import Access
from tasks.inquiry.lineage import ask
from tasks.inquiry.lineage.ask import Membership
from tasks.inquiry.lineage.tables import Dataset, Read
from tasks.ledger.ledger import Ledger
from tasks.sources import vault_keys
from tasks.sources.protection import IDENTIFYING
from tasks.stages.data.protect.tokens import token


@dataclass(frozen=True)
class Sought:
    members: list[Membership]
    """Of the sources that were looked in."""
    closed: list[str]
    """Sources that were not looked in, each with whom it takes, in words."""


def find(state: Path, value: str, access: Access, reason: str, ledger: Ledger) -> Sought:
    """The records of every dataset that mention a name, an address or a number of a person.

    Raises InputError for an empty value and without a reason, and Refused for who may look at none of the sources.
    """
    if not value.strip():
        raise InputError("--subject is empty; give a name, an address or a number of the person")
    worlds = [each for each in (state, state / EXPERIMENTS) if each == state or (each / vault_keys.FILE).exists()]
    keys = [vault_keys.load(world).tokens for world in worlds]
    tokens = [token(category, value, key) for key in keys for category in sorted(IDENTIFYING)]
    known = {dataset.sha256: dataset for dataset in ask.datasets(state)}
    closed = _closed(list(known.values()), access)
    if known and not any(access.sees(source) for dataset in known.values() for source in dataset.sources):
        raise Refused(f"{access.person.id} may look at records of no source here: {'; '.join(closed)}")
    looks.record(ledger, looks.SOUGHT, "person", access.person.id, reason, {"tokens": tokens})
    members = ask.of_subjects(state, tokens)
    shown = [member for member in members if access.sees(_source(known[member.dataset], member.source_id))]
    return Sought(shown, closed)


def _closed(datasets: list[Dataset], access: Access) -> list[str]:
    closed = {
        f"{source.id} takes {access.whom(source)}"
        for dataset in datasets
        for source in dataset.sources
        if not access.sees(source)
    }
    return sorted(closed)


def _source(dataset: Dataset, source_id: str) -> Read:
    return next(source for source in dataset.sources if source.id == source_id)
