"""Wrong answers of a run's models to the test rows of sources that the person has access to."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from infra.console.site import RequestState
from infra.console.views import evidence_files
from infra.console.views.rows import MAX_BYTES_IN_MEMORY, PAGE_SIZE
from infra.console.views.run_pages import run_layout
from infra.console.views.runs import RowLimit
from tasks.core.documents.config import FrozenModel
from tasks.core.layout import Layout
from tasks.inquiry import access
from tasks.inquiry.wrong_answers import Confusion, ErrorKind, Wanted, WrongAnswer, find_wrong_answers, judged_path
from tasks.policy.people import Person
from tasks.runs.run import governance_of_run
from tasks.stages.evaluate.judged_rows import SLICE_FIELDS
from tasks.stages.evaluate.model_names import MODELS, ModelName
from tasks.trust.gate_statement import GateName

MAX_CONFUSIONS = 10


def _none_if_empty(value: Any) -> Any:
    """Return None for a field of a form that was left empty."""
    return None if value == "" else value


Characters = Annotated[int | None, Field(ge=0), BeforeValidator(_none_if_empty)]


class WrongAnswersPage(FrozenModel):
    run: str
    compared: bool
    """Whether the files were compared with the gates' evidence; false before the evaluation gate."""
    models: list[ModelName]
    """Models to choose from."""
    model: ModelName
    chosen: dict[str, str]
    """Conditions of the request by name; empty ones are left out."""
    choices: dict[str, list[str]]
    """Values of each field among the wrong answers that this person may see."""
    answered: int
    wrong: int
    """Number of wrong answers, including withheld ones."""
    withheld: int
    """Number of wrong answers that this person may not see."""
    total: int
    """Number of answers that meet the conditions."""
    kinds: dict[ErrorKind, int]
    confusions: list[Confusion]
    rows: list[WrongAnswer]


def wrong_answers(
    here: RequestState, person: Person, run: str, model: ModelName = "candidate", error: ErrorKind | Literal[""] = "",
    department: str = "", language: str = "", kind: str = "", source: str = "", label: str = "",
    right_by: ModelName | Literal[""] = "", min_length: Characters = None, max_length: Characters = None,
    most: RowLimit = PAGE_SIZE,
) -> WrongAnswersPage:  # fmt: skip
    """Return the wrong answers of a model that meet the conditions. An empty condition excludes none.

    Raises:
        InputError: The run has not been evaluated, or the model answered no test row.
        Refused: A file differs from its digest in a gate's evidence, cannot be read, or is too large.
    """
    layout = run_layout(here, run)
    slices = {"department": department, "language": language, "kind": kind, "source": source}
    wanted = Wanted(
        errors=[error] if error else [],
        slices={name: [value] for name, value in slices.items() if value},
        expected_labels=[label] if label else [],
        right_by=right_by or None,
        min_characters=min_length or 0,
        max_characters=max_length,
    )
    looker = access.access_of_person(governance_of_run(here.root, layout), person)
    with evidence_files.refuse_unreadable_files(run):
        compared = _verify_files(here, layout)
        found = find_wrong_answers(layout, looker, model, refuse_if_all_withheld=False)
        selected = found.select(wanted)
    lengths = {"min_length": min_length, "max_length": max_length}
    conditions = {"error": error, **slices, "label": label, "right_by": right_by, **lengths}
    return WrongAnswersPage(
        run=run,
        compared=compared,
        models=list(MODELS),
        model=model,
        chosen={name: str(value) for name, value in conditions.items() if value not in ("", None)},
        choices={name: _values(found.answers, name) for name in (*SLICE_FIELDS, "expected_label")},
        answered=found.answered,
        wrong=len(found.answers) + found.withheld,
        withheld=found.withheld,
        total=len(selected.answers),
        kinds=selected.count_by_kind(),
        confusions=selected.list_confusions(MAX_CONFUSIONS),
        rows=selected.answers[:most],
    )


def _values(answers: list[WrongAnswer], name: str) -> list[str]:
    return sorted({getattr(answer, name) for answer in answers})


def _verify_files(here: RequestState, layout: Layout) -> bool:
    """Compare the files to read with the evidence of the gates that looked at them. Return whether there is any."""
    files: dict[GateName, list[Path]] = {
        "data": [layout.artefacts("ingest") / "rows.parquet", layout.artefacts("split") / "test.parquet"],
        "evaluation": [judged_path(layout)],
    }
    existing = {gate: [path for path in paths if path.exists()] for gate, paths in files.items()}
    compared = [evidence_files.compare_with_evidence(here, layout, gate, *paths) for gate, paths in existing.items()]
    for paths in existing.values():
        evidence_files.refuse_large_files(*paths, max_bytes=MAX_BYTES_IN_MEMORY)
    return all(compared)
