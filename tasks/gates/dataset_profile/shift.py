"""Shift: how far the distribution of a field lies from that of the dataset approved last.

The effect is the total variation distance: the share of rows that would have to have another value for both
distributions to be the same. Its interval leaves out the distance that chance alone explains, so a check of its low end
neither flags small datasets for noise nor large ones for differences that do not matter, as a p-value would.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping

from tasks.core.documents.config import FrozenModel
from tasks.core.facts import Fact
from tasks.gates.dataset_profile.profile import RARE, DatasetProfile, format_noted_value
from tasks.gates.dataset_profile.reading import DatasetCounts, count_lengths

Z_99 = 2.326
"""Quantile of the normal distribution that chance exceeds in one case of a hundred."""
MIN_EXPECTED_ROWS = 5
"""Minimum expected number of rows of a value in the chi-square test. Rarer values are tested together."""
MAX_SHOWN_VALUES = 12
"""Maximum number of values that a shift names, those that moved furthest."""
MAX_NOTED_VALUES = 3


class ValueShift(FrozenModel):
    value: str
    before: float
    """Share of the rows with this value in the dataset approved last."""
    now: float
    """Share of the rows with this value in the run's dataset."""


class Shift(FrozenModel):
    """Shift of one field since the dataset approved last."""

    field: str
    """Field: language, department, geography, label, prompt_chars or target_chars."""
    rows_before: int
    rows_now: int
    distance: float
    """Total variation distance, from 0 to 1."""
    low: float
    """Distance less what chance alone explains in 99 of 100 cases, at least 0."""
    high: float
    """Distance plus what chance alone explains in 99 of 100 cases, at most 1."""
    chi_square: float | None
    """Chi-square statistic of homogeneity; null if both datasets have one value."""
    p_value: float | None
    """Probability of a statistic at least as large if nothing had shifted; null without a statistic."""
    values: list[ValueShift]
    """Values that moved furthest; for lengths all bins in ascending order."""

    @property
    def interval(self) -> Fact:
        return Fact(value=self.distance, low=self.low, high=self.high)

    def moved_text(self, most: int) -> str:
        """Return the values that moved furthest, at most `most`, with their shares before and now."""
        moved = [each for each in self.values if each.before != each.now]
        moved.sort(key=lambda each: (-abs(each.now - each.before), each.value))
        return "; ".join(
            f"{format_noted_value(each.value)} {each.before:.1%} → {each.now:.1%}" for each in moved[:most]
        )

    def to_fact(self, run: str) -> Fact:
        p = "" if self.p_value is None else f", chi-square p {self.p_value:.2g}"
        named = self.moved_text(MAX_NOTED_VALUES)
        note = f"{self.rows_now:,} rows against {self.rows_before:,} of run {run}{p}{': ' * bool(named)}{named}"
        return self.interval.model_copy(update={"note": note})


def measure_shifts(before: DatasetProfile, now: DatasetProfile, counts: DatasetCounts) -> list[Shift]:
    """Return the shift of each field that both datasets have.

    Args:
        before: Profile of the dataset approved last.
        now: Profile of the run's dataset.
        counts: Counts of the run's dataset, with the single lengths, for the bins of the earlier one.
    """
    shifts = [
        measure_shift(name, before.categories[name], now.categories[name])
        for name in now.categories
        if name in before.categories
    ]
    for name in now.lengths:
        if histogram := before.lengths.get(name):
            names = list(_bin_names(histogram.edges))
            binned = count_lengths(counts.lengths[name], histogram.edges)
            shifts.append(
                measure_shift(
                    name, dict(zip(names, histogram.counts, strict=True)), dict(zip(names, binned, strict=True)), names
                )
            )
    return shifts


def measure_shift(
    field: str, before: Mapping[str, int], now: Mapping[str, int], order: list[str] | None = None
) -> Shift:
    """Return the shift between two distributions, each the number of rows by value.

    A value that is named in one dataset and can be among the rare values of the other is counted as rare in both.
    Otherwise chance, which decides whether a value is named, would add to the distance. So a shift from rare values to
    such a value shows only as far as the share of all rare values changes.

    Args:
        field: Name of the field.
        before: Distribution in the dataset approved last.
        now: Distribution in the run's dataset.
        order: All values in the order in which they are shown; None to show those that moved furthest.
    """
    before, now = _fold_unnamed(before, now), _fold_unnamed(now, before)
    total_before, total_now = max(1, sum(before.values())), max(1, sum(now.values()))
    moved = [
        ValueShift(value=value, before=before.get(value, 0) / total_before, now=now.get(value, 0) / total_now)
        for value in order or sorted(before.keys() | now.keys())
    ]
    distance = sum(abs(each.now - each.before) for each in moved) / 2
    chance = _chance_distance(before, now, total_before, total_now)
    statistic, p_value = _test_homogeneity(before, now)
    if order is None:
        moved.sort(key=lambda each: (-abs(each.now - each.before), each.value))
        moved = moved[:MAX_SHOWN_VALUES]
    return Shift(
        field=field,
        rows_before=sum(before.values()),
        rows_now=sum(now.values()),
        distance=round(distance, 6),
        low=round(max(0.0, distance - chance), 6),
        high=round(min(1.0, distance + chance), 6),
        chi_square=statistic,
        p_value=p_value,
        values=moved,
    )


def _fold_unnamed(counts: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    """Count the values that the other distribution can have among its rare ones as RARE."""
    folded = Counter[str]()
    for value, rows in counts.items():
        folded[RARE if RARE in other and value not in other else value] += rows
    return folded


def _chance_distance(before: Mapping[str, int], now: Mapping[str, int], total_before: int, total_now: int) -> float:
    """Return the distance that chance alone exceeds in one case of a hundred if both have the pooled distribution.

    The mean is that of the normal approximation; the variance of the distance is at most a quarter of 1/n + 1/m
    (Efron and Stein).
    """
    scale = 1 / total_before + 1 / total_now
    pooled = [(before.get(value, 0) + now.get(value, 0)) / (total_before + total_now) for value in {*before, *now}]
    mean = sum(math.sqrt(2 / math.pi * share * (1 - share) * scale) for share in pooled) / 2
    return mean + Z_99 * math.sqrt(scale) / 2 if len(pooled) > 1 else 0.0


def _test_homogeneity(before: Mapping[str, int], now: Mapping[str, int]) -> tuple[float | None, float | None]:
    pairs = _testable_pairs(before, now)
    if len(pairs) < 2:
        return None, None
    from scipy.stats import chi2_contingency  # takes a second to import

    result = chi2_contingency([[first for first, _ in pairs], [second for _, second in pairs]], correction=False)
    return round(float(result.statistic), 6), float(f"{result.pvalue:.6g}")


def _testable_pairs(before: Mapping[str, int], now: Mapping[str, int]) -> list[tuple[int, int]]:
    """Return the rows before and now by value. Those with too few expected rows are one pair.

    If that pair has too few expected rows too, it is added to the smallest of the others.
    """
    total = sum(before.values()) + sum(now.values())
    smaller, pairs, rest = min(sum(before.values()), sum(now.values())), list[tuple[int, int]](), (0, 0)
    if not smaller:
        return []
    for value in sorted({*before, *now}):
        pair = before.get(value, 0), now.get(value, 0)
        if value != RARE and _is_testable(pair, smaller, total):
            pairs.append(pair)
        else:
            rest = rest[0] + pair[0], rest[1] + pair[1]
    if pairs and not _is_testable(rest, smaller, total):
        smallest = min(pairs, key=sum)
        pairs.remove(smallest)
        rest = rest[0] + smallest[0], rest[1] + smallest[1]
    return [*pairs, rest] if any(rest) else pairs


def _is_testable(pair: tuple[int, int], smaller: int, total: int) -> bool:
    return sum(pair) * smaller >= MIN_EXPECTED_ROWS * total


def _bin_names(edges: list[int]) -> Iterator[str]:
    smallest = 0
    for edge in edges:
        yield f"{smallest:,} to {edge:,}"
        smallest = edge + 1
    yield f"{smallest:,} or more"
