"""Records in nearly the same words: which of them stays, and what stays together."""

from typing import Any

import pytest

from tests.stages.data.build import Run, record
from tests.stages.data.repetitions import LONG, NEW, OLD, OTHER, clusters, planted, rules


@pytest.mark.parametrize(
    ("text", "goes"),
    [
        (LONG.upper().replace(" ", "  ") + "!!! 🙏", True),
        (LONG.replace("declined", "declinde"), True),
        ("Hello there! " + LONG + "\nKind regards", True),
        (LONG.replace("although", "although indeed"), False),
        (LONG.replace("card", "transfer").replace("supermarket", "bank"), False),
        (LONG[: len(LONG) // 2], False),
    ],
)
def test_nearly_the_same_words_with_the_same_target_are_duplicates(run: Run, text: str, goes: bool) -> None:
    run.deduplicate([record(LONG, number=1), record(OTHER, number=2), record(text, number=3)])
    gone = rules(run)
    assert {rule for rule, _ in gone.values()} == ({"near_duplicate"} if goes else set())
    assert 2 not in gone and len(gone) == goes


def test_another_task_or_target_makes_no_duplicate(run: Run) -> None:
    near = LONG.replace("enough", "enuogh")
    run.deduplicate([record(LONG, number=1), record(near, "no", number=2), record(near, number=3, task="other")])
    assert rules(run) == {}
    assert clusters(run) == [{1, 2, 3}]


@pytest.mark.parametrize(
    ("first", "second", "winner"),
    [
        ({}, {"source_id": "manual"}, 2),
        ({"source_id": "manual", "effective_from": OLD}, {"effective_from": NEW}, 1),
        ({"effective_from": OLD}, {"effective_from": NEW}, 2),
        ({}, {"effective_from": OLD}, 2),
    ],
)
def test_which_of_two_near_duplicates_is_kept(
    run: Run, first: dict[str, Any], second: dict[str, Any], winner: int
) -> None:
    pair = [record(LONG, number=1, **first), record(LONG.replace("declined", "declinde"), number=2, **second)]
    result = run.deduplicate(pair, {"src": 0, "manual": 5})
    assert rules(run) == {3 - winner: ("near_duplicate", winner)}
    assert "higher authority" in result.kept


@pytest.mark.parametrize("text", [f"Hello, {LONG}!", f"{LONG} Many thanks in advance", LONG.replace("money", "moneey")])
def test_neither_length_nor_place_tells_which_of_two_is_kept(run: Run, text: str) -> None:
    stays = set()
    for texts in ((LONG, text), (text, LONG)):
        run.deduplicate([record(said, number=number) for number, said in enumerate(texts)])
        ((_, (rule, winner)),) = rules(run).items()
        assert rule == "near_duplicate" and winner is not None
        stays.add(texts[winner])
    assert len(stays) == 1


def test_which_of_two_is_kept_is_not_the_longer_one_as_a_rule(run: Run) -> None:
    texts = [text for number in range(60) for text in (f"{number} of {LONG}", f"Hello, {number} of {LONG}")]
    run.deduplicate([record(text, number=number) for number, text in enumerate(texts)])
    assert len(rules(run)) == 60
    assert 15 < sum(winner % 2 for _, winner in rules(run).values() if winner is not None) < 45


def test_a_winner_is_itself_near_and_never_by_way_of_a_third(run: Run) -> None:
    # The second is a slip for both others; they are none for each other.
    slips = ["supermarket", "suprmarkt", "suprmakt"]
    run.deduplicate([record(LONG.replace("supermarket", slip), number=n) for n, slip in enumerate(slips)])
    gone = {loser: winner for loser, (_, winner) in rules(run).items()}
    assert gone and all(1 in pair for pair in gone.items())


@pytest.mark.parametrize("side", ["train", ""])
def test_training_text_that_a_fixed_test_set_holds_goes(run: Run, side: str) -> None:
    test = [record(LONG, number=1, split="test"), record(LONG + " please", "no", number=2, split="test")]
    train = [record(LONG.upper(), "maybe", number=3, split=side, task="other"), record(OTHER, number=4, split=side)]
    run.deduplicate([*test, *train])
    assert rules(run) in ({3: ("near_test", 1)}, {3: ("near_test", 2)})
    assert clusters(run) == [{1, 2}]


def test_however_a_prompt_is_spaced_it_has_one_form_and_stands_in_one_cluster(run: Run) -> None:
    texts = ["policy version 2", "policy version  2", "policy\nversion\t2"]
    texts += ["fees, replaces all\nthat was before", "fees, replaces all that was before"]
    run.deduplicate(
        [record(text, f"answer {number}", number) for number, text in enumerate(texts)],
        near_duplicates={"conflict_jaccard": None},
    )
    assert rules(run) == {}
    assert clusters(run) == [{0, 1, 2}, {3, 4}]


def test_duplicates_share_the_fate_of_the_record_that_stood_for_them(run: Run) -> None:
    newer = record(LONG + "!", number=3, effective_from=NEW)
    run.deduplicate([record(LONG, number=1), record(LONG, number=2), newer])
    assert rules(run) == {1: ("near_duplicate", 3), 2: ("near_duplicate", 3)}


def test_thousands_of_one_template_take_no_time_and_all_of_them_stay(run: Run) -> None:
    texts = [f"{LONG} order {number:05}" for number in range(3000)]
    result = run.deduplicate([record(text, number=number) for number, text in enumerate([*texts, texts[7] + "!"])])
    assert result.counts.quarantined == {"near_duplicate": 1}
    assert result.largest_cluster == 3000


def test_a_test_set_in_the_same_template_takes_all_of_it_out_of_training(run: Run) -> None:
    texts = [f"{LONG} order {number:05}" for number in range(400)]
    run.deduplicate([record(text, number=n, split="test" if n % 8 == 0 else "train") for n, text in enumerate(texts)])
    assert {rule for rule, _ in rules(run).values()} == {"near_test"}
    assert len(rules(run)) == 350


def test_planted_near_duplicates_are_found_and_nothing_else(run: Run) -> None:
    records, copies = planted(seed=5, groups=1500)
    run.deduplicate(records)
    gone = rules(run)
    assert len(set(gone) & copies) / len(copies) >= 0.995
    assert set(gone) <= copies
    assert all(winner == loser - 1 for loser, (_, winner) in gone.items())
