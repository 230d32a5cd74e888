"""What the rows of a use case are like, as far as it bears on the approach."""

from dataclasses import dataclass
from pathlib import Path

from tasks.core import record, texts
from tasks.core.files import read_json
from tasks.core.layout import Layout

MOST_TARGETS = 10_000
"""Different answers that are told apart; more count as so many."""


@dataclass(frozen=True)
class Data:
    rows: int
    answers: int
    """Different ones."""
    answer_chars: float
    """Of an answer, on average."""
    refresh_days: int
    """Of the source that is renewed most often."""
    tasks: int
    """Prompts."""
    run: str
    """Whose training rows these are."""
    texts: int = 0
    """Rows that are plain texts, without an answer."""

    @property
    def closed(self) -> bool:
        """Answers come from a fixed set: each stands for five rows or more, or there are few."""
        return self.answers <= max(20, self.rows // 5)


def of(layout: Layout, run: str) -> Data | None:
    """Of a run's training rows; None where it did not come as far."""
    table = layout.stage("split") / "train.parquet"
    if not table.is_file() or not layout.sources.is_file():
        return None
    answers, chars, rows, plain, tasks = set[int](), 0, 0, 0, set[str]()
    for part in record.batches(table, ["task", "messages"]):
        for row in part.to_pylist():
            answer = row["messages"][-1]["content"]
            rows, chars = rows + 1, chars + len(answer)
            tasks.add(row["task"])
            plain += texts.is_text(row)
            if len(answers) < MOST_TARGETS:
                answers.add(hash(answer))
    if not rows:
        return None
    return Data(rows, len(answers), chars / max(1, rows - plain), _refresh(layout.sources), len(tasks), run, plain)


def _refresh(sources: Path) -> int:
    return min(int(each["source"]["refresh_days"]) for each in read_json(sources)["sources"])
