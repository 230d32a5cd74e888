"""Signed statements by which an owner withdraws or restores a source, and their verification in ledger entries.

A restoration is signed twice: by the person, and by the gate key, which confirms that the person was allowed to restore
the source at that time. A restoration therefore stays valid after a change of owner or keys.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from tasks.core.errors import HallmarkError, Refused
from tasks.core.files import sha256_bytes
from tasks.core.formatting import format_time
from tasks.core.params.values import Name, Sha256
from tasks.ledger.ledger import Entry
from tasks.policy.governance import Governance
from tasks.policy.signed_document import DatedDocument, SignedKind, verify_entry
from tasks.policy.signed_entry import Draft
from tasks.trust import dsse

WITHDRAWN, RESTORED = "source.withdrawn", "source.restored"
PREDICATE_TYPE = "urn:hallmark:source-withdrawal:v1"


class Notice(DatedDocument):
    """Withdrawal or restoration as a person signs it: the predicate of an in-toto statement.

    The statement's subject is the source, with the digest of its current declaration.
    """

    verb: Literal["withdraw", "restore"]
    source: Name
    """Id of the source."""
    person: str
    """Id of the person who signs."""
    reason: str
    """Reason given by the person."""
    restores: Sha256 | None
    """SHA-256 of the envelope of the withdrawal that is revoked; null for withdrawals."""
    contents: list[Sha256] = []
    """SHA-256 of each known content of the source; empty for restorations. A source with the same content and another
    name is withdrawn too."""
    location: str | None = None
    """Location of the source, as in sources.yaml; null for restorations, and in statements of earlier versions."""
    environment: str | None = None
    """Environment in which the gate key's signature is valid; null for withdrawals."""
    owned_under: str | None = None
    """Governance folder that names the owner, if the owner restores a source that another person withdrew. The gate
    key's signature is valid only under this folder, because `--governance` can name any folder."""
    time: datetime
    """Time of signing, by the ledger's clock."""


PERSON_KIND = SignedKind(PREDICATE_TYPE, Notice, "a withdrawal", signer_of=lambda notice: notice.person)
COUNTERSIGNATURE_KIND = SignedKind(
    PREDICATE_TYPE, Notice, "a withdrawal", signer_of=lambda _: "gate", machines=("gate",), body_key="countersigned"
)


@dataclass(frozen=True)
class Withdrawal:
    """Withdrawal in the ledger, verified or unverified."""

    entry: Entry
    sha256: str
    """SHA-256 of the envelope, which identifies the withdrawal in restorations."""
    statement: Notice | None
    """Signed statement; None if it cannot be verified."""
    sources: frozenset[str]
    """Ids of the withdrawn sources: the signed one, or all that an unverified entry and its statement name."""
    contents: frozenset[str]
    """SHA-256 of the withdrawn contents. Sources of other names with one of these contents are withdrawn too."""
    location: str | None
    """Location of the source. Sources of other names at the same location are withdrawn too."""
    verification_error: str
    """Reason why the withdrawal cannot be verified; empty if it can."""

    @property
    def person(self) -> str | None:
        return self.statement.person if self.statement else None

    def __str__(self) -> str:
        names, when = " and ".join(sorted(self.sources)), format_time(self.entry.time)
        if self.statement:
            return f"source {names} was withdrawn by {self.statement.person} on {when} ({self.statement.reason})"
        return (
            f"source {names} was withdrawn on {when}, as entry {self.entry.seq} of the ledger says, which cannot be "
            f"verified: {self.verification_error}. It was changed, or people.yaml no longer has who made it, or the "
            "key that they had then: put them back, with roles and keys that ended"
        )


def draft(notice: Notice, declared: str) -> Draft:
    """Return the draft of a ledger entry for a withdrawal or restoration.

    Args:
        notice: Predicate of the statement.
        declared: SHA-256 of the source's declaration.
    """
    statement = dsse.statement(PREDICATE_TYPE, {notice.source: declared}, notice.json_value)
    restores = notice.verb == "restore"
    return Draft(RESTORED if restores else WITHDRAWN, notice.source, statement, countersigned=restores)


def withdrawal(entry: Entry, governance: Governance) -> Withdrawal:
    """Return the withdrawal in an entry.

    An entry that cannot be verified also counts as a withdrawal. Its `statement` is None.
    """
    try:
        notice = _verified_notice(entry, PERSON_KIND, governance, "withdraw")
    except HallmarkError as error:
        said = _predicate(entry)
        contents, location = said.get("contents"), said.get("location")
        digests = frozenset(map(str, contents)) if isinstance(contents, list) else frozenset[str]()
        place = location if isinstance(location, str) else None
        return Withdrawal(entry, _digest(entry), None, _named_sources(entry), digests, place, str(error))
    about, digests = frozenset({notice.source}), frozenset(notice.contents)
    return Withdrawal(entry, _digest(entry), notice, about, digests, notice.location, "")


def restoration(entry: Entry, governance: Governance) -> Notice | None:
    """Return the restoration in an entry; None if it has no valid signature of a person in people.yaml."""
    try:
        return _verified_notice(entry, PERSON_KIND, governance, "restore")
    except HallmarkError:
        return None


def countersigned_restoration(entry: Entry, governance: Governance) -> Notice | None:
    """Return the restoration in an entry; None unless the gate key signed it for this environment and governance."""
    try:
        notice = _verified_notice(entry, COUNTERSIGNATURE_KIND, governance, "restore")
    except HallmarkError:
        return None
    here = notice.environment == governance.policy.environment and notice.owned_under in (
        None,
        governance.relative_folder,
    )
    return notice if here else None


def _verified_notice(entry: Entry, kind: SignedKind[Notice], governance: Governance, verb: str) -> Notice:
    signed = verify_entry(entry, kind, governance)
    if (signed.document.verb, signed.document.source, list(signed.subjects)) != (verb, entry.subject, [entry.subject]):
        raise Refused("what was signed is about something else")
    return signed.document


def _envelope(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Refused("it holds no signed envelope")
    return value


def _digest(entry: Entry) -> str:
    """Return the SHA-256 of an entry's envelope, or of its sequence number if it has no valid envelope."""
    try:
        return dsse.digest(_envelope(entry.body.get("envelope")))
    except (Refused, ValueError, RecursionError):
        return sha256_bytes(b"entry %d" % entry.seq)


def _named_sources(entry: Entry) -> frozenset[str]:
    """Return the ids of the sources that an entry and its statement name, without verification."""
    try:
        statement = dsse.unverified_statement(_envelope(entry.body.get("envelope")))
    except Refused:
        return frozenset({entry.subject})
    named = _predicate(entry).get("source", entry.subject)
    return frozenset({entry.subject, str(named), *map(str, dsse.subjects(statement))})


def _predicate(entry: Entry) -> dict[str, Any]:
    """Return the predicate of an entry's statement, without verification; empty if there is none."""
    try:
        predicate: dict[str, Any] = dsse.unverified_statement(_envelope(entry.body.get("envelope")))["predicate"]
    except Refused:
        return {}
    return predicate
