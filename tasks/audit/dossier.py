"""What a dossier consists of."""

from typing import Literal

from tasks.core.config import Frozen
from tasks.core.document import Document
from tasks.core.params.values import Sha256
from tasks.registry.release.report import Verdict

Kind = Literal[
    "request", "purpose", "criteria", "data-provenance", "data-terms", "data-quality", "personal-data", "checks",
    "base-model", "training", "reproduction", "figures", "decision", "separation", "waiver", "promotion", "integrity",
    "recall", "incident", "history", "policy", "looks", "demonstration",
]  # fmt: skip
"""What a claim is about; controls.yaml says which controls such a claim is evidence for. `demonstration`, what demo
identities did in the place of people, is evidence for none."""


class Artifact(Frozen):
    """A file of the archive that a claim rests on."""

    path: str
    """Inside the archive."""
    title: str
    sha256: Sha256
    proof: str | None = None
    """Inside the archive: the proof that the ledger entry is under a signed head."""


class Claim(Frozen):
    number: str
    """Chapter and place, e.g. 2.3."""
    kind: Kind
    text: str
    artifacts: list[Artifact]


class Table(Frozen):
    caption: str
    columns: list[str]
    rows: list[list[str]]
    numbers: list[int] = []
    """Columns of figures, counted from 0."""


class Chapter(Frozen):
    id: str
    title: str
    tables: list[Table]
    claims: list[Claim]


class Moment(Frozen):
    time: str
    """UTC."""
    text: str


class Evidenced(Frozen):
    """A control, and the claims here that are evidence for it."""

    id: str
    name: str
    claims: list[str]
    """Numbers; none where this release has nothing for it."""


class Framework(Frozen):
    name: str
    note: str
    controls: list[Evidenced]


class Dossier(Document):
    """dossier.json."""

    type: Literal["urn:hallmark:dossier:v1"] = "urn:hallmark:dossier:v1"
    release: str
    use_case: str
    problem: str
    environment: str
    tier: str
    demo: bool
    """Demo identities let it through: no person decided."""
    release_sha256: Sha256
    payload_sha256: Sha256
    standing: str
    """What it is now, in words."""
    verdict: Verdict
    """Of the release's folder, against this installation's keys."""
    signed_by: str
    """Fingerprint of the key of the ledger that signs the dossier; empty: nobody does, and `missing` says why."""
    as_of: str
    """The ledger's time when this was gathered, and its last entry."""
    timeline: list[Moment]
    chapters: list[Chapter]
    missing: list[str]
    frameworks: list[Framework]

    @property
    def headline(self) -> str:
        """What the verification came to, in words that never let a demonstration pass for more."""
        words = {"valid": "verified", "incomplete": "verified in part", "invalid": "not verified"}[self.verdict]
        return f"demonstration only: {words}, and no person decided" if self.demo else words
