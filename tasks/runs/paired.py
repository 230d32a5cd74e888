"""The candidates of two runs on the test rows that both answered, with the test that an evaluation uses.

A row that stands on the test side of both was trained on by neither. Whether an answer is right each run has said
itself, so both must judge answers the same way.
"""

from collections import Counter
from typing import Literal, NamedTuple

from tasks.core import files, record
from tasks.core.config import Frozen
from tasks.core.layout import Layout
from tasks.inquiry import records_changed
from tasks.stages.evaluate import comparing, intervals
from tasks.stages.evaluate.document import Comparison

SIDE = "test"


class Paired(Frozen):
    by: Literal["id", "text"]
    """How rows were found again: by their ids, which the very same test rows keep, or by what they say."""
    only_before: int
    """Test rows of the one run that the other was not tested with …"""
    only_now: int
    """… and the other way round. Two rows of one run that say the same are in neither, and not compared."""
    comparison: Comparison
    """The later run against the earlier: `gained` rows it alone has right."""


def words(found: Paired) -> list[str]:
    """The test in sentences."""
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


class Judged(NamedTuple):
    """How a run judges answers."""

    target: str
    label_field: str | None


def compare(before: Layout, now: Layout, same_test: bool) -> tuple[Paired | None, str]:
    """The comparison, or why there is none. Both runs have an evaluation here. Raises OSError, ValueError or KeyError
    where what it left cannot be read."""
    rules = [_judged(layout) for layout in (before, now)]
    if rules[0] != rules[1]:
        return None, f"they judge answers by other rules: {_words(rules[0])}, and {_words(rules[1])}"
    had, has = _answers(before, now, same_test)
    both = sorted(had.keys() & has.keys())
    if not both:
        return None, "no row was answered by both"
    pairs = intervals.count_pairs([has[key] for key in both], [had[key] for key in both])
    confidence = float(files.read_json(now.stage("evaluate") / "metrics.json")["confidence"])
    return Paired(
        by="id" if same_test else "text",
        only_before=len(had) - len(both),
        only_now=len(has) - len(both),
        comparison=comparing.compare(pairs, {}, confidence),
    ), ""


def _answers(before: Layout, now: Layout, same_test: bool) -> tuple[dict[bytes, bool], dict[bytes, bool]]:
    """Of each run whether the candidate was right, by what tells a row from others."""
    if same_test:
        first, second = ({name.encode(): right for name, right in _right(each).items()} for each in (before, now))
        return first, second
    one_key = records_changed.same_vault(before, now)
    return _by_text(before, one_key), _by_text(now, one_key)


def _by_text(layout: Layout, with_tokens: bool) -> dict[bytes, bool]:
    right = _right(layout)
    rows = [row for row in records_changed.keyed(layout, SIDE, with_tokens) if row.record in right]
    times = Counter(row.key for row in rows)
    return {row.key: right[row.record] for row in rows if times[row.key] == 1}


def _right(layout: Layout) -> dict[str, bool]:
    table = record.read_table(layout.stage("evaluate") / "examples.parquet", ["record_id", "candidate_right"])
    return dict(zip(*(table[name].to_pylist() for name in table.column_names), strict=True))


def _judged(layout: Layout) -> Judged:
    said = files.read_json(layout.stage("evaluate") / "metrics.json")
    return Judged(said["target"], said["label_field"])


def _words(rule: Judged) -> str:
    return f"target {rule.target}{f', field {rule.label_field}' if rule.label_field else ''}"
