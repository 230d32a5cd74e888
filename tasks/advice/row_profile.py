"""Properties of a use case's rows that matter for the choice of an approach."""

from dataclasses import dataclass
from pathlib import Path

from tasks.core import record, texts
from tasks.core.files import read_json
from tasks.core.layout import Layout

MAX_DISTINCT_ANSWERS = 10_000
"""Maximum number of distinct answers that are counted."""


@dataclass(frozen=True)
class RowProfile:
    rows: int
    answers: int
    """Number of distinct answers."""
    answer_chars: float
    """Mean length of an answer in characters."""
    refresh_days: int
    """Days between refreshes of the source that is refreshed most often."""
    tasks: int
    """Number of tasks, each with its own prompt."""
    run: str
    """Run whose training rows were read."""
    texts: int = 0
    """Number of rows that are plain texts, without an answer."""

    @property
    def has_fixed_answers(self) -> bool:
        """Whether answers come from a fixed set: there are at most 20, or each stands for five rows on average."""
        return self.answers <= max(20, self.rows // 5)


def profile_run(layout: Layout, run: str) -> RowProfile | None:
    """Return the properties of a run's training rows; None if it has none."""
    table = layout.artefacts("split") / "train.parquet"
    if not table.is_file() or not layout.sources.is_file():
        return None
    answers, chars, rows, plain, tasks = set[int](), 0, 0, 0, set[str]()
    for part in record.read_batches(table, ["task", "messages"]):
        for row in part.to_pylist():
            answer = row["messages"][-1]["content"]
            rows, chars = rows + 1, chars + len(answer)
            tasks.add(row["task"])
            plain += texts.is_text(row)
            if len(answers) < MAX_DISTINCT_ANSWERS:
                answers.add(hash(answer))
    if not rows:
        return None
    return RowProfile(
        rows, len(answers), chars / max(1, rows - plain), _refresh(layout.sources), len(tasks), run, plain
    )


def _refresh(sources: Path) -> int:
    return min(int(each["source"]["refresh_days"]) for each in read_json(sources)["sources"])
