"""The person of an erasure: values, tokens and records, in an encrypted document of the vault.

The document exists from the request to the certificate. Nothing outside the vault has a value of the person.
"""

from pathlib import Path

from tasks.core.documents.config import FrozenModel
from tasks.core.errors import InputError
from tasks.core.layout import EXPERIMENTS_FOLDER
from tasks.sources import vault_keys
from tasks.sources.suppression_digests import person_digests
from tasks.sources.vault import open_vault


class SubjectRecord(FrozenModel):
    record: str
    """First 16 hex digits of the record's id."""
    source_id: str
    row: int


class Subject(FrozenModel):
    """Person who is to be forgotten."""

    values: list[str]
    """Values that are this person's alone, such as an e-mail address."""
    tokens: list[str]
    """Tokens of these values, in every vault of the checkout."""
    shared: list[str] = []
    """Tokens of names that new rows may mention, because another identifier of the person is known. Other people can
    have the name."""
    records: list[SubjectRecord]
    rows: list[str] = []
    """Digests of records that no suppressed token recognises (`tasks.sources.suppression_digests.row_digest`)."""
    companions: int = 0
    """Number of other tokens in these records, which nobody gave as the person's."""
    runs: list[str] = []
    """Ids of the runs that had a record of the person when the execution began."""
    datasets: list[str] = []
    """Digests of the datasets that had a record of the person when the execution began."""
    releases: dict[str, str] = {}
    """Digest of the dataset by release that was trained or tested on it. It outlasts the payload of the release."""
    planned: dict[str, int] = {}
    """Number of items by kind when the execution began."""

    @property
    def digests(self) -> list[str]:
        suppressed = [token for token in self.tokens if token not in self.shared]
        return sorted({*person_digests(suppressed), *self.rows})

    @property
    def record_keys(self) -> set[str]:
        return {each.record for each in self.records}


def worlds(state: Path) -> list[Path]:
    """Return the state folders that have a vault of their own: that of governed runs, and that of experiments."""
    return [
        each for each in (state, state / EXPERIMENTS_FOLDER) if each == state or (each / vault_keys.KEY_FILE).exists()
    ]


def seal(state: Path, erasure: str, subject: Subject) -> None:
    open_vault(state).write_document(_name(erasure), subject.model_dump_json())


def find_sealed(state: Path, erasure: str) -> Subject | None:
    text = open_vault(state).read_document(_name(erasure))
    return Subject.model_validate_json(text) if text else None


def unseal(state: Path, erasure: str) -> Subject:
    """Return the person of an erasure.

    Raises:
        InputError: The vault does not have the person any more.
    """
    subject = find_sealed(state, erasure)
    if subject is None:
        raise InputError(
            f"the vault does not know whom erasure {erasure} is about: it was certified, or it was interrupted before "
            "it knew; ask for it again with the same value: hallmark erase request"
        )
    return subject


def forget(state: Path, erasure: str) -> None:
    open_vault(state).remove_values([_name(erasure)])


def _name(erasure: str) -> str:
    return f"erasure:{erasure}"
