"""Krippendorff's alpha is that of his paper, and of nltk, which is another implementation."""

import random
from typing import Any

import numpy as np
import pytest

from tasks.labels.agreement import krippendorff
from tasks.labels.agreement.bootstrap import estimate
from tasks.labels.agreement.krippendorff import count_labels, krippendorff_alpha
from tasks.labels.label_round import Scale
from tasks.labels.round_order import is_number

PAPER = (
    "1 2 3 3 2 1 4 1 2 . . .",
    "1 2 3 3 2 2 4 1 2 5 . 3",
    ". 3 3 3 2 3 4 2 2 5 1 .",
    "1 2 3 3 2 4 4 1 2 5 1 .",
)
"""Data of four observers and twelve units in Krippendorff's paper of 2011, section C; a point is a missing label."""


def units(rows: tuple[str, ...]) -> list[list[str]]:
    return [[label for label in unit if label != "."] for unit in zip(*(row.split() for row in rows), strict=True)]


@pytest.mark.parametrize(("scale", "alpha"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_the_example_of_the_paper(scale: Scale, alpha: float) -> None:
    found = krippendorff_alpha(count_labels(units(PAPER), ["1", "2", "3", "4", "5"], scale))
    assert found == pytest.approx(alpha, abs=0.0005)


def drawn(seed: int, items: int = 60, annotators: int = 4) -> list[tuple[str, str, str]]:
    """Annotator, item and label, some of them missing, and some items with one label alone."""
    dice = random.Random(seed)
    given = []
    for item in range(items):
        truth = dice.randint(1, 5)
        for annotator in range(annotators):
            if dice.random() < 0.7:
                label = truth if dice.random() < 0.6 else dice.randint(1, 5)
                given.append((f"a{annotator}", f"i{item}", str(label)))
    return given


def votes(given: list[tuple[str, str, str]]) -> list[list[str]]:
    by_item: dict[str, list[str]] = {}
    for _, item, label in given:
        by_item.setdefault(item, []).append(label)
    return list(by_item.values())


def alpha_of_nltk(given: list[tuple[str, str, Any]], distance_name: str) -> float:
    from nltk.metrics import agreement, distance  # takes a CPU second, which each pytest worker would pay

    return float(agreement.AnnotationTask(given, getattr(distance, distance_name)).alpha())


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("scale", "distance"), [("nominal", "binary_distance"), ("interval", "interval_distance")])
def test_it_equals_another_implementation(seed: int, scale: Scale, distance: str) -> None:
    given = drawn(seed)
    reference = alpha_of_nltk([(who, item, int(label)) for who, item, label in given], distance)
    assert abs(krippendorff_alpha(count_labels(votes(given), (), scale)) - reference) < 1e-9


def test_a_class_against_the_rest_is_the_alpha_of_two_labels() -> None:
    given = drawn(7)
    binary = [(who, item, label == "3") for who, item, label in given]
    reference = alpha_of_nltk(binary, "binary_distance")
    assert abs(krippendorff_alpha(krippendorff.one_against_rest(votes(given), "3")) - reference) < 1e-9


def test_a_weight_is_a_repeated_item() -> None:
    given = votes(drawn(3))
    used = [labels for labels in given if len(labels) > 1]
    twice = used + used[:10]
    weights = np.ones(len(used))
    weights[:10] = 2
    for scale in ("nominal", "ordinal", "interval"):
        once = krippendorff_alpha(count_labels(used, "12345", scale), weights)
        assert once == pytest.approx(krippendorff_alpha(count_labels(twice, "12345", scale)), abs=1e-12)


def test_equal_labels_alone_have_no_alpha() -> None:
    assert np.isnan(krippendorff_alpha(count_labels([["x", "x"], ["x", "x"]], (), "nominal")))
    assert np.isnan(krippendorff_alpha(count_labels([["x"], ["y"]], (), "nominal")))


def test_numbers_without_a_difference_are_no_labels() -> None:
    assert [text for text in ("4", "-0.5", "1e308", "-1e16", "nan", "inf", "four") if is_number(text)] == ["4", "-0.5"]


def test_the_interval_covers_the_alpha_of_more_rows_about_as_often_as_it_says() -> None:
    """The intervals are those of 40 rounds with 100 items each; the figure itself is of a round with 20,000 items."""
    population = krippendorff_alpha(count_labels(votes(drawn(99, items=20_000)), (), "nominal"))
    covered = 0
    for seed in range(40):
        labels = count_labels(votes(drawn(1_000 + seed, items=100)), (), "nominal")
        found = estimate(lambda weights, labels=labels: krippendorff_alpha(labels, weights), labels.items, 1, 200)
        covered += found.low <= population <= found.high
    assert 34 <= covered <= 40


def test_the_interval_is_that_of_the_seed() -> None:
    labels = count_labels(votes(drawn(5)), (), "nominal")
    first, same, other = (
        estimate(lambda weights: krippendorff_alpha(labels, weights), labels.items, seed) for seed in (1, 1, 2)
    )
    assert first == same and first.low != other.low and first.value == other.value
