"""Signed documents of an erasure: the request, a decision about a kind of places, and the certificate.

None of them has a value, token or record id of the person. They refer to the person by keyed digests
(`tasks.sources.suppression_digests`).
"""

from datetime import date, datetime

from tasks.core.documents.config import FrozenModel
from tasks.core.files import sha256_bytes
from tasks.core.json_text import canonical_json
from tasks.core.params.values import Name, NonEmptyText, Sha256
from tasks.policy.signed_document import DatedDocument, SignedKind
from tasks.suppression.place_kinds import Kind, Verb

REQUESTED, DECIDED, STEP, CERTIFIED = "erasure.requested", "erasure.decided", "erasure.step", "erasure.certified"
"""Kinds of ledger entries about an erasure. The subject of each entry is the id of the erasure."""


class ErasureRequest(DatedDocument):
    """Request to forget a person, signed by the person who verified who asks."""

    erasure: Name
    """Id of the erasure."""
    environment: Name
    person: Name
    """Id of the person who verified the identity of whoever asks, and who signs this document."""
    identity_check: NonEmptyText
    """Description of how the identity of the person who asks was verified."""
    basis: NonEmptyText
    """Legal basis, for example `GDPR Art. 17 (1) b`."""
    deadline: date
    """Day by which the erasure must be done."""
    records: int
    """Number of records about the person that were found, in all datasets."""
    sources: list[Name]
    """Ids of the sources of these records, sorted. Their owners may decide."""
    suppressed: list[Sha256]
    """Digests of the person's tokens and rows, by which `ingest` leaves their rows out; sorted."""


class ErasureDecision(DatedDocument):
    """Decision about all places of one kind. A later decision of the same kind replaces it."""

    erasure: Name
    request: Sha256
    """SHA-256 of the request's envelope."""
    environment: Name
    person: Name
    """Id of the person who decides and signs."""
    kind: Kind
    verb: Verb
    """Decision: `delete`, `keep`, or `retrain` for releases that another release replaces."""
    reason: NonEmptyText
    until: date | None = None
    """Day until which the places are kept or by which a release is replaced; null if they are deleted, or kept as long
    as the ledger."""


class KindOutcome(FrozenModel):
    """Outcome of an erasure for one kind of places."""

    kind: Kind
    verb: Verb
    reason: str
    until: date | None
    decided_by: Name
    removed: int
    """Number of rows, files or other items that were there when the execution began and are gone. Of sources, which
    their owners change, it is the number of rows if the search of the sources found nothing any more."""
    remaining: int
    """Number of places in which something of the person was found afterwards."""


class ReleaseOutcome(FrozenModel):
    """Outcome of an erasure for a release that was trained on a record of the person.

    The release cannot be reproduced any more.
    """

    release: str
    """Name and version of the release."""
    verb: Verb
    """Decision: `delete` if the release is retired, `keep` if its use is restricted to what was decided, `retrain` if
    another release replaces it."""
    until: date | None
    dataset: Sha256
    """Digest of the dataset, which the release's manifest still names."""


class ErasureCertificate(DatedDocument):
    """Statement of what was erased, what is kept and why, and what becomes of releases."""

    erasure: Name
    request: Sha256
    """SHA-256 of the request's envelope."""
    environment: Name
    person: Name
    """Id of the person who signs. It is somebody who may decide, and not the person who requested the erasure."""
    basis: NonEmptyText
    requested_by: Name
    requested_at: datetime
    sources: list[Name]
    """Ids of the sources with records of the person, sorted."""
    deadline: date
    outcomes: list[KindOutcome]
    releases: list[ReleaseOutcome]
    datasets: list[Sha256]
    """Digests of the datasets that had a record of the person, sorted. Their manifests stay; their rows were removed
    unless the outcome of `runs` says otherwise."""
    suppressed: list[Sha256]
    """Digests of the person's tokens and rows, which stay in force after a restored backup."""
    companions: int
    """Number of other names, addresses and numbers in the person's records that nobody gave as theirs, and that are
    still stored."""
    searched_files: int
    searched_bytes: int
    not_searched: list[str]
    """Descriptions of places that the verification could not search, and of records that are only marked as
    deleted."""


REQUEST_KIND = SignedKind(
    "urn:hallmark:erasure-request:v1", ErasureRequest, "a request to forget a person",
    signer_of=lambda said: said.person,
    subjects_of=lambda said: {said.erasure: sha256_bytes(canonical_json(said.suppressed))},
)  # fmt: skip
DECISION_KIND = SignedKind(
    "urn:hallmark:erasure-decision:v1", ErasureDecision, "a decision about an erasure",
    signer_of=lambda said: said.person, subjects_of=lambda said: {said.erasure: said.request},
)  # fmt: skip
CERTIFICATE_KIND = SignedKind(
    "urn:hallmark:erasure-certificate:v1", ErasureCertificate, "a certificate of an erasure",
    signer_of=lambda said: said.person, subjects_of=lambda said: {said.erasure: said.request},
)  # fmt: skip
