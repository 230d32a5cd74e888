"""Verification of signed envelopes in ledger entries and releases, the same for every kind.

A kind defines the content of its statement, its signer and its subjects. A reader receives the document after its
signature was verified with a key that was valid both at signing and at recording. The reader checks everything else
that a kind requires, for example roles. A new signed kind consists of a document and a `SignedKind`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

from tasks.core.documents.document import Document
from tasks.core.errors import Refused
from tasks.ledger.ledger import Entry
from tasks.policy.people import MACHINES, MachineName, Person
from tasks.trust import dsse, validity
from tasks.trust.validity import Key


class DatedDocument(Document):
    """Document with the time at which it was signed, by the ledger's clock."""

    time: datetime


Said = TypeVar("Said", bound=DatedDocument)


class PeopleById(Protocol):
    def get(self, person_id: str, /) -> Person | None: ...


class KeyDirectory(Protocol):
    """Keys of people and machines with their validity periods: a `Governance`, or a release's copy of it."""

    @property
    def people(self) -> PeopleById: ...

    def keys_of(self, who: Person | MachineName) -> Sequence[Key]: ...


@dataclass(frozen=True)
class SignedKind(Generic[Said]):
    uri: str
    model: type[Said]
    label: str
    """Name of the kind with its article, such as `a decision`, for error messages."""
    signer_of: Callable[[Said], str]
    """Function that returns the id of the person or machine that must have signed a document."""
    machines: tuple[MachineName, ...] = ()
    body_key: str = "envelope"
    subjects_of: Callable[[Said], dict[str, str]] | None = None
    """Function that returns the SHA-256 of each subject by name; None if the document does not determine them."""

    def statement(self, said: Said) -> dict[str, Any]:
        assert self.subjects_of is not None
        return dsse.statement(self.uri, self.subjects_of(said), said.json_value)

    def predicate(self, envelope: Mapping[str, Any]) -> Said:
        """Return the document in an envelope without verifying its signature.

        Raises:
            Refused: The envelope contains a document of another kind.
        """
        return dsse.read_predicate(dsse.unverified_statement(envelope), self.uri, self.model, self.label)


@dataclass(frozen=True)
class SignedDocument(Generic[Said]):
    document: Said
    person: Person | None
    effective_at: datetime
    """Time from which the document is in force: the later of its own time and its ledger entry's. Backdating has no
    effect."""
    subjects: dict[str, str]
    envelope: dict[str, Any]

    @property
    def sha256(self) -> str:
        return dsse.digest(self.envelope)

    @property
    def keyid(self) -> str:
        return dsse.unverified_signers(self.envelope)[0]


def verify_entry(entry: Entry, kind: SignedKind[Said], signers: KeyDirectory) -> SignedDocument[Said]:
    """Verify an entry and return its signed document.

    Raises:
        Refused: The entry is not a signed document of this kind, or the signature is not valid.
        InputError: The signer has no key.
    """
    return verify_envelope(entry.body.get(kind.body_key), kind, signers, entry.time)


def verify_envelope(
    envelope: Any, kind: SignedKind[Said], signers: KeyDirectory, recorded: datetime | None = None
) -> SignedDocument[Said]:
    """Verify an envelope, for example one in a release, and return its signed document.

    Args:
        envelope: Envelope to verify.
        kind: Kind of the document.
        signers: Keys of people and machines.
        recorded: Time of the ledger entry that holds the envelope; None if there is no entry.

    Raises:
        Refused: The envelope does not contain a signed document of this kind, or the signature is not valid.
        InputError: The signer has no key.
    """
    if not isinstance(envelope, dict):
        raise Refused("there is no signed envelope")
    said = kind.predicate(envelope)
    who, at = kind.signer_of(said), max(said.time, recorded or said.time)
    signer = _signer(who, kind.machines, signers)
    subjects = dsse.subjects(validity.verify(envelope, signers.keys_of(signer), at, who))
    if kind.subjects_of and subjects != kind.subjects_of(said):
        raise Refused(f"{kind.label} says that it is about something else than what was signed")
    return SignedDocument(said, signer if isinstance(signer, Person) else None, at, subjects, envelope)


def _signer(who: str, machines: tuple[MachineName, ...], signers: KeyDirectory) -> Person | MachineName:
    for machine in MACHINES:
        if machine == who and machine in machines:
            return machine
    person = signers.people.get(who)
    if person is None:
        raise Refused(f"{who} is not in people.yaml")
    return person
