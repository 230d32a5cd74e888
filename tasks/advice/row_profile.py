"""Properties of a use case's training rows that matter for the choice of an approach."""

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from tasks.core.errors import DOCUMENT_ERRORS, HallmarkError
from tasks.core.records import record, texts
from tasks.runs.requests.earlier_runs import EarlierRun
from tasks.sources.resolved_sources import load_resolved
from tasks.stages.data.readers import bounded_tables

MAX_DISTINCT_ANSWERS = 10_000


@dataclass(frozen=True)
class RowProfile:
    rows: int
    distinct_answers: int
    mean_answer_chars: float
    """Mean length of an answer in characters."""
    refresh_days: int
    """Refresh interval, in days, of the source that is refreshed most often."""
    tasks: int
    run: str
    """Id of the run whose training rows were read."""
    plain_texts: int = 0
    """Number of rows that are plain texts without an answer."""

    @property
    def has_fixed_answers(self) -> bool:
        """Return whether answers come from a fixed set.

        This is assumed if there are at most 20 distinct answers, or on average at least five rows for each.
        """
        return self.distinct_answers <= max(20, self.rows // 5)


def profile_run(run: EarlierRun) -> RowProfile | None:
    """Return the properties of a run's training rows; None if the rows are missing, not signed or not readable."""
    table = run.layout.artefacts("split") / "train.parquet"
    if not run.has_signed_files("split", table):
        return None
    try:
        return _profile_table(table, run)
    except (pa.ArrowException, HallmarkError, OSError, *DOCUMENT_ERRORS):
        return None


def _profile_table(table: Path, run: EarlierRun) -> RowProfile | None:
    answers, chars, rows, plain, tasks = set[int](), 0, 0, 0, set[int]()
    read_batches = bounded_tables.read_bounded_batches if run.layout.is_experiment else record.read_batches
    for part in read_batches(table, ["task", "messages"], record.SMALL_BATCH_ROWS):
        for row in part.to_pylist():
            answer = row["messages"][-1]["content"]
            rows, chars = rows + 1, chars + len(answer)
            plain += texts.is_plain_text(row)
            for distinct, value in ((answers, answer), (tasks, row["task"])):
                if len(distinct) < MAX_DISTINCT_ANSWERS:
                    distinct.add(hash(value))
    if not rows:
        return None
    refresh = min(item.source.refresh_days for item in load_resolved(run.layout.sources_path).sources)
    return RowProfile(rows, len(answers), chars / max(1, rows - plain), refresh, len(tasks), run.id, plain)
