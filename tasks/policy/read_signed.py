"""How what somebody signed is read, from an entry of the ledger or a release: one way for every kind.

A kind says what its statement holds, who has to have signed it, and what the statement is about. Whoever reads an entry
gets all of that verified, with a key that counted both when it was signed and when it was recorded. What a kind asks
besides, of roles say, is for whoever reads it. A new signed kind is a document and a `Kind`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

from tasks.core.document import Document
from tasks.core.errors import Refused
from tasks.ledger.ledger import Entry
from tasks.policy.people import MACHINES, MachineName, Person
from tasks.trust import dsse, validity
from tasks.trust.validity import Key


class Dated(Document):
    """A document that says when it was signed, by the ledger's time."""

    time: datetime


Said = TypeVar("Said", bound=Dated)


class Known(Protocol):
    """People by their id."""

    def get(self, person_id: str, /) -> Person | None: ...


class Signers(Protocol):
    """Whose keys count, and when: a `Governance`, or what a release says that it was."""

    @property
    def people(self) -> Known: ...

    def keys_of(self, who: Person | MachineName) -> Sequence[Key]: ...


@dataclass(frozen=True)
class Kind(Generic[Said]):
    uri: str
    """Of the statement's predicate."""
    form: type[Said]
    what: str
    """With its article, for messages: `a decision`."""
    by: Callable[[Said], str]
    """The person, or the one of `machines`, that has to have signed it."""
    machines: tuple[MachineName, ...] = ()
    part: str = "envelope"
    """The key in the entry's body that has the envelope."""

    def said(self, envelope: Mapping[str, Any]) -> Said:
        """What an envelope says, whoever signed it. Raises Refused where it says something else."""
        return dsse.predicate(dsse.peek(envelope), self.uri, self.form, self.what)


@dataclass(frozen=True)
class Signed(Generic[Said]):
    said: Said
    person: Person | None
    """None: a machine signed it."""
    at: datetime
    """When it counts from: a time moved back, in the entry or by the signer, gains nothing."""
    subjects: dict[str, str]
    envelope: dict[str, Any]

    @property
    def sha256(self) -> str:
        """`dsse.digest` of the envelope, by which others name it."""
        return dsse.digest(self.envelope)

    @property
    def keyid(self) -> str:
        """Fingerprint of the key that signed."""
        return dsse.signers(self.envelope)[0]


def read_signed(entry: Entry, kind: Kind[Said], signers: Signers) -> Signed[Said]:
    """What an entry says, signed by whom it names. Raises Refused where it is not, InputError for who has no key."""
    return read_envelope(entry.body.get(kind.part), kind, signers, entry.time)


def read_envelope(envelope: Any, kind: Kind[Said], signers: Signers, recorded: datetime | None = None) -> Signed[Said]:
    """The same of an envelope that stands in no entry: in a release, or not recorded yet."""
    if not isinstance(envelope, dict):
        raise Refused("there is no signed envelope")
    said = kind.said(envelope)
    who, at = kind.by(said), max(said.time, recorded or said.time)
    signer = _signer(who, kind.machines, signers)
    subjects = dsse.subjects(validity.verify(envelope, signers.keys_of(signer), at, who))
    return Signed(said, signer if isinstance(signer, Person) else None, at, subjects, envelope)


def _signer(who: str, machines: tuple[MachineName, ...], signers: Signers) -> Person | MachineName:
    for machine in MACHINES:
        if machine == who and machine in machines:
            return machine
    person = signers.people.get(who)
    if person is None:
        raise Refused(f"{who} is not in people.yaml")
    return person
