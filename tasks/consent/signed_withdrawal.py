"""Signed statements by which an owner withdraws or restores a source, and their verification in ledger entries.

A restoration is signed twice: by the person, and with the gate key. The second signature confirms that the person was
allowed to restore the source at that time. A restoration therefore stays valid after a change of owner or keys.
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


class WithdrawalNotice(DatedDocument):
    """Withdrawal or restoration of a source: the predicate of an in-toto statement that a person signs.

    The subject of the statement is the source, with the digest of its current declaration.
    """

    verb: Literal["withdraw", "restore"]
    source: Name
    """Id of the source."""
    person: str
    """Id of the person who signs."""
    reason: str
    """Reason given by the person."""
    restores: Sha256 | None
    """SHA-256 of the revoked withdrawal's envelope; null if the document is itself a withdrawal."""
    contents: list[Sha256] = []
    """SHA-256 of each content that the source is known to have had; empty if the document is a restoration. Sources
    with other names but one of these contents are withdrawn too."""
    location: str | None = None
    """Location of the source, as in sources.yaml; null if the document is a restoration or from an early Hallmark
    version."""
    environment: str | None = None
    """Environment in which the gate key's signature is valid; null if the document is a withdrawal."""
    owned_under: str | None = None
    """Governance folder whose sources.yaml lists the signer as owner. It is set only if an owner restores a source that
    another person withdrew. The signature then counts only for this folder, and cannot be used with another one through
    the option `--governance`."""
    time: datetime
    """Time of signing, by the ledger's clock."""


PERSON_KIND = SignedKind(PREDICATE_TYPE, WithdrawalNotice, "a withdrawal", signer_of=lambda notice: notice.person)
COUNTERSIGNATURE_KIND = SignedKind(
    PREDICATE_TYPE,
    WithdrawalNotice,
    "a withdrawal",
    signer_of=lambda _: "gate",
    machines=("gate",),
    body_key="countersigned",
)


@dataclass(frozen=True)
class Withdrawal:
    """Withdrawal in the ledger. It can be unverified, but has the same effect as a verified one."""

    entry: Entry
    sha256: str
    """SHA-256 of the envelope. Restorations refer to the withdrawal by this digest."""
    statement: WithdrawalNotice | None
    """Signed statement; None if it cannot be verified."""
    sources: frozenset[str]
    """Ids of the withdrawn sources. A verified withdrawal has one. For an unverified one, these are all sources that
    the ledger entry and the statement name."""
    contents: frozenset[str]
    """SHA-256 of each withdrawn content. Sources with other names but one of these contents are withdrawn too."""
    location: str | None
    """Location of the source. Sources with other names but the same location are withdrawn too."""
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


def draft_entry(notice: WithdrawalNotice, declaration_sha256: str) -> Draft:
    """Draft the ledger entry for a withdrawal or restoration.

    Args:
        notice: Predicate of the statement to sign.
        declaration_sha256: SHA-256 of the source's current declaration.
    """
    statement = dsse.make_statement(PREDICATE_TYPE, {notice.source: declaration_sha256}, notice.json_value)
    restores = notice.verb == "restore"
    return Draft(RESTORED if restores else WITHDRAWN, notice.source, statement, countersigned=restores)


def read_withdrawal(entry: Entry, governance: Governance) -> Withdrawal:
    """Return the withdrawal in a ledger entry.

    An entry that cannot be verified counts as a withdrawal too. Its `statement` is then None.
    """
    try:
        notice = _verified_notice(entry, PERSON_KIND, governance, "withdraw")
    except HallmarkError as error:
        said = _unverified_predicate(entry)
        contents, location = said.get("contents"), said.get("location")
        digests = frozenset(map(str, contents)) if isinstance(contents, list) else frozenset[str]()
        place = location if isinstance(location, str) else None
        return Withdrawal(entry, _envelope_digest(entry), None, _named_sources(entry), digests, place, str(error))
    about, digests = frozenset({notice.source}), frozenset(notice.contents)
    return Withdrawal(entry, _envelope_digest(entry), notice, about, digests, notice.location, "")


def read_restoration(entry: Entry, governance: Governance) -> WithdrawalNotice | None:
    """Return the restoration in a ledger entry; None if it lacks a valid signature by a person in people.yaml."""
    try:
        return _verified_notice(entry, PERSON_KIND, governance, "restore")
    except HallmarkError:
        return None


def read_countersigned_restoration(entry: Entry, governance: Governance) -> WithdrawalNotice | None:
    """Return the restoration in a ledger entry.

    The result is None unless the gate key has signed the restoration for this environment and governance folder.
    """
    try:
        notice = _verified_notice(entry, COUNTERSIGNATURE_KIND, governance, "restore")
    except HallmarkError:
        return None
    here = notice.environment == governance.policy.environment and notice.owned_under in (
        None,
        governance.relative_folder,
    )
    return notice if here else None


def _verified_notice(
    entry: Entry, kind: SignedKind[WithdrawalNotice], governance: Governance, verb: str
) -> WithdrawalNotice:
    signed = verify_entry(entry, kind, governance)
    if (signed.document.verb, signed.document.source, list(signed.subjects)) != (verb, entry.subject, [entry.subject]):
        raise Refused("what was signed is about something else")
    return signed.document


def _require_envelope(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Refused("it holds no signed envelope")
    return value


def _envelope_digest(entry: Entry) -> str:
    """Return the SHA-256 of an entry's envelope. If the envelope is not valid, return that of the entry's number."""
    try:
        return dsse.envelope_digest(_require_envelope(entry.body.get("envelope")))
    except (Refused, ValueError, RecursionError):
        return sha256_bytes(b"entry %d" % entry.seq)


def _named_sources(entry: Entry) -> frozenset[str]:
    """Return the ids of the sources that an entry and its statement name. Nothing is verified."""
    try:
        statement = dsse.unverified_statement(_require_envelope(entry.body.get("envelope")))
    except Refused:
        return frozenset({entry.subject})
    named = _unverified_predicate(entry).get("source", entry.subject)
    return frozenset({entry.subject, str(named), *map(str, dsse.subject_digests(statement))})


def _unverified_predicate(entry: Entry) -> dict[str, Any]:
    """Return the unverified predicate of an entry's statement; empty if there is none."""
    try:
        predicate: dict[str, Any] = dsse.unverified_statement(_require_envelope(entry.body.get("envelope")))[
            "predicate"
        ]
    except Refused:
        return {}
    return predicate
