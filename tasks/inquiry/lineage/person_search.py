"""Search for a person in all datasets. The search is recorded in the ledger before any result is returned.

Even the fact that a source has records of a person says something about them. The search therefore covers only sources
to which the searcher has access. All other sources are listed, whether or not they mention the person. The ledger does
not contain the value that was searched for, such as a name, but only its keyed tokens.
"""

from dataclasses import dataclass
from pathlib import Path

from tasks.core.errors import InputError, Refused
from tasks.core.layout import EXPERIMENTS_FOLDER
from tasks.inquiry import access_entries
from tasks.inquiry.access import Access
from tasks.inquiry.lineage import queries
from tasks.inquiry.lineage.queries import Membership
from tasks.inquiry.lineage.tables import IndexedDataset, IndexedSource
from tasks.ledger.ledger import Ledger
from tasks.sources import vault_keys
from tasks.sources.protection import IDENTIFYING_CATEGORIES
from tasks.stages.data.protect.tokens import make_search_tokens


@dataclass(frozen=True)
class PersonSearchResult:
    memberships: list[Membership]
    unsearched_sources: list[str]
    """Sources that were not searched, each with a description of the people who have access."""


def find_person(state: Path, value: str, access: Access, reason: str, ledger: Ledger) -> PersonSearchResult:
    """Find the records of every dataset that mention a person.

    Args:
        state: State folder of the installation.
        value: Name, address or number of the person.
        access: Access of the searcher.
        reason: Reason to record in the ledger.
        ledger: Ledger of the installation.

    Raises:
        InputError: The value or the reason is empty.
        Refused: The searcher has access to none of the sources.
    """
    if not value.strip():
        raise InputError("--subject is empty; give a name, an address or a number of the person")
    state_folders = [
        each for each in (state, state / EXPERIMENTS_FOLDER) if each == state or (each / vault_keys.KEY_FILE).exists()
    ]
    keys = [vault_keys.load_keys(folder).tokens for folder in state_folders]
    tokens = [
        token
        for key in keys
        for category in sorted(IDENTIFYING_CATEGORIES)
        for token in make_search_tokens(category, value, key)
    ]
    known = {dataset.sha256: dataset for dataset in queries.list_datasets(state)}
    closed = _unsearched_sources(list(known.values()), access)
    if known and not any(access.may_read(source) for dataset in known.values() for source in dataset.sources):
        raise Refused(f"{access.person.id} may look at records of no source here: {'; '.join(closed)}")
    access_entries.record_access(
        ledger, access_entries.PERSON_SOUGHT, "person", access.person.id, reason, {"tokens": tokens}
    )
    members = queries.memberships_of_subjects(state, tokens)
    shown = [member for member in members if access.may_read(_find_source(known[member.dataset], member.source_id))]
    return PersonSearchResult(shown, closed)


def _unsearched_sources(datasets: list[IndexedDataset], access: Access) -> list[str]:
    closed = {
        f"{source.id} takes {access.describe_readers(source)}"
        for dataset in datasets
        for source in dataset.sources
        if not access.may_read(source)
    }
    return sorted(closed)


def _find_source(dataset: IndexedDataset, source_id: str) -> IndexedSource:
    return next(source for source in dataset.sources if source.id == source_id)
