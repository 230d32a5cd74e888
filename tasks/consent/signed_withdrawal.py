"""What an owner signs who takes a source back or gives it again, and how entries of the ledger are read.

A restoration is signed twice: by the person, and by this installation's key, which says that whoever signed could give
the source again when they did. So it outlasts a change of owner and of keys.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from tasks.core.errors import HallmarkError, Refused
from tasks.core.files import sha256_bytes
from tasks.core.params.values import Name, Sha256
from tasks.ledger.ledger import Entry
from tasks.policy.governance import Governance
from tasks.policy.read_signed import Dated, Kind, read_signed
from tasks.policy.signed_entry import Draft
from tasks.trust import dsse

WITHDRAWN, RESTORED = "source.withdrawn", "source.restored"
"""Kinds of ledger entries; their subject is the source's id."""
PREDICATE_TYPE = "urn:hallmark:source-withdrawal:v1"


class Notice(Dated):
    """The predicate; the statement's subject is the source, by the digest of its declaration then."""

    verb: Literal["withdraw", "restore"]
    source: Name
    person: str
    reason: str
    restores: Sha256 | None
    """Of restore: the digest of the withdrawal that it takes back."""
    contents: list[Sha256] = []
    """Of withdraw: the digests of what the source held, as far as is known: the same under another name is withdrawn
    too."""
    location: str | None = None
    """Of withdraw: where it lies, as sources.yaml writes it; null in what an earlier version wrote."""
    environment: str | None = None
    """Of restore: the one in which the installation's signature counts."""
    owned_under: str | None = None
    """Of restore, by the owner of what somebody else withdrew: the governance folder that says so. The installation's
    signature counts under that one alone, since `--governance` may name any."""
    time: datetime
    """The ledger's time when it was signed."""


BY_PERSON = Kind(PREDICATE_TYPE, Notice, "a withdrawal", by=lambda notice: notice.person)
BY_INSTALLATION = Kind(
    PREDICATE_TYPE, Notice, "a withdrawal", by=lambda _: "gate", machines=("gate",), part="countersigned"
)


@dataclass(frozen=True)
class Withdrawal:
    """A withdrawal in the ledger."""

    entry: Entry
    sha256: str
    """Of its envelope, by which restorations name it."""
    notice: Notice | None
    """None: it cannot be verified."""
    about: frozenset[str]
    """The source that was signed; where it cannot be verified, what the entry and the statement name."""
    contents: frozenset[str]
    location: str | None
    """What a source of another name may not hold, and where it may not lie."""
    why_not: str
    """Why it cannot be verified; empty where it was."""

    @property
    def person(self) -> str | None:
        return self.notice.person if self.notice else None

    def __str__(self) -> str:
        names, when = " and ".join(sorted(self.about)), f"{self.entry.time:%Y-%m-%d %H:%M} UTC"
        if self.notice:
            return f"source {names} was withdrawn by {self.notice.person} on {when} ({self.notice.reason})"
        return (
            f"source {names} was withdrawn on {when}, as entry {self.entry.seq} of the ledger says, which cannot be "
            f"verified: {self.why_not}. It was changed, or people.yaml no longer has who made it, or the key that they "
            "had then: put them back, with roles and keys that ended"
        )


def draft(notice: Notice, declared: str) -> Draft:
    """Of the ledger's entry. `declared` is the digest of the source's declaration."""
    statement = dsse.statement(PREDICATE_TYPE, {notice.source: declared}, notice.said)
    restores = notice.verb == "restore"
    return Draft(RESTORED if restores else WITHDRAWN, notice.source, statement, countersigned=restores)


def withdrawal(entry: Entry, governance: Governance) -> Withdrawal:
    """What an entry withdraws; one that cannot be verified does so too."""
    try:
        notice = _signed(entry, BY_PERSON, governance, "withdraw")
    except HallmarkError as error:
        said = _said(entry)
        contents, location = said.get("contents"), said.get("location")
        held = frozenset(map(str, contents)) if isinstance(contents, list) else frozenset[str]()
        place = location if isinstance(location, str) else None
        return Withdrawal(entry, _digest(entry), None, _named(entry), held, place, str(error))
    about, held = frozenset({notice.source}), frozenset(notice.contents)
    return Withdrawal(entry, _digest(entry), notice, about, held, notice.location, "")


def restoration(entry: Entry, governance: Governance) -> Notice | None:
    """What an entry restores, as a person of people.yaml signed it; None where nobody has."""
    try:
        return _signed(entry, BY_PERSON, governance, "restore")
    except HallmarkError:
        return None


def countersigned(entry: Entry, governance: Governance) -> Notice | None:
    """What an entry restores, as this installation signed it for this environment; None where it has not."""
    try:
        notice = _signed(entry, BY_INSTALLATION, governance, "restore")
    except HallmarkError:
        return None
    here = notice.environment == governance.policy.environment and notice.owned_under in (None, governance.place)
    return notice if here else None


def _signed(entry: Entry, kind: Kind[Notice], governance: Governance, verb: str) -> Notice:
    """What was signed about what the entry says. Raises Refused where that is something else."""
    signed = read_signed(entry, kind, governance)
    if (signed.said.verb, signed.said.source, list(signed.subjects)) != (verb, entry.subject, [entry.subject]):
        raise Refused("what was signed is about something else")
    return signed.said


def _envelope(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Refused("it holds no signed envelope")
    return value


def _digest(entry: Entry) -> str:
    """As `dsse.digest` of the envelope; of the entry's place where there is none that has a spelling."""
    try:
        return dsse.digest(_envelope(entry.body.get("envelope")))
    except (Refused, ValueError, RecursionError):
        return sha256_bytes(b"entry %d" % entry.seq)


def _named(entry: Entry) -> frozenset[str]:
    """The sources that an entry and its statement name, whoever wrote them."""
    try:
        statement = dsse.peek(_envelope(entry.body.get("envelope")))
    except Refused:
        return frozenset({entry.subject})
    named = _said(entry).get("source", entry.subject)
    return frozenset({entry.subject, str(named), *map(str, dsse.subjects(statement))})


def _said(entry: Entry) -> dict[str, Any]:
    """The predicate, whoever signed it; empty where there is none."""
    try:
        predicate: dict[str, Any] = dsse.peek(_envelope(entry.body.get("envelope")))["predicate"]
    except Refused:
        return {}
    return predicate
