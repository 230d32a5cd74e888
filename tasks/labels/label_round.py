"""Documents of a round: its rules and annotators, the task files handed out, and the labels that came back."""

from typing import Annotated, Literal

from pydantic import Field

from tasks.core.documents.config import FrozenModel, IsoTime
from tasks.core.documents.document import Document
from tasks.core.params.values import Name, NonEmptyText, Sha256

Scale = Literal["nominal", "ordinal", "interval"]
"""Scale of the labels. Labels of an ordinal scale are ordered as the round lists them; those of an interval scale are
numbers."""
Partition = Literal["train", "test", "all"]
"""Partition of a run's dataset, or both."""
FormName = Literal["jsonl", "xlsx", "label-studio"]
MAX_ITEMS = 100_000
"""Maximum number of rows and gold examples in a round."""
MAX_LABEL_CHARS = 10_000
MAX_NOTE_CHARS = 2_000


class Guideline(FrozenModel):
    """Guideline by which annotators label, pinned by its digest."""

    name: str
    """File name."""
    version: str
    """Version, as the person who leads the round named it."""
    sha256: Sha256

    @property
    def mark(self) -> str:
        """Version and short digest of the guideline, as each row of a task file has them."""
        return f"{self.version} {self.sha256[:12]}"


class Participant(FrozenModel):
    """Annotator or adjudicator of a round."""

    name: NonEmptyText
    """Id in people.yaml, or the name of an external."""
    external: bool = False
    """Whether the person is not in people.yaml. Whoever leads the round hands out and imports their task files."""
    pseudonym: str
    """Keyed pseudonym, which stands for the person in task files, in labels and in the result."""


class RoundSource(FrozenModel):
    """Source of rows, as the run recorded it."""

    id: Name
    owner: str
    steward: str
    sha256: Sha256
    location: str


class Item(FrozenModel):
    """Row to label."""

    item: str
    """Id in the round, which does not show whether the item is a gold example."""
    text: str
    record_id: str | None = None
    """Id of the record; null if the row is from a file."""
    source_id: str | None = None


class GoldItem(FrozenModel):
    """Gold example: a text whose label is known. Annotators cannot tell it from a row."""

    item: str
    text: str
    label: str


class ReviewSubject(FrozenModel):
    """Answers of a run that experts compare in pairs, if the round is an expert review (tasks/review)."""

    evaluate_sha256: Sha256
    """Digest of the outputs of the run's stage `evaluate`."""
    cases_sha256: Sha256
    """SHA-256 of the verdicts about the cases of the run's evaluation suites."""
    compared_with: Literal["champion", "base"]
    """Model whose answers are compared with the candidate's."""
    pairs_file: Sha256
    """SHA-256 of the file that says which answer is whose. It has random text, so nobody can find the order from the
    digest."""


class LabelRound(Document):
    """Round of expert labels."""

    type: Literal["urn:hallmark:label-round:v1"] = "urn:hallmark:label-round:v1"
    id: Name
    lead: Name
    """Person in people.yaml who leads the round."""
    started_at: IsoTime
    guideline: Guideline
    labels: list[str]
    """Allowed labels; empty if annotators write free text."""
    scale: Scale
    overlap: Annotated[int, Field(ge=1)]
    """Number of annotators of each row."""
    seed: int
    """Seed of the assignment, of the order of each task file, and of bootstrap samples."""
    annotators: list[Participant]
    adjudicators: list[Participant]
    run: str | None
    """Run whose records are labelled; null if the rows are from a file."""
    sources: list[RoundSource]
    """Sources of the rows; empty if the rows are from a file."""
    rows_file: Sha256
    """SHA-256 of the file with the rows."""
    gold_file: Sha256
    assignment_file: Sha256
    review: ReviewSubject | None = None
    """Answers that are compared; null unless the round is an expert review."""


class Handout(Document):
    """Task file that was handed out."""

    type: Literal["urn:hallmark:label-handout:v1"] = "urn:hallmark:label-handout:v1"
    round: Name
    to: str
    """Pseudonym of the annotator or adjudicator."""
    form: FormName
    time: IsoTime
    items: int
    file_sha256: Sha256
    """SHA-256 of the task file."""
    disagreements: list[str] = []
    """Ids of the items in the file of an adjudicator; empty for an annotator."""
    salt: str = ""
    """Random text; empty in documents of earlier versions. Without it, whoever reads the ledger could guess a document
    from its digest."""


class GivenLabel(FrozenModel):
    item: str
    label: str
    seconds: float | None = None
    """Time that the label took, if the task file states it."""
    note: str = ""
    """Remark of the annotator."""


class LabelSubmission(Document):
    """Labels of one imported task file. A later one takes precedence for the items that it has."""

    type: Literal["urn:hallmark:label-submission:v1"] = "urn:hallmark:label-submission:v1"
    round: Name
    by: str
    """Pseudonym of the annotator or adjudicator."""
    version: Annotated[int, Field(ge=1)]
    """Number of this file among those of the same person in the round."""
    guideline_sha256: Sha256
    form: FormName
    time: IsoTime
    labels: list[GivenLabel]
    salt: str = ""
    """Random text; empty in documents of earlier versions. Without it, an annotator who reads the ledger could find the
    only label of another's file by trying each allowed label against the file's digest."""
