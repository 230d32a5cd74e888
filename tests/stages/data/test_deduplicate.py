"""What deduplication takes out, for which winner, and what it leaves; planted repetitions with their truth."""

import random
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.core.errors import InputError
from tasks.core.files import tree_manifest
from tasks.stages.data.deduplicate import deduplicate
from tests.stages.data.build import Run, params, record

LONG = "my card was declined at the supermarket this morning although there is enough money on my account"
OTHER = "how do I change the address that you send letters to, I have moved to another town last week"
OLD, NEW = date(2024, 1, 1), date(2025, 3, 1)
ASIDE = {"src": {"contradictions": "put_aside"}}
TOGETHER: dict[str, Any] = {"near_duplicates": {"jaccard": 0.85, "conflict_jaccard": 0.85}}


def rules(run: Run) -> dict[int, tuple[str, int | None]]:
    """Rule and number of the winner, by number of the record."""
    return {
        int(entry["record_id"], 16): (entry["rule"], int(entry["winner"], 16) if entry["winner"] else None)
        for entry in run.records_of("deduplicate", "quarantine")
    }


def clusters(run: Run) -> list[set[int]]:
    found: dict[str, set[int]] = {}
    for item in run.records_of("deduplicate", "clusters"):
        found.setdefault(item["cluster"], set()).add(int(item["record_id"], 16))
    return sorted(found.values(), key=min)


def test_the_first_of_exact_duplicates_is_kept_and_cited(run: Run) -> None:
    same = [
        record("Where is  my card?", number=1),
        record("Where is\nmy card? ", number=9, department="other"),
        record("where is my card?", number=2),
        record("Where is my card?", "no", number=3),
        record("Where is my card?", number=4, task="other"),
    ]
    run.deduplicate(same, near_duplicates=None)
    (entry,) = run.records_of("deduplicate", "quarantine")
    assert (entry["row"], entry["rule"], entry["winner"]) == (2, "exact_duplicate", same[0]["record_id"])
    assert run.records_of("deduplicate") == [same[0], *same[2:]]


@pytest.mark.parametrize(
    ("sides", "removed"),
    [
        (["train", "train"], {2}),
        (["test", "test"], set()),
        (["train", "test"], set()),
        (["", "test"], {1}),
        (["", "train"], {1}),
        (["test", "", "train", ""], {2, 4}),
    ],
)
def test_duplicates_give_way_to_fixed_sides_and_a_fixed_test_set_stays_whole(
    run: Run, sides: list[str], removed: set[int]
) -> None:
    run.deduplicate(
        [record("same", number=number, split=side) for number, side in enumerate(sides)], near_duplicates=None
    )
    assert set(run.rules_of("deduplicate")) == removed


def test_a_higher_authority_keeps_an_exact_duplicate(run: Run) -> None:
    run.deduplicate([record("same", number=1), record("same", number=2, source_id="manual")], {"manual": 1})
    assert rules(run) == {1: ("exact_duplicate", 2)}


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
    slips = [
        "supermarket",
        "suprmarkt",
        "suprmakt",
    ]  # the second is a slip for both others, they are none for each other
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


def listed(run: Run) -> set[tuple[int, str, int]]:
    """What stands in conflicts."""
    rows = run.records_of("deduplicate", "conflicts")
    return {(int(row["record_id"], 16), row["rule"], int(row["other"], 16)) for row in rows}


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
    for label in (target, target if "[" in target else "something else"):
        if "[" in one and label != target:
            continue
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


def test_contradictions_are_looked_for_only_where_asked(run: Run) -> None:
    pair = [record("Write a poem", f"poem {n}", number=n) for n in range(3)]
    run.deduplicate(pair, near_duplicates={"conflict_jaccard": None})
    assert rules(run) == {}
    assert clusters(run) == [{0, 1, 2}]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"text": f"# Policy v1\n{LONG}"}, {"text": f"# Policy v2\n{LONG}"}),
        ({"text": f"{LONG}\nVersion 2.1\n5 EUR"}, {"text": f"{LONG}\nVersion 3, replaces version 2.1\n7 EUR"}),
        ({"text": LONG}, {"text": f"{LONG} (updated 2025-03)"}),
        ({"text": f"{LONG}. Gültig ab 1.1.2024."}, {"text": f"{LONG}. Neu ab 1. März 2025."}),
        ({"text": LONG, "label": "The fee is 5"}, {"text": LONG, "label": "The fee is 7 (valid from 2025-03-01)"}),
        ({"text": LONG, "retired_at": NEW}, {"text": LONG + "."}),
    ],
)
def test_the_version_in_force_stays(run: Run, old: dict[str, Any], new: dict[str, Any]) -> None:
    pair = [record(number=1, effective_from=OLD, **old), record(number=2, effective_from=NEW, **new)]
    run.deduplicate(pair)
    assert rules(run) == {1: ("superseded", 2)}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"text": f"{LONG} (Version 9)"}, {"text": f"{LONG} (Version 10)"}),
        ({"text": f"Policy v1\n\n{LONG}, and 5 more"}, {"text": f"Policy v2\n\n{LONG}"}),
        ({"text": f"{LONG}\nupdated 2025-02"}, {"text": f"{LONG}\nupdated 2025-03"}),
        ({"text": f"{LONG} (v1)", "label": "The fee is 5"}, {"text": f"{LONG} (v2)", "label": "The fee is 7"}),
        ({"text": LONG, "label": "The fee is 5 (v1)"}, {"text": LONG, "label": "The fee is 7 (v2)"}),
        (
            {"text": f"{LONG}. Valid from March 2025.", "label": "The fee is 5"},
            {"text": f"{LONG}. Valid from April 2025.", "label": "The fee is 7"},
        ),
    ],
)
def test_without_dates_the_edition_that_the_texts_name_decides(
    run: Run, old: dict[str, Any], new: dict[str, Any]
) -> None:
    result = run.deduplicate([record(number=1, **old), record(number=2, **new), record(OTHER, number=3)])
    assert rules(run) == {1: ("superseded", 2)}
    assert "newer edition" in result.kept


def test_editions_are_of_one_text_about_one_person(run: Run) -> None:
    people = ["[name:k3v9x2ab7dqm]", "[name:aaaabbbbcccc]"]
    run.deduplicate([record(f"Contract of {who}\nv{n}\n{LONG}", number=n) for n, who in enumerate(people, start=1)])
    assert rules(run) == {}
    asked = [record(f"{LONG}, in room {n}", f"Go left (v{n})", n) for n in (1, 2)]
    run.deduplicate(asked)
    assert rules(run) == {}, "editions of two answers to two questions"


def test_dates_alone_make_editions_where_the_source_says_so(run: Run) -> None:
    pair = [record(f"{LONG} for 14 days", number=1, effective_from=OLD)]
    pair.append(record(f"{LONG} for 30 days", number=2, effective_from=NEW))
    run.deduplicate(pair)
    assert rules(run) == {}
    run.deduplicate(pair, says={"src": {"editions": "dated"}})
    assert rules(run) == {1: ("superseded", 2)}


@pytest.mark.parametrize("word", ["error", "warning"])
def test_other_words_in_brackets_are_the_sources_own(run: Run, word: str) -> None:
    run.deduplicate([record("What does [note] mean?", "a", 1), record(f"What does [{word}] mean?", "b", 2)])
    assert rules(run) == {}


ABOUT = "I am {}, where is my parcel? It was to come last week and nobody could tell me anything"


@pytest.mark.parametrize("says", [{}, ASIDE])
def test_answers_that_differ_in_whom_they_name_neither_repeat_nor_contradict(run: Run, says: Any) -> None:
    said = [("[name:k3v9x2ab7dqm]", 1), ("[name:aaaabbbbcccc]", 2), ("[name]", 3)]
    run.deduplicate([record(LONG, f"Dear {who}, it comes today", number) for who, number in said], says=says)
    assert rules(run) == {} and listed(run) == set()


def test_answers_that_differ_in_more_than_whom_they_name_contradict(run: Run) -> None:
    said = [(LONG, "Dear [name:k3v9x2ab7dqm], it comes today"), (LONG, "Dear [email:aaaabbbbcccc], it comes today")]
    run.deduplicate([*(record(*pair, number=number) for number, pair in enumerate(said)), record(OTHER, number=3)])
    assert {rule for _, rule, _ in listed(run)} == {"conflict_kept"}


def test_the_same_conversation_with_somebody_else_is_no_exact_duplicate(run: Run) -> None:
    people = ["[name:k3v9x2ab7dqm]", "[name:aaaabbbbcccc]"] * 2
    run.deduplicate([record(ABOUT.format(who), who, number) for number, who in enumerate(people)], near_duplicates=None)
    assert rules(run) == {2: ("exact_duplicate", 0), 3: ("exact_duplicate", 1)}


def test_however_a_prompt_is_spaced_it_has_one_form_and_stands_in_one_cluster(run: Run) -> None:
    texts = ["policy version 2", "policy version  2", "policy\nversion\t2"]
    texts += ["fees, replaces all\nthat was before", "fees, replaces all that was before"]
    run.deduplicate(
        [record(text, f"answer {number}", number) for number, text in enumerate(texts)],
        near_duplicates={"conflict_jaccard": None},
    )
    assert rules(run) == {}
    assert clusters(run) == [{0, 1, 2}, {3, 4}]


def test_a_retired_record_without_a_successor_stays(run: Run) -> None:
    run.deduplicate([record(LONG, number=1, retired_at=NEW), record(OTHER, number=2)])
    assert rules(run) == {}


def test_duplicates_share_the_fate_of_the_record_that_stood_for_them(run: Run) -> None:
    newer = record(LONG + "!", number=3, effective_from=NEW)
    run.deduplicate([record(LONG, number=1), record(LONG, number=2), newer])
    assert rules(run) == {1: ("near_duplicate", 3), 2: ("near_duplicate", 3)}


def test_without_thresholds_only_exact_duplicates_go_and_no_figure_claims_more(run: Run) -> None:
    result = run.deduplicate(
        [record(LONG, number=1), record(LONG, number=2), record(LONG + "!", number=3)], near_duplicates=None
    )
    assert rules(run) == {2: ("exact_duplicate", 1)}
    assert clusters(run) == []
    assert set(run.result("deduplicate")["facts"]) == {"records", "exact_duplicates", "quarantined_share"}
    assert result.near is None


ODD = ["", "?", "…", "👍", "v2", "2025-03-01", "x", "ß", "SS", "\u200b", "\x00", "a\u0301", "שלום", "مرحبا", "你好"]


def test_odd_texts_come_through(run: Run) -> None:
    huge = " ".join(map(str, random.Random(1).choices(range(10_000, 99_999), k=175_000)))  # 1 MB
    texts = [*ODD, huge, huge + "  ", huge + "too", "\n".join([LONG] * 3)]
    result = run.deduplicate([record(text, number=number) for number, text in enumerate(texts)])
    ss, sharp, wide = texts.index("SS"), texts.index("ß"), len(ODD)
    assert rules(run) in (
        {one: ("near_duplicate", other), wide + 1: ("exact_duplicate", wide)}
        for one, other in ((ss, sharp), (sharp, ss))
    )
    assert result.counts.rows == len(texts)


@pytest.mark.parametrize("count", [1, 500])
def test_one_record_and_all_alike(run: Run, count: int) -> None:
    result = run.deduplicate([record(LONG, number=number, effective_from=NEW) for number in range(count)])
    assert (result.counts.records, result.counts.quarantined.get("exact_duplicate", 0)) == (1, count - 1)


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


def test_nothing_left_is_refused(run: Run) -> None:
    with pytest.raises(InputError, match="none of 2 records is left"):
        run.deduplicate([record(LONG, "yes", number=1), record(LONG, "no", number=2)], says=ASIDE)


def test_counts_add_up_by_source(run: Run) -> None:
    result = run.deduplicate([record("a", number=1), record("a", number=2), record("b", number=3, source_id="two")])
    assert (result.counts.rows, result.counts.records, result.counts.removed) == (3, 2, 1)
    assert {name: (c.rows, c.records) for name, c in result.by_source.items()} == {"src": (2, 1), "two": (1, 1)}
    assert run.result("deduplicate")["facts"]["quarantined_share"]["value"] == pytest.approx(1 / 3)


@pytest.mark.parametrize("times", [0, 2])
def test_a_record_that_is_lost_or_written_twice_is_noticed(
    run: Run, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    whole = deduplicate._kept
    monkeypatch.setattr(deduplicate, "_kept", lambda path, keep: [*whole(path, keep)] * times)
    with pytest.raises(AssertionError, match=rf"deduplicate: 3 rows in, but {2 * times} records and 1 quarantined out"):
        run.deduplicate([record("a", number=1), record("a", number=2), record("b", number=3)])
    assert not run.layout.stage("deduplicate").joinpath("records.parquet").exists()


def planted(seed: int, groups: int) -> tuple[list[dict[str, Any]], set[int]]:
    """Records of random words, some with a copy in which one of forty is mistyped; and the numbers of the copies."""
    dice = random.Random(seed)
    words = ["".join(dice.choices("abcdefghijklmnoprstuvw", k=dice.randint(2, 9))) for _ in range(600)]
    records, copies = [], set()
    for number in range(0, 2 * groups, 2):
        text = dice.choices(words, k=40)
        records.append(record(" ".join(text), number=number, effective_from=NEW))
        if dice.random() < 0.3:
            place = dice.choice([n for n, word in enumerate(text) if len(word) > 4])
            text[place] = text[place][:2] + text[place][3] + text[place][2] + text[place][4:]
            records.append(record(" ".join(text), number=number + 1, effective_from=OLD))
            copies.add(number + 1)
    return records, copies


def test_planted_near_duplicates_are_found_and_nothing_else(run: Run) -> None:
    records, copies = planted(seed=5, groups=1500)
    run.deduplicate(records)
    gone = rules(run)
    assert len(set(gone) & copies) / len(copies) >= 0.995
    assert set(gone) <= copies
    assert all(winner == loser - 1 for loser, (_, winner) in gone.items())


PARTS = st.lists(st.sampled_from([*LONG.split()[:4], "(v2)", "2025-03-01", "!", "please", "[name]"]), max_size=3)


@st.composite
def revisions(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Records of which many are near each other, with sides, dates, targets and sources in every combination."""
    fields = st.fixed_dictionaries(
        {
            "label": st.sampled_from(["yes", "no"]),
            "split": st.sampled_from(["", "", "train", "test"]),
            "source_id": st.sampled_from(["src", "manual"]),
            "task": st.sampled_from(["triage", "triage", "other"]),
            "effective_from": st.sampled_from([None, OLD, NEW]),
            "retired_at": st.sampled_from([None, None, NEW]),
        }
    )
    base = st.sampled_from([LONG, OTHER, "", "short"])
    rows = draw(st.lists(st.tuples(base, PARTS, fields), min_size=1, max_size=14))
    return [
        record(" ".join([text, *more]), number=number, **given_fields)
        for number, (text, more, given_fields) in enumerate(rows)
    ]


def judged(folder: Path, records: list[dict[str, Any]], order: Iterable[dict[str, Any]]) -> Run:
    """The stage over records in some order; each keeps the row that it has in its source."""
    run = Run(folder)
    run.put("clean", list(order), {"manual": 1}, ASIDE)
    run.put_rows([{"record_id": r["record_id"], "source_id": "src", "row": n} for n, r in enumerate(records, start=1)])
    deduplicate.run(params(**TOGETHER), run.layout)
    return run


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(revisions(), st.randoms(use_true_random=False))
def test_what_always_holds(
    tmp_path_factory: pytest.TempPathFactory, records: list[dict[str, Any]], dice: random.Random
) -> None:
    try:
        run = judged(tmp_path_factory.mktemp("a"), records, records)
    except InputError as error:
        assert "is left" in str(error)
        return
    gone, kept = rules(run), {int(item["record_id"], 16) for item in run.records_of("deduplicate")}
    assert sorted([*gone, *kept]) == list(range(len(records))), "every record is kept or quarantined, once"
    assert {winner for _, winner in gone.values()} - {None} <= kept, "every winner is kept"
    assert all(winner is not None or rule == "conflict_undecided" for rule, winner in gone.values())
    assert {n for n, item in enumerate(records) if item["split"] == "test"} <= kept, "a fixed test set stays whole"
    shuffled = judged(tmp_path_factory.mktemp("b"), records, dice.sample(records, len(records)))
    for name in ("quarantine", "conflicts", "clusters"):
        first, second = (r.layout.stage("deduplicate") / f"{name}.parquet" for r in (run, shuffled))
        assert first.read_bytes() == second.read_bytes(), "the order of the records decides nothing"
    assert run.result("deduplicate") == shuffled.result("deduplicate")


def test_the_same_records_give_the_same_bytes(run: Run) -> None:
    records, _ = planted(seed=1, groups=100)
    run.deduplicate(records)
    first = tree_manifest(run.layout.stage("deduplicate"))
    run.deduplicate(records)
    assert tree_manifest(run.layout.stage("deduplicate")) == first
