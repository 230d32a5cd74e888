"""Paired comparison of two runs' candidates on the test rows that both have answered.

The statistical test is that of stage `evaluate`. A row in both test sets was used in neither training. Each run has
already judged its own answers, so both runs must use the same rules for judging.
"""

from collections import Counter
from typing import Literal, NamedTuple

from tasks.core import files
from tasks.core.documents.config import FrozenModel
from tasks.core.layout import Layout
from tasks.core.records import record
from tasks.inquiry import shared_records
from tasks.stages.evaluate import model_comparison, uncertainty
from tasks.stages.evaluate.metrics_schema import Comparison

TEST_PARTITION = "test"


class PairedComparison(FrozenModel):
    by: Literal["id", "text"]
    """Key by which rows were matched: `id` if both runs have the same test rows, else `text`."""
    only_before: int
    """Number of test rows of the first run that were not compared."""
    only_now: int
    """Number of test rows of the second run that were not compared. Rows whose text occurs twice in a run are never
    compared; neither `only_before` nor `only_now` includes them."""
    comparison: Comparison
    """Comparison of the second run with the first. `gained` is the number of rows that only the second run answered
    correctly."""


def comparison_sentences(found: PairedComparison) -> list[str]:
    it = found.comparison
    gain, interval = f"{it.gain.value:+.3f}", f"[{it.gain.low:+.3f}, {it.gain.high:+.3f}]"
    lines = [f"{it.rows:,} rows were answered by both; they were found by their {found.by}"]
    if found.only_before or found.only_now:
        lines.append(f"not compared: {found.only_before:,} rows of the first run, {found.only_now:,} of the second")
    lines.append(f"only the second has right: {it.gained:,}; only the first: {it.lost:,}")
    lines.append(f"gain in exact match: {gain} {interval}, McNemar's exact p = {it.p:.3g}")
    if it.verdict != "undecided":
        return [*lines, f"the second run is {it.verdict}"]
    return [*lines, f"undecided: so many rows show a gain of {it.smallest_detectable:.3f} or more with 80 % power"]


class JudgingRules(NamedTuple):
    target: str
    label_field: str | None


def compare_evaluations(before: Layout, now: Layout, same_test: bool) -> tuple[PairedComparison | None, str]:
    """Compare the evaluations of two runs; return None and a reason if they are not comparable.

    Raises:
        OSError: A file of an evaluation cannot be read.
        ValueError: A file of an evaluation is malformed.
        KeyError: A file of an evaluation lacks a value.
    """
    rules = [read_judging_rules(layout) for layout in (before, now)]
    if rules[0] != rules[1]:
        return None, f"they judge answers by other rules: {_rules_in_words(rules[0])}, and {_rules_in_words(rules[1])}"
    had, has = _answers(before, now, same_test)
    both = sorted(had.keys() & has.keys())
    if not both:
        return None, "no row was answered by both"
    pairs = uncertainty.count_pairs([has[key] for key in both], [had[key] for key in both])
    confidence = float(files.read_stage_json(now.artefacts("evaluate") / "metrics.json")["confidence"])
    return PairedComparison(
        by="id" if same_test else "text",
        only_before=len(had) - len(both),
        only_now=len(has) - len(both),
        comparison=model_comparison.compare_models(pairs, {}, confidence),
    ), ""


def _answers(before: Layout, now: Layout, same_test: bool) -> tuple[dict[bytes, bool], dict[bytes, bool]]:
    if same_test:
        first, second = (
            {name.encode(): right for name, right in _verdicts_by_record(each).items()} for each in (before, now)
        )
        return first, second
    one_key = shared_records.have_same_vault(before, now)
    return _verdicts_by_key(before, one_key), _verdicts_by_key(now, one_key)


def _verdicts_by_key(layout: Layout, with_tokens: bool) -> dict[bytes, bool]:
    right = _verdicts_by_record(layout)
    rows = [
        row for row in shared_records.read_keyed_records(layout, TEST_PARTITION, with_tokens) if row.record_id in right
    ]
    times = Counter(row.key for row in rows)
    return {row.key: right[row.record_id] for row in rows if times[row.key] == 1}


def _verdicts_by_record(layout: Layout) -> dict[str, bool]:
    table = record.read_table(layout.artefacts("evaluate") / "examples.parquet", ["record_id", "candidate_right"])
    return dict(zip(*(table[name].to_pylist() for name in table.column_names), strict=True))


def read_judging_rules(layout: Layout) -> JudgingRules:
    said = files.read_stage_json(layout.artefacts("evaluate") / "metrics.json")
    return JudgingRules(said["target"], said["label_field"])


def _rules_in_words(rule: JudgingRules) -> str:
    return f"target {rule.target}{f', field {rule.label_field}' if rule.label_field else ''}"
