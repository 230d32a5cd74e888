"""Rows and answers of a release's evaluation, compared with the digests in its manifest before they are read."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.core import files
from tasks.core.errors import InputError, raise_machine_fault
from tasks.core.layout import Layout
from tasks.core.records import record, texts
from tasks.registry.export.source import ExportSource

SPLIT, PREDICTIONS = "split", "predict/candidate"
"""Folders of the run's artefacts with the held-out rows and with the candidate's answers to them."""


@dataclass(frozen=True)
class EvaluatedAnswers:
    rows: Sequence[dict[str, Any]]
    """Held-out rows, as records (`tasks.core.records.record.RECORD_SCHEMA`)."""
    answers: Sequence[dict[str, Any]]
    """The candidate's answer to each row (`tasks.stages.evaluate.predict.PREDICTIONS_SCHEMA`)."""
    total: int
    """Number of rows in the evaluation. `rows` can be a sample of them."""
    sha256: str
    """Digest of the answers, from the release's manifest."""

    def take(self, most: int | None) -> "EvaluatedAnswers":
        """Return at most `most` of the rows, at equal intervals; all rows if `most` is None."""
        if most is None or most >= len(self.rows):
            return self
        places = [number * len(self.rows) // most for number in range(most)]
        return EvaluatedAnswers(
            [self.rows[place] for place in places], [self.answers[place] for place in places], self.total, self.sha256
        )


def read_evaluated(source: ExportSource, state: Path) -> EvaluatedAnswers:
    """Read the rows and answers of the run that made a release.

    Raises:
        InputError: They are not on this machine, or they are others than in the evaluation.
    """
    layout = Layout(state / "runs" / source.release.run)
    for name in (SPLIT, PREDICTIONS):
        _require_digest(layout.artefacts(name), source.manifest.stages.get(name), source)
    every = record.read_table(layout.artefacts(SPLIT) / "test.parquet").to_pylist()
    rows = [row for row in every if not texts.is_plain_text(row)]
    answers = record.read_table(layout.artefacts(PREDICTIONS) / "predictions.parquet").to_pylist()
    return EvaluatedAnswers(rows, answers, len(rows), source.manifest.stages[PREDICTIONS])


def _require_digest(folder: Path, wanted: str | None, source: ExportSource) -> None:
    try:
        found = files.tree_digest(folder) if folder.is_dir() else None
    except (OSError, ValueError) as error:
        raise_machine_fault(folder, error)
        found = None
    if found is None or found != wanted:
        state = "is not on this machine" if found is None else "is not what was evaluated"
        raise InputError(
            f"{folder} {state}, so the answers of {source.release.label} cannot be compared; put back the folder of "
            f"run {source.release.run}, or say --rows 0: the export then states that it was asked nothing"
        )
