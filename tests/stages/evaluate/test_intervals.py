"""Intervals and tests against published figures, the definitions, and what must hold of any."""

import gc
import math
from collections.abc import Sequence
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.stages.evaluate import uncertainty
from tasks.stages.evaluate.metrics.macro_f1 import macro_f1
from tasks.stages.evaluate.uncertainty import Interval, PairedCounts

counts = st.integers(0, 60)
pairs = st.builds(PairedCounts, counts, counts, counts, counts).filter(lambda found: found.rows > 0)
confidences = st.sampled_from([0.6, 0.8, 0.95, 0.999])


@pytest.mark.parametrize(
    ("hits", "rows", "low", "high"),
    # Newcombe, Statistics in Medicine 17 (1998) 857, table I, method 3
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_as_published(hits: int, rows: int, low: float, high: float) -> None:
    found = uncertainty.wilson_interval(hits, rows, 0.95)
    assert (found.value, found.low, found.high) == pytest.approx((hits / rows, low, high), abs=6e-5)


@pytest.mark.parametrize(
    ("table", "gain", "low", "high"),
    # Fagerland, Lydersen, Laake, Statistical Analysis of Contingency Tables (2017), chapter 8: Cavo et al.
    [(PairedCounts(59, 6, 16, 80), -0.0621, -0.1186, -0.0046)],
)
def test_newcombe_as_published(table: PairedCounts, gain: float, low: float, high: float) -> None:
    found = uncertainty.paired_gain(table, 0.95)
    assert (found.value, found.low, found.high) == pytest.approx((gain, low, high), abs=5e-5)


@pytest.mark.parametrize(
    ("gained", "lost", "p"),
    # 2 × (C(n,0) + … + C(n,min)) / 2^n by hand
    [(1, 7, 2 * (1 + 8) / 2**8), (6, 16, 2 * 110_056 / 2**22), (5, 0, 2 / 2**5), (3, 3, 1.0), (0, 0, 1.0)],
)
def test_mcnemar_by_hand(gained: int, lost: int, p: float) -> None:
    assert uncertainty.mcnemar_p(PairedCounts(50, gained, lost, 30)) == pytest.approx(p)


@given(pairs, confidences)
def test_a_share_lies_in_its_interval(table: PairedCounts, confidence: float) -> None:
    found = uncertainty.wilson_interval(table.gained, table.rows, confidence)
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.value == round(table.gained / table.rows, 6)


@given(pairs, confidences)
def test_a_gain_lies_in_its_interval_and_turns_with_the_models(table: PairedCounts, confidence: float) -> None:
    found, turned = (uncertainty.paired_gain(each, confidence) for each in (table, table.swapped()))
    assert -1 <= found.low <= found.value <= found.high <= 1
    assert (found.low, found.value, found.high) == pytest.approx((-turned.high, -turned.value, -turned.low), abs=1e-6)


@given(pairs)
def test_mcnemar_is_symmetric_and_sees_only_rows_that_differ(table: PairedCounts) -> None:
    p = uncertainty.mcnemar_p(table)
    assert 0 < p <= 1
    assert (
        p
        == uncertainty.mcnemar_p(table.swapped())
        == uncertainty.mcnemar_p(PairedCounts(0, table.gained, table.lost, 0))
    )


@pytest.mark.parametrize(
    "ps", [[0.01], [0.04, 0.01, 0.03], [0.5, 0.5, 1.0, 0.2], [0.0, 1e-9, 0.02, 0.02, 0.019], [0.2, 0.9, 0.011, 0.4]]
)
def test_holm_is_that_of_statsmodels(ps: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    from statsmodels.stats.multitest import multipletests

    monkeypatch.setattr(gc, "collect", lambda: 0)  # at every call it collects garbage, of all that other tests hold
    assert uncertainty.holm_correction(ps) == pytest.approx(multipletests(ps, method="holm")[1], rel=1e-5)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1))
def test_pairs_are_counted(rows: list[tuple[bool, bool]]) -> None:
    first, second = zip(*rows, strict=True)
    found = uncertainty.count_pairs(first, second)
    assert found.rows == len(rows)
    assert found.both + found.gained == sum(first)
    assert found.both + found.lost == sum(second)


labels = st.sampled_from(["a", "b", "c", "ramble"])


@settings(max_examples=30)
@given(st.lists(st.tuples(labels, labels), min_size=1, max_size=40), st.integers(1, 99))
def test_macro_f1_is_that_of_scikit_learn_over_the_labels_expected(rows: list[tuple[str, str]], seed: int) -> None:
    truth, said = zip(*rows, strict=True)
    found = _samples(truth, said, 5, seed)
    assert found[0] == pytest.approx(_sklearn(truth, said))
    weights = next(uncertainty.resample(len(rows), 5, seed))
    for sample, value in zip(weights, found[1:], strict=True):
        drawn = [place for place, times in enumerate(sample) for _ in range(int(times))]
        assert len(drawn) == len(rows)
        assert value == pytest.approx(_sklearn([truth[place] for place in drawn], [said[place] for place in drawn]))


def _samples(truth: Sequence[str], said: Sequence[str], samples: int, seed: int) -> uncertainty.Array:
    return uncertainty.bootstrap_metric({"model": partial(macro_f1, truth, said)}, len(truth), samples, seed)["model"]


def _sklearn(truth: tuple[str, ...] | list[str], said: tuple[str, ...] | list[str]) -> float:
    from sklearn.metrics import f1_score

    return float(f1_score(truth, said, labels=sorted(set(truth)), average="macro", zero_division=0))


def test_macro_f1_by_hand() -> None:
    # a: 2 right of 3, one answer of b taken for a: 2·2/(3+3). b: 1 of 2: 2·1/(2+1). The word is no class.
    truth, said = ["a", "a", "a", "b", "b"], ["a", "a", "what?", "a", "b"]
    found = macro_f1(truth, said, np.ones((1, 5), np.float32))
    assert found.tolist() == pytest.approx([(4 / 6 + 2 / 3) / 2])


@given(st.lists(st.tuples(labels, labels), min_size=1, max_size=30), confidences)
def test_macro_f1_lies_in_its_interval(rows: list[tuple[str, str]], confidence: float) -> None:
    truth, said = zip(*rows, strict=True)
    samples = _samples(truth, said, 100, 7)
    found = uncertainty.percentile_interval(samples[0], samples[1:], confidence)
    assert 0 <= found.low <= found.value <= found.high <= 1


def test_bootstrap_samples_do_not_depend_on_how_many_are_held_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = np.concatenate(list(uncertainty.resample(7, 50, 3)))
    monkeypatch.setattr(uncertainty, "MAX_RESAMPLE_COUNTS", 20)
    parts = list(uncertainty.resample(7, 50, 3))
    assert max(len(part) for part in parts) == 2
    assert np.array_equal(np.concatenate(parts), whole)
    assert whole.sum(axis=1).tolist() == [7] * 50


def test_the_bootstrap_covers() -> None:
    """Of 200 data sets from one model with a macro-F1 of 0.8, about 95 % have it in their interval."""
    random, covered = np.random.default_rng(11), 0
    for _ in range(200):
        truth = random.choice(["a", "b"], 150)
        said = np.where(random.random(150) < 0.8, truth, np.where(truth == "a", "b", "a"))
        samples = _samples(truth.tolist(), said.tolist(), 300, 1)
        found = uncertainty.percentile_interval(samples[0], samples[1:], 0.95)
        covered += found.low <= 0.8 <= found.high
    assert 182 <= covered <= 198


def test_few_rows_detect_only_large_gains() -> None:
    small, large = (uncertainty.smallest_detectable_gain(PairedCounts(rows, 0, 0, 0), 0.95) for rows in (10, 1000))
    assert small > 0.4
    assert large < 0.02
    assert uncertainty.smallest_detectable_gain(PairedCounts(1, 0, 0, 0), 0.95) == 1


def test_rounding_keeps_the_order() -> None:
    found = Interval.rounded(0.1234567, 0.12345674, 0.1)
    assert (found.low, found.value, found.high) == (0.123457, 0.123457, 0.123457)
    assert math.copysign(1, Interval.rounded(-0.0, -1e-9, 0).value) == 1
