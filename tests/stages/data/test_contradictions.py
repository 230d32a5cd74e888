"""The same question with several answers: what decides, and what is shown where nothing does."""

from typing import Any

import pytest
from pydantic import ValidationError

from tasks.core.params.data import NearDuplicates
from tests.stages.data.build import Run, record
from tests.stages.data.repetitions import ASIDE, LONG, NEW, OLD, OTHER, clusters, listed, rules


@pytest.mark.parametrize(
    ("first", "second", "gone"),
    [
        ({"source_id": "manual"}, {}, {2: ("conflict", 1)}),
        ({"effective_from": OLD}, {"effective_from": NEW}, {1: ("conflict", 2)}),
        ({"effective_from": OLD}, {}, {2: ("conflict", 1)}),
        ({"source_id": "manual", "effective_from": OLD}, {"effective_from": NEW}, {2: ("conflict", 1)}),
        ({}, {}, {1: ("conflict_undecided", None), 2: ("conflict_undecided", None)}),
    ],
)
def test_contradictions(
    run: Run, first: dict[str, Any], second: dict[str, Any], gone: dict[int, tuple[str, int | None]]
) -> None:
    pair = [record(LONG, "yes", number=1, **first), record(LONG + "!", "no", number=2, **second)]
    run.deduplicate([*pair, record(OTHER, number=3)], {"src": 0, "manual": 5}, ASIDE)
    assert rules(run) == gone
    listed = run.records_of("deduplicate", "conflicts")
    assert {(int(c["record_id"], 16), c["rule"], int(c["other"], 16), c["jaccard"]) for c in listed} == {
        (number, rule, 3 - number, 1.0) for number, (rule, _) in gone.items()
    }
    facts = run.result("deduplicate")["facts"]
    assert facts["conflicts"]["value"] + facts["conflicts_undecided"]["value"] == len(gone)


def test_answers_that_nothing_decides_all_stay_and_are_shown(run: Run) -> None:
    said = [(LONG, "yes"), (LONG + "!", "no"), (f"Hi, {LONG}", "ask"), (LONG + ".", "Yes."), (OTHER, "yes")]
    result = run.deduplicate([record(*pair, number=number) for number, pair in enumerate(said)])
    assert {rule for rule, _ in rules(run).values()} == {"near_duplicate"} and set(rules(run)) <= {0, 3}
    shown = listed(run)
    assert {rule for _, rule, _ in shown} == {"conflict_kept"}
    assert {number for number, _, _ in shown} == {0, 1, 2, 3} - set(rules(run))
    assert result.contradictions_kept == run.result("deduplicate")["facts"]["conflicts_kept"]["value"] == 3


@pytest.mark.parametrize("source_id", ["src", "manual"])
def test_one_source_that_puts_contradictions_aside_is_enough(run: Run, source_id: str) -> None:
    pair = [record(LONG, "yes", number=1), record(LONG, "no", number=2, source_id="manual")]
    run.deduplicate([*pair, record(OTHER, number=3)], says={source_id: {"contradictions": "put_aside"}})
    assert set(rules(run)) == {1, 2}
    assert listed(run) == {(1, "conflict_undecided", 2), (2, "conflict_undecided", 1)}


@pytest.mark.parametrize("says", [{}, ASIDE])
@pytest.mark.parametrize(
    ("one", "other", "target"),
    [
        ("What is the base rate on 1 March 2025?", "What is the base rate on 1 June 2025?", "4.00 %"),
        ("How do I install Java for release 17?", "How do I install Java for release 21?", "so"),
        (f"{LONG}, order 14", f"{LONG}, order 15", "yes"),
        (f"It can be modified: {LONG}", f"It cannot be modified: {LONG}", "yes"),
        (f"[name:k3v9x2ab7dqm] asks: {LONG}", f"[name:aaaabbbbcccc] asks: {LONG}", "yes"),
        (f"[name] asks: {LONG}", f"[name] asks: {LONG}", "yes"),
    ],
)
@pytest.mark.parametrize("fields", [{}, {"effective_from": OLD, "retired_at": NEW}])
def test_what_says_otherwise_stays_whatever_its_target(
    run: Run, one: str, other: str, target: str, says: Any, fields: dict[str, Any]
) -> None:
    for label in [target] if "[" in one else [target, "something else"]:
        run.deduplicate([record(one, target, 1, **fields), record(other, label, 2, effective_from=NEW)], says=says)
        assert rules(run) == {} and listed(run) == set()


@pytest.mark.parametrize(
    ("one", "other"),
    [("Yes.", "yes"), ("a b", "a  b "), ('{"a": 1, "b": "c"}', '{"b":"c","a":1}'), ('["a"]', '[ "A" ]')],
)
def test_the_layout_of_a_target_makes_no_contradiction(run: Run, one: str, other: str) -> None:
    run.deduplicate([record(LONG, one, 1), record(LONG, other, 2)], says=ASIDE)
    assert [rule for rule, _ in rules(run).values()] == [
        "exact_duplicate" if one.split() == other.split() else "near_duplicate"
    ]


def test_an_older_record_that_agrees_with_one_side_does_not_decide_a_dispute(run: Run) -> None:
    dispute = [record(LONG, label, number=n, effective_from=NEW) for n, label in enumerate(("yes", "no"), start=1)]
    third = record(LONG, "maybe", number=3, effective_from=OLD)
    run.deduplicate([*dispute, third, record(OTHER, number=4)], says=ASIDE)
    assert {rule for rule, _ in rules(run).values()} == {"conflict_undecided"}
    assert set(rules(run)) == {1, 2, 3}


@pytest.mark.parametrize(
    ("asked", "slipped"),
    [
        (LONG, LONG.replace("supermarket", "supermarekt")),
        (LONG, LONG.replace("enough", "enuogh")),
    ],
)
def test_a_question_with_a_slip_and_another_answer_is_shown(run: Run, asked: str, slipped: str) -> None:
    run.deduplicate([record(asked, "yes", 1), record(slipped, "no", 2), record(OTHER, number=3)])
    assert rules(run) == {} and {number for number, _, _ in listed(run)} == {1, 2}


@pytest.mark.parametrize(
    ("asked", "slipped", "shown"),
    [
        ("Is my card lost?", "Is my crad lost?", True),
        ("Hello, why was my paymant refused?", "why was my payment refused", True),
        ("why was my paymant reffused", "why was my payment refused", True),
        ("why was my cart refused", "why was my card refused", False),  # two words
        ("why was my pymnt refused", "why was my payment refused", False),
        ("refund 20 euros tody", "refund 30 euros today", False),
    ],
)
def test_a_short_question_with_slips_is_compared_with_its_correction(
    run: Run, asked: str, slipped: str, shown: bool
) -> None:
    run.deduplicate([record(asked, "yes", 1), record(slipped, "no", 2), record(OTHER, number=3)])
    assert rules(run) == {} and {number for number, _, _ in listed(run)} == ({1, 2} if shown else set())


def test_contradictions_are_looked_for_among_all_pairs_that_are_compared() -> None:
    assert NearDuplicates().conflict_jaccard == NearDuplicates(jaccard=0.7).conflict_jaccard == 0.8
    assert NearDuplicates(jaccard=0.9).conflict_jaccard == 0.85
    with pytest.raises(ValidationError, match=r"conflict_jaccard 0.8 is less than 0.85"):
        NearDuplicates(jaccard=0.9, conflict_jaccard=0.8)


def test_contradictions_are_looked_for_only_where_asked(run: Run) -> None:
    pair = [record("Write a poem", f"poem {n}", number=n) for n in range(3)]
    run.deduplicate(pair, near_duplicates={"conflict_jaccard": None})
    assert rules(run) == {}
    assert clusters(run) == [{0, 1, 2}]


@pytest.mark.parametrize("word", ["error", "warning"])
def test_other_words_in_brackets_are_the_sources_own(run: Run, word: str) -> None:
    run.deduplicate([record("What does [note] mean?", "a", 1), record(f"What does [{word}] mean?", "b", 2)])
    assert rules(run) == {}


@pytest.mark.parametrize("says", [{}, ASIDE])
def test_answers_that_differ_in_whom_they_name_neither_repeat_nor_contradict(run: Run, says: Any) -> None:
    said = [("[name:k3v9x2ab7dqm]", 1), ("[name:aaaabbbbcccc]", 2), ("[name]", 3)]
    run.deduplicate([record(LONG, f"Dear {who}, it comes today", number) for who, number in said], says=says)
    assert rules(run) == {} and listed(run) == set()


def test_answers_that_differ_in_more_than_whom_they_name_contradict(run: Run) -> None:
    said = [(LONG, "Dear [name:k3v9x2ab7dqm], it comes today"), (LONG, "Dear [email:aaaabbbbcccc], it comes today")]
    run.deduplicate([*(record(*pair, number=number) for number, pair in enumerate(said)), record(OTHER, number=3)])
    assert {rule for _, rule, _ in listed(run)} == {"conflict_kept"}
