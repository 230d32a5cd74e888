"""Wrong answers of a run's models to the test rows, for people who look for what to improve.

Texts are shown as the models saw them, with tokens in place of personal values. The vault is therefore not read, and no
ledger entry is written. A row is shown only to people with access to single records of its source.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from tasks.core.documents.config import FrozenModel
from tasks.core.errors import InputError, Refused
from tasks.core.files import atomic_file
from tasks.core.layout import Layout
from tasks.core.records.record import read_table
from tasks.inquiry.access import Access
from tasks.inquiry.row_location import locate_rows
from tasks.sources.resolved_sources import load_resolved
from tasks.stages.evaluate.judged_rows import SLICE_FIELDS, shown_prompt
from tasks.stages.evaluate.model_names import MODELS, ModelName

ErrorKind = Literal["no_answer", "malformed", "wrong_label", "wrong_field"]
ERROR_TITLES: dict[ErrorKind, str] = {
    "no_answer": "no answer",
    "malformed": "malformed",
    "wrong_label": "wrong label",
    "wrong_field": "wrong field",
}
FILE_START = b'{"run":'
"""First bytes of every file of `WrongAnswers.write_lines`."""


class WrongAnswer(FrozenModel):
    run: str
    model: ModelName
    error: ErrorKind
    """`no_answer`: the answer is empty. `malformed`: it is not in the expected format. `wrong_label`: its label is not
    the expected one. `wrong_field`: the label is right, and another field is not."""
    source: str
    row: int
    """Number of the data row in the source, counted from 1."""
    record_id: str
    department: str
    language: str
    kind: str
    expected: str
    expected_label: str
    answer: str
    label: str
    """Label in the answer."""
    confidence: float | None
    """Probability that the model gave to its answer; null if the engine does not state it."""
    right: list[ModelName]
    """Other models that answered the row correctly."""
    prompt: str
    """Turns before the answer, without the system turn of a template."""
    prompt_characters: int


@dataclass(frozen=True)
class Wanted:
    """Conditions on wrong answers. An empty condition excludes none.

    Raises:
        InputError: There is no such field.
    """

    errors: Collection[ErrorKind] = ()
    slices: Mapping[str, Collection[str]] = field(default_factory=dict)
    """Allowed values by field of `judged_rows.SLICE_FIELDS`."""
    expected_labels: Collection[str] = ()
    right_by: ModelName | None = None
    """Other model that answered the row correctly."""
    min_characters: int = 0
    """Least length of the prompt, in characters."""
    max_characters: int | None = None

    def __post_init__(self) -> None:
        if unknown := sorted(self.slices.keys() - set(SLICE_FIELDS)):
            raise InputError(
                f"{', '.join(map(repr, unknown))} is no field of test rows; there are {', '.join(SLICE_FIELDS)}"
            )

    def admits(self, answer: WrongAnswer) -> bool:
        return (
            (not self.errors or answer.error in self.errors)
            and all(getattr(answer, name) in values for name, values in self.slices.items())
            and (not self.expected_labels or answer.expected_label in self.expected_labels)
            and (self.right_by is None or self.right_by in answer.right)
            and answer.prompt_characters >= self.min_characters
            and (self.max_characters is None or answer.prompt_characters <= self.max_characters)
        )


class Confusion(FrozenModel):
    """Number of answers with one label where another one was expected."""

    expected: str
    answered: str
    answers: int


class WrongAnswers(FrozenModel):
    run: str
    model: ModelName
    answered: int
    """Number of test rows that the model answered."""
    withheld: int
    """Number of its wrong answers to rows of sources that the person has no access to."""
    answers: list[WrongAnswer]
    """Wrong answers, the most confident ones first, because they are the hardest to notice."""

    def select(self, wanted: Wanted) -> "WrongAnswers":
        """Return the answers that meet the conditions."""
        return self.model_copy(update={"answers": [answer for answer in self.answers if wanted.admits(answer)]})

    def count_by_kind(self) -> dict[ErrorKind, int]:
        """Return the number of answers of each kind of error that occurs, the most frequent first."""
        return dict(Counter(answer.error for answer in self.answers).most_common())

    def list_confusions(self, limit: int) -> list[Confusion]:
        """Return the most frequent pairs of an expected and an answered label that differ."""
        pairs = Counter((each.expected_label, each.label) for each in self.answers if each.error == "wrong_label")
        return [Confusion(expected=a, answered=b, answers=count) for (a, b), count in pairs.most_common(limit)]

    def write_lines(self, path: Path) -> None:
        """Write the answers to a file, one JSON object per line."""
        with atomic_file(path) as file:
            for answer in self.answers:
                file.write(answer.model_dump_json().encode() + b"\n")


def judged_path(layout: Layout) -> Path:
    return layout.artefacts("evaluate") / "examples.parquet"


def find_wrong_answers(
    layout: Layout, access: Access, model: ModelName, *, refuse_if_all_withheld: bool = True
) -> WrongAnswers:
    """Return a model's wrong answers to the test rows of the sources that a person has access to.

    Raises:
        InputError: Stage `evaluate` of the run has not finished, or the model did not answer.
        Refused: Files of the run disagree about the source of a record, or the person has access to no source with a
            wrong answer and `refuse_if_all_withheld` is set.
    """
    entries = _read_wrong_entries(layout, model)
    looker = access.limit_to_run(layout)
    sources = [item.source for item in load_resolved(layout.sources_path).sources]
    allowed = {source.id for source in sources if looker.may_read(source)}
    shown = [entry for entry in entries.wrong if entry["source_id"] in allowed]
    if refuse_if_all_withheld and entries.wrong and not shown:
        needed = ", ".join(sorted({entry["source_id"] for entry in entries.wrong}))
        reason = looker.denial_reason or f"that takes owner, steward or a role in `access` of {needed}"
        raise Refused(
            f"{access.person.id} may see none of the {len(entries.wrong):,} rows with a wrong answer in run "
            f"{layout.root.name}: {reason}"
        )
    prompts = _read_prompts(layout)
    answers = [_wrong_answer(entry, layout.root.name, model, prompts[entry["record_id"]]) for entry in shown]
    answers.sort(key=lambda answer: (-(answer.confidence or 0.0), answer.source, answer.row))
    return WrongAnswers(
        run=layout.root.name,
        model=model,
        answered=entries.answered,
        withheld=len(entries.wrong) - len(shown),
        answers=answers,
    )


@dataclass(frozen=True)
class _Entries:
    answered: int
    wrong: list[dict[str, Any]]
    """Rows of examples.parquet with a wrong answer, each with its row in the source."""


def _read_wrong_entries(layout: Layout, model: ModelName) -> _Entries:
    path = judged_path(layout)
    if not path.exists():
        raise InputError(
            f"run {layout.root.name} has no judged answers here; name one that has been through `evaluate`"
        )
    table = read_table(path)
    entries = locate_rows(
        layout, table.rename_columns(["source_id" if name == "source" else name for name in table.column_names])
    )
    answered = [entry for entry in entries if entry[f"{model}_right"] is not None]
    if not answered:
        raise InputError(f"run {layout.root.name} has no answers of a {model} model; name another with --model")
    return _Entries(len(answered), [entry for entry in answered if not entry[f"{model}_right"]])


def _read_prompts(layout: Layout) -> dict[str, str]:
    table = read_table(layout.artefacts("split") / "test.parquet").select(["record_id", "messages"])
    return {row["record_id"]: shown_prompt(row["messages"][:-1]) for row in table.to_pylist() if row["messages"][:-1]}


def _wrong_answer(entry: Mapping[str, Any], run: str, model: ModelName, prompt: str) -> WrongAnswer:
    return WrongAnswer(
        run=run,
        model=model,
        error=_error_kind(entry, model),
        source=entry["source_id"],
        answer=entry[f"{model}_answer"],
        label=entry[f"{model}_label"],
        confidence=entry.get(f"{model}_confidence"),
        right=[other for other in MODELS if other != model and entry[f"{other}_right"]],
        prompt=prompt,
        prompt_characters=len(prompt),
        **{name: entry[name] for name in ("row", "record_id", "department", "language", "kind", "expected")},
        expected_label=entry["expected_label"],
    )


def _error_kind(entry: Mapping[str, Any], model: ModelName) -> ErrorKind:
    if not entry[f"{model}_answer"].strip():
        return "no_answer"
    if not entry[f"{model}_well_formed"]:
        return "malformed"
    return "wrong_label" if entry[f"{model}_label"] != entry["expected_label"] else "wrong_field"
