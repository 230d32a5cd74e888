"""A run as one document, which `hallmark run --json` and `hallmark status --json` print."""

from pathlib import Path

from tasks.core import facts, files
from tasks.core.config import FrozenModel
from tasks.core.facts import Fact
from tasks.core.layout import Layout
from tasks.runs import journal
from tasks.runs.journal import GateState, Journal, StageState


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
    """Prefect's id of the flow run that executes the run."""
    commit: str | None
    """Last commit under refs/hallmark/runs/RUN."""
    release: str | None
    stages: dict[str, StageState]
    gates: dict[str, GateState]
    scores: dict[str, dict[str, Fact]]
    """Metrics on the held-out rows, by model (candidate, base, champion), in the order of the report."""
    metrics: dict[str, Fact]
    """Figures of `evaluate`, and the candidate's measurements as `measured.predict.…`."""
    report: str | None
    data_docs: str | None

    @property
    def in_words(self) -> str:
        return journal.in_words(self.status, self.gates)


def summarise(state: Path, run_id: str) -> Summary | None:
    """Return the summary of a run as it is now; None if there is no such run."""
    known = journal.read(state, run_id)
    if known is None:
        return None
    known = journal.with_current_status(state, known)
    layout = Layout(state / "runs" / run_id)
    return Summary(
        **known.model_dump(include=set(Summary.model_fields) & set(Journal.model_fields)),
        scores=scores_of(layout),
        metrics=_metrics(layout),
        report=_existing(layout.root / "measured" / "report.html", layout.artefacts("evaluate") / "report.html"),
        data_docs=_existing(*sorted((layout.artefacts("validate") / "docs").glob("**/index.html"))),
    )


def scores_of(layout: Layout) -> dict[str, dict[str, Fact]]:
    path = layout.artefacts("evaluate") / "metrics.json"
    if not path.exists():
        return {}
    read = files.read_json(path)
    overall = read["overall"]
    return {
        model: {
            metric["name"]: Fact(
                **scores[metric["name"]], unit=metric["unit"], note=f"{overall['answered'][model]} rows"
            )
            for metric in read["metrics"]
        }
        for model, scores in overall["scores"].items()
    }


def _metrics(layout: Layout) -> dict[str, Fact]:
    evaluated = read_facts(layout.artefacts("evaluate") / "result.json")
    measured = read_facts(layout.measurements("predict") / "candidate" / "facts.json")
    return evaluated | {f"measured.predict.{name}": fact for name, fact in measured.items()}


def read_facts(path: Path) -> facts.Facts:
    """Return the figures in a stage's result file; empty if the file does not exist."""
    return facts.parse(files.read_json(path)["facts"]) if path.exists() else {}


def _existing(*paths: Path) -> str | None:
    return next((str(path) for path in paths if path.exists()), None)
