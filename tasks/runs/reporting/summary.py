"""Summary of a run as one JSON document, which `hallmark run --json` and `hallmark runs show --json` print."""

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import BaseModel, Field

from tasks.core import facts, files
from tasks.core.documents.config import FrozenModel
from tasks.core.documents.document import document_error_message
from tasks.core.errors import DOCUMENT_ERRORS, InputError
from tasks.core.facts import Fact, Facts
from tasks.core.layout import Layout
from tasks.runs import journal
from tasks.runs.journal import GateState, Journal, StageState
from tasks.stages.evaluate.model_names import ModelName

Value = TypeVar("Value")


class Summary(FrozenModel):
    run: str
    use_case: str
    requested_by: str
    reason: str | None
    demo: bool
    status: str
    error: str | None
    exit_code: int
    flow_run: str | None
    commit: str | None
    release: str | None
    stages: dict[str, StageState]
    gates: dict[str, GateState]
    scores: dict[str, dict[str, Fact]]
    """Metrics on the test records by model (candidate, base, champion), in the order of the report."""
    metrics: dict[str, Fact]
    """Metrics of stage `evaluate`, and measurements of the candidate's predictions with prefix `measured.predict.`."""
    report: str | None
    data_docs: str | None
    cleaned_at: datetime | None = None
    """Time at which `hallmark clean` removed the files of the run; null if it did not."""
    unreadable: list[str] = Field(default=[], exclude=True)
    """Stage files that cannot be read, each with the reason. The summary lacks their metrics."""

    @property
    def status_in_words(self) -> str:
        return journal.status_in_words(self.status, self.gates)


def summarise_run(state: Path, run_id: str) -> Summary | None:
    known = journal.read_journal(state, run_id)
    if known is None:
        return None
    known = journal.with_current_status(state, known)
    layout, unreadable = Layout(state / "runs" / run_id), list[str]()
    return Summary(
        **known.model_dump(include=set(Summary.model_fields) & set(Journal.model_fields)),
        scores=_read_or_note(read_scores, layout, unreadable),
        metrics=_read_or_note(_evaluation_facts, layout, unreadable)
        | _read_or_note(_prediction_measurements, layout, unreadable),
        report=_first_existing(layout.root / "measured" / "report.html", layout.artefacts("evaluate") / "report.html"),
        data_docs=_first_existing(*sorted((layout.artefacts("validate") / "docs").glob("**/index.html"))),
        unreadable=unreadable,
    )


def _read_or_note(
    read: Callable[[Layout], dict[str, Value]], layout: Layout, unreadable: list[str]
) -> dict[str, Value]:
    try:
        return read(layout)
    except InputError as error:
        unreadable.append(str(error))
        return {}


def read_scores(layout: Layout) -> dict[str, dict[str, Fact]]:
    """Return the scores of each model from metrics.json; empty if there is no evaluation.

    Raises:
        InputError: The file does not have the format of stage `evaluate`.
    """
    path = layout.artefacts("evaluate") / "metrics.json"
    try:
        read = _Metrics.model_validate(files.read_stage_json(path))
        return {model: dict(_scores(read, model)) for model in read.overall.scores} if read.metrics else {}
    except FileNotFoundError:
        return {}
    except (OSError, *DOCUMENT_ERRORS) as error:
        raise InputError(f"{path}: expected the metrics of an evaluation ({document_error_message(error)})") from None


class _Metric(BaseModel):
    name: str
    unit: str


class _Overall(BaseModel):
    answered: dict[ModelName, int]
    scores: dict[ModelName, dict[str, Fact]]


class _Metrics(BaseModel):
    """Part of metrics.json that every version of Hallmark writes (`tasks.stages.evaluate.metrics_schema`)."""

    metrics: Annotated[list[_Metric], Field(max_length=facts.MAX_FACTS)]
    overall: _Overall


def _scores(read: _Metrics, model: ModelName) -> Iterator[tuple[str, Fact]]:
    note = f"{read.overall.answered[model]} rows"
    for metric in read.metrics:
        score = read.overall.scores[model][metric.name]
        yield metric.name, score.model_copy(update={"unit": metric.unit, "note": note})


def _evaluation_facts(layout: Layout) -> Facts:
    return facts.read_facts(layout.artefacts("evaluate") / "result.json")


def _prediction_measurements(layout: Layout) -> Facts:
    measured = facts.read_facts(layout.measurements("predict") / "candidate" / "facts.json")
    return {f"measured.predict.{name}": fact for name, fact in measured.items()}


def _first_existing(*paths: Path) -> str | None:
    return next((str(path) for path in paths if path.is_file()), None)
