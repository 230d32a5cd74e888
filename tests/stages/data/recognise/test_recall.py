"""A guard, not a claim: rules may not get worse on planted values. benchmarks/protect.py measures against others."""

import pytest

from tasks.stages.data.protect.recognisers import detector
from tests.stages.data.recognise import formats
from tests.stages.data.recognise.planted import CharacterScore, names_held_out, planted, scores

WORDS = {"all", "name", "address", "health"}
"""What no form or check digit gives."""


def measured(share: float) -> dict[str, CharacterScore]:
    cases = planted(4, seed=3)
    with names_held_out(share):
        return scores(cases, detector.detect_spans([case.text for case in cases]))


def test_planted_values_are_found_and_little_else() -> None:
    found = measured(0)
    assert found["all"].recall >= 0.985 and found["all"].precision >= 0.95
    assert found["name"].recall >= 0.97 and found["name"].precision >= 0.86
    assert found["address"].recall >= 0.97 and found["health"].recall >= 0.9


def test_names_that_no_list_has_are_still_found_mostly() -> None:
    found = measured(0.5)
    assert found["all"].recall >= 0.955 and found["all"].precision >= 0.95
    assert found["name"].recall >= 0.88


@pytest.mark.parametrize("seed", [5, 6])
def test_identifiers_with_a_form_are_found_to_the_last_character(seed: int) -> None:
    cases = planted(2, seed)
    found = scores(cases, detector.detect_spans([case.text for case in cases]))
    formed = [score for name, score in found.items() if name not in WORDS]
    assert sum(score.hit for score in formed) >= 0.995 * sum(score.truth for score in formed)
    assert sum(score.right for score in formed) >= 0.99 * sum(score.marked for score in formed)


@pytest.mark.parametrize("held_out", [False, True])
def test_identifiers_of_many_countries_are_found_in_sentences_that_no_rule_was_written_against(held_out: bool) -> None:
    cases = formats.made(held_out, each=2, seed=4)
    found = scores(cases, detector.detect_spans([case.text for case in cases]))
    assert found["all"].truth > 1_000
    assert found["all"].recall >= 0.99 and found["all"].precision >= 0.9
