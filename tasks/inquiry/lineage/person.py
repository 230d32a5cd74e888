"""Search for a person in all datasets. The ledger has an entry before anything is answered.

Even the fact that a source has records of a person says something about them. So the search covers only sources that
the searcher has access to. All other sources are named, whether or not the person is in them. The ledger does not
contain the value that was searched for, such as a name, but only its keyed tokens.
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
    """Records in the sources that were searched."""
    closed: list[str]
    """Sources that were not searched, each with the people and roles that have access, in words."""


def find(state: Path, value: str, access: Access, reason: str, ledger: Ledger) -> Sought:
    """Return the records of every dataset that mention a person.

    Args:
        state: State folder of the installation.
        value: Name, address or number of the person.
        access: Access of the searcher.
        reason: Reason to enter in the ledger.
        ledger: Ledger of the installation.

    Raises:
        InputError: The value or the reason is empty.
        Refused: The searcher has access to none of the sources.
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
