"""Chain of signed promotion statements in the ledger, which determines the release in production.

Each statement contains its environment, a sequence number, and the digests of the release and of the previous
statement. The release in the newest valid statement is in production, regardless of MLflow's aliases. Unsigned parts of
a ledger entry are ignored.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from tasks.core.documents.config import FrozenModel
from tasks.core.errors import Refused
from tasks.core.files import sha256_bytes
from tasks.core.graph import sort_gates
from tasks.core.params.values import Sha256
from tasks.declarations.criteria import AcceptanceCriteria, PromotedCriteria
from tasks.ledger import entry as ledger_entry
from tasks.ledger.ledger import Entry, Ledger
from tasks.policy.governance import Governance
from tasks.policy.judge_install import JudgeInstall
from tasks.policy.policy import Policy
from tasks.policy.signed_document import DatedDocument, KeyDirectory, SignedKind, verify_envelope
from tasks.trust import dsse
from tasks.trust.gate_statement import GateName

PROMOTION_KIND = "promotion.made"
"""Kind of the ledger entry that makes a promotion final. The body of the entry is {"envelope": …}, and its subject is
the model's name."""
PREDICATE_TYPE = "urn:hallmark:promotion:v1"


class Replaced(FrozenModel):
    """Champion that a promotion replaces."""

    release: str
    tier: str


class Promotion(DatedDocument):
    """Predicate of a promotion statement. The statement's subject is the release, by name and digest."""

    action: Literal["promote", "rollback"]
    environment: str
    name: str
    """Name of the model."""
    version: int
    sequence: int
    """Sequence number of the statement, counted from 1 for each environment and model. The statement with the highest
    number is the current one."""
    previous: Sha256 | None
    """Digest of the previous statement (`dsse.digest`); null for the first statement."""
    payload_sha256: Sha256
    """Digest of the release's payload (`tasks.core.files.tree_digest`)."""
    files: dict[str, Sha256]
    """SHA-256 of every file in the release, by path, except the first promotion statement (attestations/promotion.json)
    and files that are added later."""
    candidate_inputs: Sha256
    tier: str
    demo: bool
    run: str
    commit: str
    """Git commit of the run that made the release. It was created after the run had passed its gates."""
    replaces: Replaced | None
    """Champion that the release replaces; null for the first release of a model."""
    bar: AcceptanceCriteria
    """Success metrics that the next version must reach (tasks/declarations/criteria.py). They are those of this
    release, except that a threshold that was lowered under a waiver keeps its previous value."""
    approved_by: dict[GateName, list[str]]
    """Approvers by gate, each in the form `PERSON as ROLE`."""
    requested_by: str
    """Requester of the run or, for a rollback, the person who ordered the rollback."""
    reason: str
    """Reason for the rollback; empty for a promotion."""
    order_sha256: Sha256 | None
    """Digest of the last rollback order (`dsse.digest`); null for a promotion. That order contains the digests of the
    earlier orders for the same rollback."""
    time: datetime
    """Time of signing, by the ledger's clock."""
    judge: JudgeInstall | None = None
    """Hallmark version that verified the candidate and signed the statement; null in statements of early Hallmark
    versions."""

    @property
    def label(self) -> str:
        return f"{self.name}-{self.version}"

    @property
    def gates(self) -> list[GateName]:
        """Return the gates that the release passed, in the order of the pipeline."""
        return sort_gates(self.approved_by)


PROMOTION = SignedKind(PREDICATE_TYPE, Promotion, "a promotion", signer_of=lambda _: "gate", machines=("gate",))


@dataclass(frozen=True)
class SignedPromotion:
    promotion: Promotion
    release_sha256: str
    """Digest of the release, computed from the canonical JSON of `Promotion.files`."""
    sha256: str
    """Digest of the envelope (`dsse.digest`)."""
    envelope: dict[str, Any]
    entry: Entry | None = None
    """Ledger entry of the statement; None if the statement was read from a release's folder."""


@dataclass(frozen=True)
class Promotions:
    """Valid promotion statements of one model in one environment, oldest first, and descriptions of invalid ones."""

    valid_statements: tuple[SignedPromotion, ...]
    problems: tuple[str, ...]
    """Descriptions of entries that are forged, repeated or for another model or environment, and of gaps in the
    sequence."""

    @property
    def newest_statement(self) -> SignedPromotion | None:
        return self.valid_statements[-1] if self.valid_statements else None

    def latest_by_version(self) -> list[SignedPromotion]:
        newest = {signed.promotion.version: signed for signed in self.valid_statements}
        return [newest[version] for version in sorted(newest)]

    def success_metrics(self, demo: bool) -> PromotedCriteria | None:
        """Return the success metrics that the next version must reach; None if no version has been promoted yet.

        The newest promotion sets these metrics. Rollbacks do not change them, so a rollback never lowers a threshold.
        Metrics of a version that demo identities approved apply only to demo runs.

        Args:
            demo: Whether the next version comes from a demo run.
        """
        made = [
            s.promotion
            for s in self.valid_statements
            if s.promotion.action == "promote" and (demo or not s.promotion.demo)
        ]
        return PromotedCriteria(release=made[-1].label, bar=made[-1].bar) if made else None

    def rollback_target(self) -> SignedPromotion | None:
        """Return the newest statement about an earlier version (alias `rollback`); None if there is none."""
        if self.newest_statement is None:
            return None
        older = [s for s in self.valid_statements if s.promotion.version < self.newest_statement.promotion.version]
        return older[-1] if older else None


def sign_promotion(promotion: Promotion, release_sha256: str, governance: Governance) -> dict[str, Any]:
    statement = dsse.make_statement(PREDICATE_TYPE, {promotion.label: release_sha256}, promotion.json_value)
    return dsse.sign_statement(statement, governance.find_signer("gate", promotion.time))


def verify_promotion(envelope: Any, signers: KeyDirectory, recorded_at: datetime | None = None) -> SignedPromotion:
    """Verify that a promotion statement is signed with a valid gate key.

    The key must be valid at the later of two times: the signed time, and `recorded_at`, the time of the ledger entry.

    Raises:
        Refused: The envelope does not contain a promotion statement, or its signature is not valid.
    """
    signed = verify_envelope(envelope, PROMOTION, signers, recorded_at)
    promotion, subjects = signed.document, signed.subjects
    if list(subjects) != [promotion.label]:
        raise Refused(f"the statement is about {', '.join(subjects)}, its predicate about {promotion.label}")
    return SignedPromotion(promotion, subjects[promotion.label], signed.sha256, dict(envelope))


def read_promotions(ledger: Ledger, governance: Governance, name: str) -> Promotions:
    """Return the promotions of the model `name` in the environment of policy.yaml.

    The result is cached, because verifying a thousand signatures takes half a second. The cache key covers all data on
    which the result depends.
    """
    by = (name, governance.policy.environment, repr([key.model_dump() for key in governance.keys_of("gate")]))
    return ledger.cached((PROMOTION_KIND, *by), lambda: _read_cached(ledger, governance, name, by))


def _read_cached(ledger: Ledger, governance: Governance, name: str, cache_key: tuple[str, ...]) -> Promotions:
    rows = ledger.rows_about(PROMOTION_KIND, name)
    entries = [ledger_entry.entry_from_row(row) for row in rows]
    recorded = list(map(governance.recorded_at, entries))
    key = sha256_bytes(repr((cache_key, [tuple(row) for row in rows], recorded)).encode(errors="surrogateescape"))
    if key not in _cache:
        if len(_cache) >= MAX_CACHED_RESULTS:
            _cache.clear()
        _cache[key] = _verified_entries(entries, governance, name)
    return _cache[key]


MAX_CACHED_RESULTS = 64
"""Maximum number of cached results, one for each model and state of its ledger entries."""
_cache: dict[str, Promotions] = {}


def _verified_entries(entries: list[Entry], governance: Governance, name: str) -> Promotions:
    valid: list[SignedPromotion] = []
    problems: list[str] = []
    for entry in entries:
        try:
            signed = verify_promotion(entry.body.get("envelope"), governance, governance.recorded_at(entry))
            _require_next_of_model(signed, name, governance.policy.environment, valid)
        except Refused as error:
            problems.append(f"ledger entry {entry.seq} is no promotion of {name}: {error}")
            continue
        if valid and signed.promotion.previous != valid[-1].sha256:
            problems.append(f"ledger entry {entry.seq}: the statement before it is not in the ledger")
        valid.append(SignedPromotion(signed.promotion, signed.release_sha256, signed.sha256, signed.envelope, entry))
    return Promotions(tuple(valid), tuple(problems))


def is_recorded(ledger: Ledger, signed: SignedPromotion) -> bool:
    """Return whether the ledger has this promotion statement, valid or not."""
    envelopes = (entry.body.get("envelope") for entry in ledger.entries(PROMOTION_KIND, signed.promotion.name))
    return any(isinstance(each, dict) and dsse.envelope_digest(each) == signed.sha256 for each in envelopes)


def replaced_release(champion: SignedPromotion | None) -> Replaced | None:
    return Replaced(release=champion.promotion.label, tier=champion.promotion.tier) if champion else None


def require_tier_not_lower(tier: str, newest: SignedPromotion | None, policy: Policy) -> None:
    """Verify that a release's risk tier is not lower than the tier of the champion that the release replaces.

    Raises:
        Refused: The tier is lower than the champion's, or policy.yaml does not rank the two tiers.
    """
    if newest is None or tier == newest.promotion.tier or policy.tier_covers(tier, newest.promotion.tier):
        return
    now = newest.promotion
    why = (
        f"is lower than {now.tier}"
        if policy.tier_covers(now.tier, tier)
        else f"policy.yaml does not set beside {now.tier}"
    )
    raise Refused(
        f"{now.label} is the champion in risk tier {now.tier}, and only the same tier or a higher one replaces it; "
        f"{tier} {why}"
    )


def model_names(ledger: Ledger) -> list[str]:
    return ledger.subjects(PROMOTION_KIND)


def _require_next_of_model(
    signed: SignedPromotion, name: str, environment: str, earlier_statements: list[SignedPromotion]
) -> None:
    promotion = signed.promotion
    if promotion.name != name:
        raise Refused(f"it promotes {promotion.name}")
    if promotion.environment != environment:
        raise Refused(f"it counts in environment {promotion.environment}, this is {environment}")
    if earlier_statements and promotion.sequence <= earlier_statements[-1].promotion.sequence:
        raise Refused(
            f"sequence {promotion.sequence} does not follow {earlier_statements[-1].promotion.sequence}; an "
            "older statement was written again"
        )
    if (
        earlier_statements
        and promotion.previous == earlier_statements[-1].sha256
        and promotion.replaces != replaced_release(earlier_statements[-1])
    ):
        raise Refused("it says that it replaces another release than the one before it")
