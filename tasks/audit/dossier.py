"""Document types of a dossier."""

from typing import Literal

from tasks.core.documents.config import FrozenModel
from tasks.core.documents.document import Document
from tasks.core.params.values import Sha256
from tasks.registry.release.report import Verdict

Kind = Literal[
    "request", "purpose", "criteria", "data-provenance", "data-terms", "data-quality", "personal-data", "checks",
    "base-model", "training", "reproduction", "figures", "decision", "separation", "waiver", "promotion", "integrity",
    "recall", "incident", "history", "policy", "looks", "demonstration",
]  # fmt: skip
"""Kind of a claim. controls.yaml lists the kinds that are evidence for each control. A `demonstration`, which is an
action of demo identities instead of people, is not evidence for any control."""


class Artifact(FrozenModel):
    """File in the archive that supports a claim."""

    path: str
    """Path of the file in the archive."""
    title: str
    sha256: Sha256
    proof: str | None = None
    """Path in the archive of the proof that the ledger entry is under a signed head; null if there is no proof."""


class Claim(FrozenModel):
    number: str
    """Number of chapter and claim, for example 2.3."""
    kind: Kind
    text: str
    artifacts: list[Artifact]


class Table(FrozenModel):
    caption: str
    columns: list[str]
    rows: list[list[str]]
    numbers: list[int] = []
    """Indices of the numeric columns, from 0."""


class Chapter(FrozenModel):
    id: str
    title: str
    tables: list[Table]
    claims: list[Claim]


class Moment(FrozenModel):
    time: str
    """Time in UTC."""
    text: str


class Evidenced(FrozenModel):
    """Control of a framework, with the claims of this dossier that are evidence for it."""

    id: str
    name: str
    claims: list[str]
    """Numbers of the claims; empty if the release has no evidence for the control."""


class Framework(FrozenModel):
    name: str
    note: str
    controls: list[Evidenced]


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
    """Fingerprint of the ledger's key that signs the dossier. Empty if the dossier is unsigned; the reason is then in
    `missing`."""
    as_of: str
    """Time by the ledger's clock at which the facts were collected, and the number of the newest ledger entry at that
    time."""
    timeline: list[Moment]
    chapters: list[Chapter]
    missing: list[str]
    frameworks: list[Framework]

    @property
    def headline(self) -> str:
        """Result of the verification in words, with a note if the release is only a demonstration."""
        words = {"valid": "verified", "incomplete": "verified in part", "invalid": "not verified"}[self.verdict]
        return f"demonstration only: {words}, and no person decided" if self.demo else words
