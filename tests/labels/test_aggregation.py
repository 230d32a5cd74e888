"""Several labels become one: by majority, and by how each annotator errs."""

import random

import pytest

from tasks.labels.aggregation import dawid_skene_labels, majority_labels

LABELS = ("z", "b", "m")


def crowd(seed: int, items: int) -> tuple[dict[str, dict[str, str]], dict[str, str]]:
    """Labels of five annotators, and the true ones: two who know, and three who mostly give the next one."""
    dice = random.Random(seed)
    votes, truth = {}, {}
    for number in range(items):
        right = dice.randrange(3)
        truth[f"i{number}"] = LABELS[right]
        chances = {"a-knows": (0.9, 0.05, 0.05), "a-expert": (0.92, 0.04, 0.04)}
        votes[f"i{number}"] = {
            who: LABELS[(right + dice.choices(range(3), chances.get(who, (0.15, 0.8, 0.05)))[0]) % 3]
            for who in ("a-wrong", "a-knows", "a-expert", "a-shifted", "a-next")
        }
    return votes, truth


def right(found: dict[str, str], truth: dict[str, str]) -> float:
    return sum(found[item] == truth[item] for item in truth) / len(truth)


def test_gold_examples_tell_who_errs_which_way() -> None:
    """Most annotators give the next label, so that without gold examples theirs are the more probable ones."""
    votes, truth = crowd(3, items=40)
    gold_votes, gold = crowd(4, items=60)
    gold_votes = {f"gold-{item}": given for item, given in gold_votes.items()}
    known = {f"gold-{item}": label for item, label in gold.items()}
    without, found = dawid_skene_labels(votes, gold_votes, {}), dawid_skene_labels(votes, gold_votes, known)
    assert found.keys() == votes.keys(), "gold examples are no result"
    assert right({item: one.label for item, one in without.items()}, truth) < 0.5
    assert right({item: one.label for item, one in found.items()}, truth) > 0.9
    assert all(0 < one.confidence <= 1 + 1e-9 for one in found.values())


def test_annotators_who_know_count_more_without_gold_too() -> None:
    dice = random.Random(8)
    truth = {f"i{number}": dice.choice(LABELS) for number in range(120)}
    sure = {"a-knows": 0.97, "a-expert": 0.95}
    votes = {
        item: {
            who: label if dice.random() < sure.get(who, 0.4) else dice.choice(LABELS)
            for who in ("a-knows", "a-guess", "a-expert", "a-luck", "a-dice")
        }
        for item, label in truth.items()
    }
    plain = right({item: one.label for item, one in majority_labels(votes).items()}, truth)
    assert right({item: one.label for item, one in dawid_skene_labels(votes, {}, {}).items()}, truth) > plain


def test_a_gold_label_that_nobody_gave_changes_nothing() -> None:
    votes, _ = crowd(5, items=30)
    found = dawid_skene_labels(votes, {"g": {"a-knows": "z"}}, {"g": "never given"})
    assert {one.label for one in found.values()} <= {*LABELS}


@pytest.mark.parametrize(
    ("given", "label", "confidence"),
    [(["x", "x", "y"], "x", 2 / 3), (["y", "x"], "x", 1 / 2), (["y"], "y", 1)],
)
def test_a_majority_has_its_share_and_a_tie_the_more_frequent_label(
    given: list[str], label: str, confidence: float
) -> None:
    votes = {"i": {f"a{n}": one for n, one in enumerate(given)}, "j": {"a0": "x", "a1": "x"}}
    found = majority_labels(votes)["i"]
    assert (found.label, found.confidence) == (label, pytest.approx(confidence))


@pytest.mark.parametrize("word", ["task", "worker", "label"])
def test_a_label_may_be_any_word(word: str) -> None:
    votes = {f"i{number}": {"a": word, "b": word if number else "other"} for number in range(5)}
    assert dawid_skene_labels(votes, {}, {})["i1"].label == word


def test_no_labels_are_no_result() -> None:
    assert dawid_skene_labels({}, {"g": {"a": "x"}}, {"g": "x"}) == {} == majority_labels({})
