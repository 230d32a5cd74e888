"""Finish of a round: one label for each row, and a file of them that sources.yaml can name as a source.

Each row of the file states where its label is from: the annotators by pseudonym, the guideline by version and digest,
the round, the confidence, and the origin `expert`. Column `labelled_by` holds round, guideline and annotators in one
text, so that each record of a later run has them.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from tasks.core.documents.config import FrozenModel
from tasks.core.errors import InputError, Refused
from tasks.core.formatting import format_count
from tasks.core.params.values import Sha256
from tasks.labels import aggregation, entries, participants, round_files
from tasks.labels.aggregation import Method
from tasks.labels.agreement.report import alpha_of_rows
from tasks.labels.given_labels import GivenLabels, read_given_labels
from tasks.labels.label_round import LabelRound
from tasks.labels.round_files import RoundFiles
from tasks.ledger.ledger import Entry
from tasks.policy.governance import Governance


class ExpertRow(FrozenModel):
    """Row of the result of a round."""

    text: str
    label: str
    confidence: float | None
    """Confidence of the aggregation; null if an adjudicator decided."""
    decided_by: Literal["agreement", "majority", "dawid-skene", "adjudicator"]
    """`agreement` if every annotator that the row was assigned to gave the label; else the aggregation or adjudicator
    that decided."""
    labelled_by: str
    """Round, guideline and pseudonyms, as one text."""
    annotators: list[str]
    """Pseudonyms of the annotators of the row."""
    adjudicator: str | None
    """Pseudonym of the adjudicator who decided; null if none did."""
    round: str
    guideline_version: str
    guideline_sha256: Sha256
    origin: Literal["expert"] = "expert"
    item: str
    record_id: str | None
    """Id of the labelled record; null if the row was from a file."""
    source_id: str | None


@dataclass(frozen=True)
class FinishedRound:
    rows: list[ExpertRow]
    unlabelled: int
    """Number of rows without any label, which are left out."""
    open_disagreements: int
    adjudicated: int
    data: bytes
    """Result as JSON Lines."""
    entry: Entry


def finish_round(
    files: RoundFiles, governance: Governance, method: Method, allow_partial: bool = False
) -> FinishedRound:
    """Aggregate the labels of a round and close it. A finished round gives the same result again.

    Args:
        files: Files of the round.
        governance: Governance in force.
        method: Method of the aggregation.
        allow_partial: Whether rows may lack labels of annotators that they were assigned to.

    Raises:
        InputError: The method needs a list of labels, and the labels of the round are free text.
        Refused: Labels are missing, or a source of the rows is withdrawn.
    """
    said = files.round
    if method == "dawid-skene" and not said.labels:
        raise InputError("--method dawid-skene: the labels of this round are free text; say --method majority")
    participants.require_not_withdrawn(said.sources, files.ledger, governance)
    with files.locked():
        given = read_given_labels(files)
        if entry := files.finished:
            return _result(files, given, _read_rows(files, entry), files.read_document(entry), entry)
        _require_labels(files, given, allow_partial)
        rows = list(_expert_rows(files, given, method))
        data = round_files.serialise_lines(rows)
        body = {"person": said.lead, "method": method, "rows": len(rows), "alpha": alpha_of_rows(said, given)}
        return _result(files, given, rows, data, files.record_document(entries.FINISHED, data, body))


def _read_rows(files: RoundFiles, entry: Entry) -> list[ExpertRow]:
    return [ExpertRow.model_validate_json(line) for line in files.read_document(entry).splitlines()]


def _result(files: RoundFiles, given: GivenLabels, rows: list[ExpertRow], data: bytes, entry: Entry) -> FinishedRound:
    adjudicated = sum(row.decided_by == "adjudicator" for row in rows)
    return FinishedRound(rows, len(files.rows) - len(rows), len(given.open_disagreements()), adjudicated, data, entry)


def count_missing_labels(files: RoundFiles, given: GivenLabels) -> int:
    """Return how many labels annotators have not given of those that they were assigned to give."""
    return sum(len(items) - given.count_of(annotator) for annotator, items in files.assignment.items())


def _require_labels(files: RoundFiles, given: GivenLabels, allow_partial: bool) -> None:
    if not given.rows:
        raise Refused(f"round {files.round.id} has no labels yet; `hallmark labels import` brings them")
    missing = count_missing_labels(files, given)
    if missing and not allow_partial:
        raise Refused(
            f"round {files.round.id} lacks {format_count(missing, 'label')} of annotators; wait for them, or finish "
            "without them: --partial"
        )


def _expert_rows(files: RoundFiles, given: GivenLabels, method: Method) -> Iterator[ExpertRow]:
    gold_labels = {item: example.label for item, example in files.gold.items()}
    aggregated = aggregation.aggregate_labels(given.rows, method, given.gold, gold_labels)
    said = files.round
    for item in sorted(aggregated):
        row, votes = files.rows[item], given.rows[item]
        decided = given.adjudicated.get(item)
        agreed = len(votes) >= said.overlap and {*votes.values()} == {aggregated[item].label}
        yield ExpertRow(
            text=row.text,
            label=decided.label if decided else aggregated[item].label,
            confidence=None if decided else aggregated[item].confidence,
            decided_by="adjudicator" if decided else "agreement" if agreed else method,
            labelled_by=provenance_text(said, votes, decided.by if decided else None),
            annotators=sorted(votes),
            adjudicator=decided.by if decided else None,
            round=said.id,
            guideline_version=said.guideline.version,
            guideline_sha256=said.guideline.sha256,
            item=item,
            record_id=row.record_id,
            source_id=row.source_id,
        )


def provenance_text(said: LabelRound, annotators: Iterable[str], adjudicator: str | None) -> str:
    """Return round, guideline and people as one text, for the column `labelled_by` of a source."""
    decided = f", adjudicator {adjudicator}" if adjudicator else ""
    return f"round {said.id}, guideline {said.guideline.mark}, annotators {' '.join(sorted(annotators))}{decided}"
