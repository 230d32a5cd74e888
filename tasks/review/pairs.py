"""Pairs of answers of a run: the candidate's and another model's to the same test row or case of a suite.

The other model is the champion, or the base model if there is no champion. Pairs with equal answers are left out and
counted: a person sees no difference between them either. Files of the run are verified by its signed stage records.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tasks.core.documents.config import FrozenModel
from tasks.core.errors import InputError
from tasks.core.layout import Layout
from tasks.core.records import record, texts
from tasks.stages.data.text import normalise_text

Other = Literal["champion", "base"]
TEST_JUDGES = {"exact_match": "right", "format_adherence": "well_formed"}
"""Column with the verdict about an answer to a test row, by the metric that counts it."""
DECIDING_JUDGE = "exact_match"
"""Metric whose verdicts say whether a test row is contested."""
Row = Mapping[str, Any]


class Verdict(FrozenModel):
    """Verdicts of an automatic judge about both answers; null if the judge failed."""

    candidate: bool | None
    other: bool | None

    @property
    def is_contested(self) -> bool:
        return self.candidate != self.other or self.candidate is None


@dataclass(frozen=True)
class Pair:
    key: str
    """Identity of the pair in its run."""
    suite: str | None
    """Evaluation suite of the case; None for a test row."""
    record_id: str | None
    """Test row, or test row that the case is derived from; None for a case that a suite lists."""
    strata: tuple[str, ...]
    """Suite, source, kind and language, empty if there is none."""
    prompt: str
    candidate: str
    other: str
    verdicts: Mapping[str, Verdict]
    """Verdicts by metric or suite."""
    is_contested: bool

    @property
    def cluster(self) -> str:
        """Test row or case. Pairs of one cluster are not independent."""
        return self.record_id or self.key

    @property
    def language(self) -> str:
        return self.strata[-1]


@dataclass(frozen=True)
class RunPairs:
    compared_with: Other
    pairs: Sequence[Pair]
    equal: int
    """Number of pairs that were left out because their answers are equal."""


def read_pairs(layout: Layout) -> RunPairs:
    """Return all pairs of a run whose answers differ, in the order of its files.

    Raises:
        InputError: The run has not been evaluated, or there is no model to compare with.
    """
    if not (layout.artefacts("evaluate") / "result.json").exists():
        raise InputError(f"run {layout.root.name} is not evaluated yet; name a run that has been through `evaluate`")
    examples = record.read_table(layout.artefacts("evaluate") / "examples.parquet").to_pylist()
    cases = record.read_table(layout.artefacts("suites") / "cases.parquet").to_pylist()
    other = _other_model([*examples, *cases])
    tested = {row["record_id"]: row for row in _test_rows(layout)}
    found = [*_test_pairs(examples, tested, other), *_case_pairs(cases, tested, other)]
    different = [pair for pair in found if normalise_text(pair.candidate) != normalise_text(pair.other)]
    return RunPairs(other, different, len(found) - len(different))


def _other_model(rows: Sequence[Row]) -> Other:
    others: tuple[Other, ...] = ("champion", "base")
    for which in others:
        if any(row[f"{which}_answer"] is not None for row in rows):
            return which
    raise InputError("the run has answers of its candidate alone, so there is nothing to compare them with")


def _test_rows(layout: Layout) -> Iterator[Row]:
    path = layout.artefacts("split") / "test.parquet"
    columns = ["record_id", "source_id", "kind", "language", "messages"]
    return (row for row in record.read_table(path, columns).to_pylist() if not texts.is_plain_text(row))


def _test_pairs(examples: Sequence[Row], tested: Mapping[str, Row], other: Other) -> Iterator[Pair]:
    for row in examples:
        if row[f"{other}_answer"] is None:
            continue  # the base model answers a sample
        verdicts = {
            name: Verdict(candidate=row[f"candidate_{column}"], other=row[f"{other}_{column}"])
            for name, column in TEST_JUDGES.items()
        }
        yield Pair(
            key=f"row {row['record_id']}",
            suite=None,
            record_id=row["record_id"],
            strata=_strata("", tested[row["record_id"]]),
            prompt=_prompt(tested[row["record_id"]]["messages"][:-1]),
            candidate=row["candidate_answer"],
            other=row[f"{other}_answer"],
            verdicts=verdicts,
            is_contested=verdicts[DECIDING_JUDGE].is_contested,
        )


def _case_pairs(cases: Sequence[Row], tested: Mapping[str, Row], other: Other) -> Iterator[Pair]:
    for case in cases:
        if case[f"{other}_answer"] is None:
            continue
        of_row = case["case"].rsplit(".", 1)[0]  # a derived case is RECORD.VARIANT
        row = tested.get(of_row, {})
        verdict = Verdict(candidate=_passed(case["candidate_status"]), other=_passed(case[f"{other}_status"]))
        yield Pair(
            key=f"case {case['suite']}/{case['case']}",
            suite=case["suite"],
            record_id=of_row if row else None,
            strata=_strata(case["suite"], row),
            prompt=case["prompt"],
            candidate=case["candidate_answer"],
            other=case[f"{other}_answer"],
            verdicts={case["suite"]: verdict},
            is_contested=verdict.is_contested,
        )


def _passed(status: str) -> bool | None:
    return None if status == "error" else status == "passed"


def _strata(suite: str, row: Row) -> tuple[str, ...]:
    return (suite, *(row.get(name) or "" for name in ("source_id", "kind", "language")))


def _prompt(turns: Sequence[Mapping[str, str]]) -> str:
    if len(turns) == 1:
        return turns[0]["content"]
    return "\n".join(f"{turn['role']}: {turn['content']}" for turn in turns)
