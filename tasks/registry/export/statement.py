"""Signed statement about an export: its release, its files, and the comparison of its answers with the evaluation.

It is signed with the ledger key, as a dossier is. Writing an export requires neither the gate key nor the worker key.
"""

from typing import Literal

from tasks.core.documents.config import FrozenModel
from tasks.core.params.values import Sha256
from tasks.policy.signed_document import DatedDocument, SignedKind

PREDICATE_TYPE = "urn:hallmark:export:v1"
PROOF_FOLDER = "hallmark"
"""Folder of an export that proves it. The statement lists every other file."""
STATEMENT_FILE = f"{PROOF_FOLDER}/export.json"
PROMOTION_FILE = f"{PROOF_FOLDER}/promotion.json"
"""Promotion statement of the release. An export for a hub lacks it, because it names people."""
GOVERNANCE_FOLDER = f"{PROOF_FOLDER}/governance"
"""Adoptions that establish the ledger key. An export for a hub lacks them, because they name people."""


class AnswerComparison(FrozenModel):
    """Comparison of an export's answers with those that the release gave in its evaluation."""

    evaluated_rows: int
    """Number of held-out rows that the release answered in its evaluation."""
    asked_rows: int
    """Number of the evaluated rows that the exported model also answered."""
    different_rows: int
    """Number of rows that the export answered with another text than the release."""
    predictions_sha256: Sha256
    """Digest of the answers in the evaluation, which the release's manifest also has."""
    evaluated_with: str
    """Engine, device and precision of the evaluation, such as `transformers on cpu in float32`."""
    asked_with: str
    """Libraries that loaded the export, with their versions."""

    def describe(self) -> str:
        share = f" ({self.different_rows / self.asked_rows:.1%})" if self.asked_rows else ""
        differing = f"{self.different_rows:,}{share} differ from" if self.different_rows else "all are the same as"
        return (
            f"{self.asked_rows:,} of {self.evaluated_rows:,} rows of the evaluation were asked again with "
            f"{self.asked_with}; {differing} the answers that were evaluated with {self.evaluated_with}"
        )


class ExportStatement(DatedDocument):
    """Statement about an export, as the predicate of an in-toto statement.

    The subjects of the statement are all files of the export outside of the folder `hallmark`, by path.
    """

    release: str
    """Release in the form NAME-VERSION."""
    release_sha256: Sha256
    environment: str
    demo: bool
    """Whether demo identities approved the release instead of people."""
    form: Literal["adapter", "merged", "gguf"]
    for_hub: bool
    """Whether the folder was made for a public hub. Such a folder names no person."""
    dtype: Literal["float32", "bfloat16"]
    """Precision in which the export was asked. Merged weights and GGUF files are stored in it, too."""
    base_model: str
    """Origin of the base model, such as `hub ID@REVISION`."""
    base_model_sha256: Sha256
    """SHA-256 of the base model as it was fetched."""
    base_model_licence: str
    requested_by: str = ""
    """Person who asked for the export; empty in an export for a hub."""
    answers: AnswerComparison | None
    """Null if the export was asked no row."""
    not_tried: list[str] = []
    """Tools that read this form and that nobody tried when the export was made."""

    @property
    def has_unexpected_differences(self) -> bool:
        """Whether an answer differs although the release was evaluated in float32, where rounding explains none."""
        return self.dtype == "float32" and self.answers is not None and self.answers.different_rows > 0

    def describe_answers(self) -> str:
        return self.answers.describe() if self.answers else "it was asked no row of the evaluation"


EXPORT_KIND = SignedKind(
    PREDICATE_TYPE,
    ExportStatement,
    "the statement about an export",
    signer_of=lambda _: "ledger",
    machines=("ledger",),
)
