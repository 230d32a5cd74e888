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


SignedModel = TypeVar("SignedModel", bound=DatedDocument)


class PeopleById(Protocol):
    def get(self, person_id: str, /) -> Person | None: ...


class KeyDirectory(Protocol):
    """Keys of people and machines with their validity periods: a `Governance`, or a release's copy of it."""

    @property
    def people(self) -> PeopleById: ...

    def keys_of(self, who: Person | MachineName) -> Sequence[Key]: ...


class EntryDirectory(KeyDirectory, Protocol):
    """Keys, and the times at which ledger entries count as recorded: a `Governance`."""

    def recorded_at(self, entry: Entry, /) -> datetime: ...


@dataclass(frozen=True)
class SignedKind(Generic[SignedModel]):
    uri: str
    model: type[SignedModel]
    label: str
    """Name of the kind with its article, such as `a decision`, for error messages."""
    signer_of: Callable[[SignedModel], str]
    """Function that returns the id of the person or machine that must have signed a document."""
    machines: tuple[MachineName, ...] = ()
    body_key: str = "envelope"
    subjects_of: Callable[[SignedModel], dict[str, str]] | None = None
    """Function that returns the SHA-256 of each subject by name; None if the document does not determine them."""

    def statement(self, said: SignedModel) -> dict[str, Any]:
        assert self.subjects_of is not None
        return dsse.make_statement(self.uri, self.subjects_of(said), said.json_value)

    def unverified_document(self, envelope: Mapping[str, Any]) -> SignedModel:
        """Return the document in an envelope without verifying its signature.

        Raises:
            Refused: The envelope contains a document of another kind.
        """
        return dsse.read_predicate(dsse.unverified_statement(envelope), self.uri, self.model, self.label)


@dataclass(frozen=True)
class SignedDocument(Generic[SignedModel]):
    document: SignedModel
    person: Person | None
    effective_at: datetime
    """Time from which the document is valid: its signing time or the time at which its ledger entry counts as recorded
    (signed_times.py), whichever is later. Backdating therefore has no effect."""
    subjects: dict[str, str]
    envelope: dict[str, Any]

    @property
    def sha256(self) -> str:
        return dsse.envelope_digest(self.envelope)

    @property
    def keyid(self) -> str:
        return dsse.unverified_signers(self.envelope)[0]


def verify_entry(entry: Entry, kind: SignedKind[SignedModel], signers: EntryDirectory) -> SignedDocument[SignedModel]:
    """Verify an entry and return its signed document.

    Raises:
        Refused: The entry is not a signed document of this kind, or the signature is not valid.
        InputError: The signer has no key.
    """
    return verify_envelope(entry.body.get(kind.body_key), kind, signers, signers.recorded_at(entry))


def verify_envelope(
    envelope: Any, kind: SignedKind[SignedModel], signers: KeyDirectory, recorded_at: datetime | None = None
) -> SignedDocument[SignedModel]:
    """Verify an envelope, for example one in a release, and return its signed document.

    Args:
        envelope: Envelope to verify.
        kind: Kind of the document.
        signers: Keys of people and machines.
        recorded_at: Time at which the ledger entry of the envelope counts as recorded; None if there is no entry.

    Raises:
        Refused: The envelope does not contain a signed document of this kind, or the signature is not valid.
        InputError: The signer has no key.
    """
    if not isinstance(envelope, dict):
        raise Refused("there is no signed envelope")
    said = kind.unverified_document(envelope)
    who, at = kind.signer_of(said), max(said.time, recorded_at or said.time)
    signer = _find_signer(who, kind.machines, signers)
    subjects = dsse.subject_digests(validity.verify_at_time(envelope, signers.keys_of(signer), at, who))
    if kind.subjects_of and subjects != kind.subjects_of(said):
        raise Refused(f"{kind.label} says that it is about something else than what was signed")
    return SignedDocument(said, signer if isinstance(signer, Person) else None, at, subjects, envelope)


def _find_signer(who: str, machines: tuple[MachineName, ...], signers: KeyDirectory) -> Person | MachineName:
    for machine in MACHINES:
        if machine == who and machine in machines:
            return machine
    person = signers.people.get(who)
    if person is None:
        raise Refused(f"{who} is not in people.yaml")
    return person
