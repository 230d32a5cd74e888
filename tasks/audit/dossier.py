"""Document types of a dossier."""

from typing import Literal

from tasks.core.documents.config import FrozenModel
from tasks.core.documents.document import Document
from tasks.core.params.values import Sha256
from tasks.registry.release.report import Verdict

ClaimKind = Literal[
    "request", "purpose", "criteria", "data-provenance", "data-terms", "data-quality", "personal-data", "checks",
    "base-model", "training", "reproduction", "figures", "decision", "separation", "waiver", "promotion", "integrity",
    "recall", "incident", "history", "policy", "looks", "demonstration",
]  # fmt: skip
"""Kind of a claim. For each control, controls.yaml lists the kinds of claims that are evidence for it. Claims about
actions of demo identities have the kind `demonstration`, which is evidence for no control."""


class Artifact(FrozenModel):
    """File in the archive that supports a claim."""

    path: str
    """Path of the file in the archive."""
    title: str
    sha256: Sha256
    proof: str | None = None
    """Path of the entry's inclusion proof in the archive, if the artifact is a ledger entry; null if there is no
    proof."""


class Claim(FrozenModel):
    number: str
    """Number of the claim, after the number of its chapter, for example 2.3."""
    kind: ClaimKind
    text: str
    artifacts: list[Artifact]


class Table(FrozenModel):
    caption: str
    columns: list[str]
    rows: list[list[str]]
    numbers: list[int] = []
    """Zero-based indices of the numeric columns."""


class Chapter(FrozenModel):
    id: str
    title: str
    tables: list[Table]
    claims: list[Claim]


class TimelineEvent(FrozenModel):
    time: str
    """Time in UTC."""
    text: str


class ControlEvidence(FrozenModel):
    """Control from a compliance framework, with the claims of this dossier that are evidence for it."""

    id: str
    name: str
    claims: list[str]
    """Numbers of the claims; empty if the release has no evidence for the control."""


class Framework(FrozenModel):
    name: str
    note: str
    controls: list[ControlEvidence]


class Dossier(Document):
    """Content of dossier.json."""

    type: Literal["urn:hallmark:dossier:v1"] = "urn:hallmark:dossier:v1"
    release: str
    use_case: str
    problem: str
    environment: str
    tier: str
    demo: bool
    """Whether demo identities approved the release instead of people."""
    release_sha256: Sha256
    payload_sha256: Sha256
    standing: str
    """Current state of the release, in words."""
    verdict: Verdict
    """Result of verifying the release's folder with this installation's keys."""
    signed_by: str
    """Fingerprint of the ledger key that signs the dossier; empty if the dossier is unsigned, in which case `missing`
    contains the reason."""
    as_of: str
    """Time at which the facts were collected, by the ledger's clock, and the number of the newest ledger entry at that
    time."""
    timeline: list[TimelineEvent]
    chapters: list[Chapter]
    missing: list[str]
    frameworks: list[Framework]

    @property
    def headline(self) -> str:
        """Result of the verification in words, with a note if demo identities approved the release."""
        words = {"valid": "verified", "incomplete": "verified in part", "invalid": "not verified"}[self.verdict]
        return f"demonstration only: {words}, and no person decided" if self.demo else words
