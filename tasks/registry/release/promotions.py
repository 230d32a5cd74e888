"""Which release is in production: the chain of signed promotion statements in the ledger.

Each statement names its environment, the release by digest, a sequence number and the statement before it. The newest
valid one counts, whatever MLflow's aliases say. Nothing unsigned in a ledger entry is believed.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from tasks.core.config import Frozen
from tasks.core.errors import Refused
from tasks.core.files import sha256_bytes
from tasks.core.graph import in_order
from tasks.core.params.values import Sha256
from tasks.declarations.bar import Adopted, Bar
from tasks.ledger import entry as ledger_entry
from tasks.ledger.ledger import Entry, Ledger
from tasks.policy.governance import Governance
from tasks.policy.judge import Judge
from tasks.policy.policy import Policy
from tasks.policy.read_signed import Dated, Kind, Signers, read_envelope
from tasks.trust import dsse
from tasks.trust.gate_statement import GateName

MADE = "promotion.made"
"""Ledger entry: {"envelope": …}; its subject is the name of the model. The point of no return of a promotion."""
PREDICATE_TYPE = "urn:hallmark:promotion:v1"


class Replaced(Frozen):
    """The champion that a promotion replaces."""

    release: str
    tier: str


class Promotion(Dated):
    """The predicate of a promotion statement; its subject is the release, by name and digest."""

    action: Literal["promote", "rollback"]
    environment: str
    name: str
    """Of the model."""
    version: int
    sequence: int
    """1, 2, 3 … for each environment and model; the highest counts."""
    previous: Sha256 | None
    """`dsse.digest` of the statement before this one; None for the first."""
    payload_sha256: Sha256
    """`tasks.core.files.tree_digest` of the bundle's payload."""
    files: dict[str, Sha256]
    """Every file of the bundle but attestations/promotion.json, which holds the statement that first promoted it."""
    candidate_inputs: Sha256
    tier: str
    demo: bool
    run: str
    commit: str
    """Of the run that made it, when its gates had passed."""
    replaces: Replaced | None
    """None for the first of a model."""
    bar: Bar
    """What the next version is held to (declarations/bar.py): this one's success metrics, and in place of one that
    was waived as laxer the one before it."""
    approved_by: dict[GateName, list[str]]
    """Who approved at each gate, in words: `PERSON as ROLE`."""
    requested_by: str
    """Who asked for the run; of a rollback, who ordered it."""
    reason: str
    """Of a rollback, in words; else empty."""
    order_sha256: Sha256 | None
    """Of a rollback, `dsse.digest` of the order that its person signed."""
    time: datetime
    """The ledger's, when it was signed."""
    judge: Judge | None = None
    """The Hallmark that looked at everything again and signed; null: one of before it said so."""

    @property
    def label(self) -> str:
        return f"{self.name}-{self.version}"

    @property
    def gates(self) -> list[GateName]:
        """Those that it passed, as policy had them then."""
        return in_order(self.approved_by)


PROMOTION = Kind(PREDICATE_TYPE, Promotion, "a promotion", by=lambda _: "gate", machines=("gate",))


@dataclass(frozen=True)
class Signed:
    """A promotion statement whose signature verified."""

    promotion: Promotion
    release_sha256: str
    """Digest of the release: of the canonical JSON of `Promotion.files`."""
    sha256: str
    """`dsse.digest` of the envelope."""
    envelope: dict[str, Any]
    entry: Entry | None = None
    """Where it stands in the ledger; None for one read from a bundle."""


@dataclass(frozen=True)
class Promotions:
    """Every valid statement of an environment and model, oldest first, and what was wrong with the others."""

    valid: tuple[Signed, ...]
    problems: tuple[str, ...]
    """In words: forged, replayed or foreign entries, gaps in the sequence."""

    @property
    def newest(self) -> Signed | None:
        return self.valid[-1] if self.valid else None

    def latest(self) -> list[Signed]:
        """The newest statement of each version, in the order of their versions."""
        newest = {signed.promotion.version: signed for signed in self.valid}
        return [newest[version] for version in sorted(newest)]

    def adopted(self, demo: bool) -> Adopted | None:
        """What the version adopted last is held to: of the newest promotion, since going back to an earlier release
        lowers nothing. What demo identities let through binds demo runs alone."""
        made = [s.promotion for s in self.valid if s.promotion.action == "promote" and (demo or not s.promotion.demo)]
        return Adopted(release=made[-1].label, bar=made[-1].bar) if made else None

    def previous(self) -> Signed | None:
        """What was in production before the newest release first was: where a rollback leads."""
        if self.newest is None:
            return None
        older = [s for s in self.valid if s.promotion.version < self.newest.promotion.version]
        return older[-1] if older else None


def sign(promotion: Promotion, release_sha256: str, governance: Governance) -> dict[str, Any]:
    """The statement's envelope, signed with this installation's key."""
    statement = dsse.statement(PREDICATE_TYPE, {promotion.label: release_sha256}, promotion.said)
    return dsse.sign(statement, governance.signer("gate", promotion.time))


def verify(envelope: Any, signers: Signers, recorded: datetime | None = None) -> Signed:
    """Read a statement that the gate signed with a key that counted: as of its own time, or of when it was recorded
    where that is later. Raises Refused with the reason where it is none."""
    signed = read_envelope(envelope, PROMOTION, signers, recorded)
    promotion, subjects = signed.said, signed.subjects
    if list(subjects) != [promotion.label]:
        raise Refused(f"the statement is about {', '.join(subjects)}, its predicate about {promotion.label}")
    return Signed(promotion, subjects[promotion.label], signed.sha256, dict(envelope))


def read(ledger: Ledger, governance: Governance, name: str) -> Promotions:
    """Every promotion of the model `name` in the environment that policy.yaml names.

    What came out is remembered by every byte that it depends on: a thousand signatures take half a second.
    """
    by = (name, governance.policy.environment, repr([key.model_dump() for key in governance.keys_of("gate")]))
    return ledger.once((MADE, *by), lambda: _read(ledger, governance, name, by))


def _read(ledger: Ledger, governance: Governance, name: str, by: tuple[str, ...]) -> Promotions:
    rows = ledger.rows_about(MADE, name)
    key = sha256_bytes(repr((by, [tuple(row) for row in rows])).encode(errors="surrogateescape"))
    if key not in _remembered:
        if len(_remembered) >= REMEMBERED:
            _remembered.clear()
        _remembered[key] = _judged([ledger_entry.read(row) for row in rows], governance, name)
    return _remembered[key]


REMEMBERED = 64
"""Models and states of them."""
_remembered: dict[str, Promotions] = {}


def _judged(entries: list[Entry], governance: Governance, name: str) -> Promotions:
    valid: list[Signed] = []
    problems: list[str] = []
    for entry in entries:
        try:
            signed = verify(entry.body.get("envelope"), governance, entry.time)
            _belongs(signed, name, governance.policy.environment, valid)
        except Refused as error:
            problems.append(f"ledger entry {entry.seq} is no promotion of {name}: {error}")
            continue
        if valid and signed.promotion.previous != valid[-1].sha256:
            problems.append(f"ledger entry {entry.seq}: the statement before it is not in the ledger")
        valid.append(Signed(signed.promotion, signed.release_sha256, signed.sha256, signed.envelope, entry))
    return Promotions(tuple(valid), tuple(problems))


def replaced(champion: Signed | None) -> Replaced | None:
    """What a statement says that replaces a champion."""
    return Replaced(release=champion.promotion.label, tier=champion.promotion.tier) if champion else None


def require_no_lower(tier: str, newest: Signed | None, policy: Policy) -> None:
    """Raises Refused where what is of a risk tier may not take the place of the champion: that one was let through
    for more."""
    if newest is None or tier == newest.promotion.tier or policy.reaches(tier, newest.promotion.tier):
        return
    now = newest.promotion
    why = (
        f"is lower than {now.tier}" if policy.reaches(now.tier, tier) else f"policy.yaml does not set beside {now.tier}"
    )
    raise Refused(
        f"{now.label} is the champion in risk tier {now.tier}, and only the same tier or a higher one replaces it; "
        f"{tier} {why}"
    )


def names(ledger: Ledger) -> list[str]:
    """Every model that the ledger has promotions of, sorted."""
    return ledger.subjects(MADE)


def _belongs(signed: Signed, name: str, environment: str, before: list[Signed]) -> None:
    promotion = signed.promotion
    if promotion.name != name:
        raise Refused(f"it promotes {promotion.name}")
    if promotion.environment != environment:
        raise Refused(f"it counts in environment {promotion.environment}, this is {environment}")
    if before and promotion.sequence <= before[-1].promotion.sequence:
        raise Refused(
            f"sequence {promotion.sequence} does not follow {before[-1].promotion.sequence}; an older statement was "
            "written again"
        )
    if before and promotion.previous == before[-1].sha256 and promotion.replaces != replaced(before[-1]):
        raise Refused("it says that it replaces another release than the one before it")
