"""List of the runs of this checkout, and one run with its stages, gates and metrics."""

from collections import Counter
from datetime import datetime
from statistics import median
from typing import Annotated, Any

from pydantic import Field

from infra.console.site import RequestState
from infra.console.team_access import TeamAccess
from infra.console.views import evidence_files, free_text, training
from infra.console.views.evaluation import Evaluation, read_evaluation_or_reason
from infra.console.views.training import Training
from tasks.core.documents.config import FrozenModel
from tasks.core.errors import HallmarkError, InputError
from tasks.core.graph import GATES
from tasks.core.layout import Layout
from tasks.policy.people import Person
from tasks.runs import journal, run_list
from tasks.runs.journal import GateState, Journal, StageState

PAGE_SIZE = 100
MAX_ROWS = 10_000
MAX_BARS = 60
UNFINISHED_STATUSES = ("running", "waiting", "interrupted")
RowLimit = Annotated[int, Field(ge=1, le=MAX_ROWS)]
EntryNumber = Annotated[int, Field(ge=0, lt=2**62)]


class RunRow(FrozenModel):
    run: str
    use_case: str
    status: str
    requested_by: str
    demo: bool
    began: datetime | None
    doing: str
    """Current activity of the run, or the people it waits for, in words."""
    release: str
    seconds: float
    cost: float | None
    """Cost of the run in USD: its duration at the hourly price in its parameters; null until the parameters are
    known."""


class Bar(FrozenModel):
    run: str
    status: str
    seconds: float


class UseCaseSummary(FrozenModel):
    """Summary of the runs on the page that belong to one use case."""

    use_case: str
    runs: int
    ended: dict[str, int]
    """Number of runs by status."""
    success: float | None
    seconds: float
    """Median duration of promoted runs, in seconds; 0 if no run was promoted. The duration of a run is the sum over its
    stages."""
    cost: float
    """Median cost of promoted runs in USD; 0 if no run was promoted."""
    bars: list[Bar]


class Runs(FrozenModel):
    rows: list[RunRow]
    tallies: list[UseCaseSummary]
    older: str
    """Id of the last run on the page, after which the next page begins; empty if there is no next page."""


class RunPage(FrozenModel):
    run: str
    use_case: str
    status: str
    requested_by: str
    demo: bool
    began: datetime | None
    commit: str
    release: str
    error: str
    doing: str
    going: bool
    """Whether a process is executing the run now."""
    stages: dict[str, StageState]
    seconds: float
    """Total duration of the stages, in seconds."""
    cost: float | None
    """Cost of this duration in USD, at the hourly price in the run's parameters; null until the parameters are
    known."""
    training: Training | None
    """Loss curve of the training; null before training, or if the curve cannot be shown."""
    gates: dict[str, GateState]
    evaluation: Evaluation | None
    """Metrics of the run; null before evaluation, or if they cannot be shown."""
    wrong: str
    """Reason why the metrics or the loss curve cannot be shown; empty if there is none."""
    report: bool
    docs: bool
    measured: bool
    reason: str
    """Reason given in the run request; empty if there is none."""
    to_come: list[str]
    """Gates that the run has not reached yet."""
    has_rows: bool
    """Whether the run has finished the stage `ingest`."""
    cleaned_at: datetime | None
    """Time at which `hallmark clean` removed the files of the run; null if it did not."""


def runs(here: RequestState, person: Person, below: str = "", most: RowLimit = PAGE_SIZE) -> Runs:
    known = _visible_journals(here, person, below, most + 1)
    rows = [_row(here, free_text.redact_journal(here, person, each)) for each in known[:most]]
    return Runs(rows=rows, tallies=_use_case_summaries(rows), older=rows[-1].run if len(known) > most else "")


def _visible_journals(here: RequestState, person: Person, below: str, count: int) -> list[Journal]:
    access, found = TeamAccess(here, person), list[Journal]()
    while len(found) < count:
        page = journal.read_newest_journals(here.state, count, below)
        found += filter(access.sees_run, page)
        if len(page) < count:
            break
        below = page[-1].run
    return found[:count]


def _use_case_summaries(rows: list[RunRow]) -> list[UseCaseSummary]:
    by_name: dict[str, list[RunRow]] = {}
    for row in rows:
        by_name.setdefault(row.use_case or "not resolved yet", []).append(row)
    return [_use_case_summary(name, own) for name, own in sorted(by_name.items())]


def _use_case_summary(name: str, own: list[RunRow]) -> UseCaseSummary:
    promoted = [row for row in own if row.status == "promoted"]
    ended = [row for row in own if row.status in journal.FINISHED_STATUSES]
    return UseCaseSummary(
        use_case=name,
        runs=len(own),
        ended=dict(Counter(row.status for row in own).most_common()),
        success=sum(row.status != "failed" for row in ended) / len(ended) if ended else None,
        seconds=median([row.seconds for row in promoted] or [0]),
        cost=median([row.cost or 0 for row in promoted] or [0]),
        bars=[Bar(run=row.run, status=row.status, seconds=row.seconds) for row in reversed(own[:MAX_BARS])],
    )


def _row(here: RequestState, known: Journal) -> RunRow:
    return RunRow(**_fields(RunRow, here, known))


def _fields(kind: type[RunRow | RunPage], here: RequestState, known: Journal) -> dict[str, Any]:
    derived = {
        "began": run_list.start_time(here.state, known.run),
        "doing": known.activity,
        "seconds": known.seconds,
        "cost": known.cost,
        "release": known.release or "",
    }
    return known.model_dump(include=set(kind.model_fields)) | derived


def _training(here: RequestState, layout: Layout) -> tuple[Training | None, str]:
    try:
        return training.read_training(here, layout), ""
    except HallmarkError as error:
        return None, str(error)


def run(here: RequestState, person: Person, run: str) -> RunPage:
    known = journal.read_journal(here.state, run)
    if known is None:
        raise InputError(f"there is no run {run!r} here")
    layout = Layout(here.state / "runs" / run)
    stands = free_text.redact_journal(here, person, journal.with_current_status(here.state, known))
    open_to = evidence_files.compare_with_evidence(here, layout, "evaluation") or not free_text.access_denial_reason(
        here, layout, person
    )
    figures, wrong = read_evaluation_or_reason(here, layout) if open_to else (None, "")
    curve, wrong_too = _training(here, layout) if open_to else (None, "")
    return RunPage(
        **_fields(RunPage, here, stands)
        | {"commit": stands.commit or "", "error": stands.error or "", "reason": stands.reason or ""},
        going=stands.status == "running",
        training=curve,
        to_come=[gate for gate in GATES if gate not in stands.gates] if stands.status in UNFINISHED_STATUSES else [],
        evaluation=figures,
        wrong=wrong or wrong_too,
        report=(layout.artefacts("evaluate") / "report.html").is_file(),
        docs=(layout.artefacts("validate") / "docs").is_dir(),
        measured=(layout.root / "measured" / "report.html").is_file(),
        has_rows=(layout.artefacts("ingest") / "result.json").is_file(),
    )
