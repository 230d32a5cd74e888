"""Near-identical texts: exact Jaccard, nothing missed, the same whatever stands beside it."""

import random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.stages.data.deduplicate.similarity.batches import batch_ranges
from tasks.stages.data.deduplicate.similarity.candidates import ANCHORS_PER_BUCKET, MAX_PAIRS_PER_TEXT, candidate_pairs
from tasks.stages.data.deduplicate.similarity.content import extract_content
from tasks.stages.data.deduplicate.similarity.corrections import find_corrected_pairs
from tasks.stages.data.deduplicate.similarity.editions import parse_edition
from tasks.stages.data.deduplicate.similarity.equality import have_same_content
from tasks.stages.data.deduplicate.similarity.form import casefold_texts, may_state_edition, normalise_for_similarity
from tasks.stages.data.deduplicate.similarity.groups import connected_components
from tasks.stages.data.deduplicate.similarity.jaccard import jaccard_similarities
from tasks.stages.data.deduplicate.similarity.pairs import find_near_pairs
from tasks.stages.data.deduplicate.similarity.shingles import SHINGLE_BYTES, compute_shingles
from tasks.stages.data.deduplicate.similarity.signatures import (
    BANDS,
    MAX_MISSED_SHARE,
    MAX_ROWS_PER_BAND,
    band_keys,
    rows_per_band,
)
from tasks.stages.data.deduplicate.similarity.target_form import normalise_target
from tasks.stages.data.deduplicate.similarity.vocabulary import WordUse, WordUses, count_word_uses
from tasks.stages.data.edit_distance import edit_distance
from tests.quickest import is_quick
from tests.soaking import examples


def windows(form: str) -> set[bytes]:
    padded = form.encode() + b" " * (SHINGLE_BYTES - 1)
    return {padded[i : i + SHINGLE_BYTES] for i in range(len(padded) - SHINGLE_BYTES + 1)} if form else set()


def form_of(text: str) -> str:
    form: str = normalise_for_similarity(casefold_texts([text]))[0].as_py()
    return form


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("  Where\tis my CARD?! 🙏", "where is my card"),
        ("Straße", "strasse"),
        ("Fees v2.1 (updated 2025-03)", "fees"),
        ("Fees, Version 3, gültig ab 1.3.2025", "fees"),
        ("Fees, replaces the list of May; see below", "fees see below"),
        ("Paid on 1 March 2025 and 3/1/25", "paid on and"),
        ("Zahlung vom 1. März 2025", "zahlung vom"),
        ("12.50 at 12:30, room 4", "12 50 at 12 30 room 4"),
        ("…", ""),
        ("Policy\tversion \u00a0 2", "policy"),
        ("What does [error] mean?", "what does error mean"),
        ("I am [name:k3v9x2ab7dqm], mail [email] or [email:" + "long-label." * 5 + "example.org]", "i am mail or"),
        ("Hello, where is it? Many thanks in advance!", "where is it"),
        ("Guten Tag, wo ist es? Viele Grüße", "wo ist es"),
        ("Hi", "hi"),
        ("Born [birth_date:1815], from [network:192.0.2.0/24]", "born from"),
        ("[name: k3v9x2ab7dqm], as the source itself has it", "name k3v9x2ab7dqm as the source itself has it"),
    ],
)
def test_what_is_compared(text: str, form: str) -> None:
    assert form_of(text) == form


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ("Policy V2", True),
        ("supersedes all before", True),
        ("Ersetzt durch die neue", True),
        ("valid from March 2025", True),
        ("valid from the beginning", False),
        ("paid on 2025-03-01", False),
        ("v for victory", False),
    ],
)
def test_what_may_say_its_edition(text: str, marked: bool) -> None:
    assert may_state_edition(casefold_texts([text])).to_pylist() == [marked]


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("fees", "fees (v1)"),
        ("Fees v2\n\n5 EUR", "Fees v10\n\n5 EUR"),
        ("Version 2.9\nfees", "Version 2.10\nfees"),
        ("Fees (Fassung 2)", "Fees (Fassung 3, ersetzt Fassung 9)"),
        ("new in it (version 2.0)\nversion 3.1", "new in it (version 2.0)\nversion 3.2"),
        ("# Fees v7\nx", "# Fees\nLast updated: 2025-03\nx"),
        ("updated 2025-03-01", "updated 2025-03-02"),
        ("Gebühren. Gültig ab 31.1.2024.", "Gebühren. Gültig ab 1.2.2024."),
        ("Fees (valid from 1/31/24)", "Fees (valid from 2/1/24)"),
        ("**Stand:** 31. März 2025", "**Stand:** 1. Dezember 2025"),
        ("Effective date: May 31, 2025\nfees", "Effective date: October 1, 2025\nfees"),
        ("revised on 2024-12-31", "aktualisiert am 1.1.25"),
        ("valid from March 2025", "valid from April 2025"),
        ("valid from December 2024", "valid from March 2025"),
        ("In Kraft seit März 2025", "In Kraft seit 2. März 2025"),
        ("Fees\nversion 1\nreplaces version 3", "Fees\nversion 2\nreplaces version 3"),
        ("Fees\nPolicy no. 7", "Fees\nPolicy no. 8"),
        ("Fees (Ausgabe vom 1.3.2024)", "Fees (Ausgabe vom 1.3.2025)"),
    ],
)
def test_which_of_two_texts_says_that_it_is_newer(older: str, newer: str) -> None:
    first, second = (parse_edition(text, ["Ausgabe", "Policy no."]) for text in (older, newer))
    assert first.sort_key < second.sort_key
    assert extract_content(first.body).comparison_key == extract_content(second.body).comparison_key


@pytest.mark.parametrize(
    "text",
    [
        "", "fees", "paid on 2025-03-01", "v for victory", "Java for release 17?", "How do I install Java release 17",
        "What is the base rate, valid from 1 March 2025?", "Is it valid from 1 March 2025? I must know",
        "Version 2.1?", "What is new in the app (v2)?", "Java release 17\n\nHow do I install it?",
        "Policy v2: the fee is 5", "The fee of 5 is valid from 2025-03-01 for all", "Fees, replaces all\nbefore",
        "It replaces version 3 of the router", "Stand: unbekannt", "2025-03-01", "as of now",
    ],
)  # fmt: skip
def test_a_date_or_version_within_a_text_is_none_of_its_edition(text: str) -> None:
    assert parse_edition(text) == (text, "", False)


def same(one: str, other: str, uses: WordUses | None = None) -> bool:
    """Whether two texts say the same, as the stage asks it."""
    first, second = (extract_content(parse_edition(text).body) for text in (one, other))
    alike = first.comparison_key == second.comparison_key or have_same_content(first.text, second.text, uses or {})
    assert alike == (
        first.comparison_key == second.comparison_key or have_same_content(second.text, first.text, uses or {})
    )
    return alike and first.signature == second.signature and not first.has_masked_value and not second.has_masked_value


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("kept for 14 days", "kept for 41 days"), ("kept for fourteen days", "kept for fifteen days"),
        ("4.25 % of it", "4.00 % of it"), ("1,000 EUR", "1.000 EUR"), ("-5 degrees", "5 degrees"), ("5 %", "5 ‰"),
        ("on 1 March 2025", "on 1 June 2025"), ("due on Monday", "due on Sunday"), ("fällig im Juni", "fällig im Juli"),
        ("5 kg", "5 lb"), ("5 EUR", "5 USD"), ("5 €", "5 $"), ("14 days", "14 weeks"), ("3 Tage", "3 Jahre"),
        ("it can be modified", "it cannot be modified"), ("it is valid", "it is not valid"), ("valid", "invalid"),
        ("with approval", "without approval"), ("typical", "atypical"), ("always so", "never so"),
        ("er darf es", "er darf es nicht"), ("ein Recht", "kein Recht"), ("mit Antrag", "ohne Antrag"),
        ("wirksam", "unwirksam"), ("modified", "unmodified"), ("er ist nie da", "er ist nun da"),
        ("users may copy", "users must copy"), ("you shall pay", "you should pay"), ("it can be so", "it may be so"),
        ("er muss zahlen", "er darf zahlen"), ("sie kann es", "sie soll es"), ("er konnte es", "er könnte es"),
        ("ask Anna", "ask Anne"), ("ask Meier", "ask Meyer"), ("ask Hansen", "ask Hanson"),
        ("at Zentrix", "at Zentrex"),
        ("Kestrel runs it", "Kestrex runs it"), ("in C#", "in C++"), ("Java 17", "Java 21"), ("TLS v1.2", "TLS v1.3"),
        ("order AB-12-x", "order AB-13-x"), ("the API of it", "the APT of it"), ("room 4a", "room 4b"),
        ("I am [name:k3v9x2ab7dqm]", "I am [name:aaaabbbbcccc]"), ("I am [name]", "I am [name]"),
        ("born [birth_date:1815]", "born [birth_date:1815]"), ("he modified it", "he codified it"),
        ("the lessor pays", "the lessee pays"), ("before the end", "after the end"), ("not able", "notable"),
        ("A pays B", "B pays A"), ("5 to 7 and 9", "5 to 9 and 7"), ("it is not so, ok", "it is so, not ok"),
        ("पैसा", "पैसे"), ("你好吗", "你好"),
    ],
)  # fmt: skip
def test_what_tells_two_texts_apart(one: str, other: str) -> None:
    assert not same(f"Please note: {one} in this case", f"Please note: {other} in this case")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("My card was declined", "MY CARD WAS  DECLINED!!! 🙏"), ("the account", "the accuont"),
        ("the card", "teh card"),
        ("Die Überweisung fehlt", "die ueberweisung fehlt"), ("Straße", "STRASSE"), ("don't", "dont"),
        ("my Rechnung is wrong", "my Rechnnug is wrong"), ("necessary steps", "neccessary steps"),
        ("at the supermarket", "at the super market"), ("well-known fees", "well known fees"),
        ("> my card\n> is lost", "my card is lost"), ("café au lait", "cafe\u0301 au lait"), ("cost: 5 €", "cost 5€"),
        ("Sehr geehrte Damen und Herren, wo ist es", "Sehr gehrte Damen und Herren, wo ist es"),
        ("where is it", "Hello, where is it? Many thanks in advance"), ("where is it", "Hi there!\nwhere is it"),
        ("wo ist es", "Sehr geehrte Damen und Herren, wo ist es bitte? Mit freundlichen Grüßen"),
        ("I am [name:k3v9x2ab7dqm]", "i am [name:k3v9x2ab7dqm]."), ("fees", "fees (v2)"),
    ],
)  # fmt: skip
def test_what_says_the_same(one: str, other: str) -> None:
    assert same(one, other)


def test_a_slip_is_used_hardly_ever_and_a_name_never_in_lower_case() -> None:
    one, other = "read the Tulvane twice", "read the Tulwane twice"
    assert not same(one, other)
    assert same(one, other, {"tulvane": WordUse(90, 30)})
    assert not same(one, other, {"tulvane": WordUse(90, 1)}), "a name"
    assert not same(one, other, {"tulvane": WordUse(90, 30), "tulwane": WordUse(40, 20)}), "another word"


def test_words_are_counted_as_contents_spell_them() -> None:
    texts = ["Größe und größe, (Größe)", "selten", "don't 5 x9"]
    assert count_word_uses(pa.array([text]) for text in texts) == {"groesse": (3, 1)}


@pytest.mark.parametrize(
    ("one", "other", "number"), [("card", "card", 0), ("card", "crad", 1), ("a", "abc", 2), ("abcdef", "x", 3)]
)
def test_changes_are_counted(one: str, other: str, number: int) -> None:
    assert edit_distance(one, other) == edit_distance(other, one) == number


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Yes.", "yes"), ("Yes", " YES !"), ("a  b\nc", "a b c"), ('{"a": 1, "b": ["X"]}', '{"b":["x."],\n"a":1}'),
        ("[1, 2]", "[1,2]"), ('{"a": "it  is"}', '{"a":"It is"}'), ("...", "..."),
    ],
)  # fmt: skip
def test_targets_that_say_the_same(one: str, other: str) -> None:
    assert normalise_target(one) == normalise_target(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("yes", "no"), ('{"a": 1}', '{"a": "1"}'), ("[1, 2]", "[2, 1]"), ("?", "!"),
        ('{"a": 1, "a": 2}', '{"a": 2}'), ('{"a": {"b": 1}}', '{"a": ["b", 1]}'), ('{"a": null}', '{"a": "None"}'),
        ("[" * 3000, "[" * 3001), ("5 %", "5"), ("-5", "5"), ("{a}", "{b}"),
    ],
)  # fmt: skip
def test_targets_that_say_otherwise(one: str, other: str) -> None:
    assert normalise_target(one) != normalise_target(other)


TEXTS = st.text(st.sampled_from("abc äß你👍"), min_size=1, max_size=30)


@examples(st.lists(TEXTS, min_size=2, max_size=8), st.data(), few=30)
def test_jaccard_is_that_of_the_sets(texts: list[str], data: st.DataObject) -> None:
    places = st.integers(0, len(texts) - 1)
    pairs = data.draw(st.lists(st.tuples(places, places), min_size=1, max_size=10))
    expected = [
        len(windows(texts[a]) & windows(texts[b])) / len(windows(texts[a]) | windows(texts[b])) for a, b in pairs
    ]
    assert jaccard_similarities(pa.array(texts), np.array(pairs)).tolist() == expected


@examples(st.lists(st.text(max_size=9), max_size=6), st.integers(0, 6), few=30)
def test_windows_are_as_many_as_bytes_wherever_an_array_begins(texts: list[str], skipped: int) -> None:
    part = pa.array([*(["before"] * skipped), *texts], pa.string()).slice(skipped)
    found = compute_shingles(part)
    assert np.diff(found.starts).tolist() == [len(text.encode()) for text in texts]
    assert np.diff(found.deduplicated().starts).tolist() == [len(windows(text)) for text in texts]


@pytest.mark.parametrize("jaccard", [0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 1.0])
def test_bands_miss_hardly_anything_at_the_threshold(jaccard: float) -> None:
    assert 1 <= rows_per_band(jaccard) <= MAX_ROWS_PER_BAND
    assert (1 - jaccard ** rows_per_band(jaccard)) ** BANDS <= MAX_MISSED_SHARE


def test_a_form_has_the_same_keys_whatever_stands_beside_it() -> None:
    texts = [f"message {number} of many" for number in range(50)]
    together = band_keys(compute_shingles(pa.array(texts)), 0.85)
    assert [band_keys(compute_shingles(pa.array([text])), 0.85).tolist()[0] for text in texts] == together.tolist()


@pytest.mark.parametrize("least", [0.5, 0.7, 0.85])
def test_every_near_pair_is_found_among_many(least: float) -> None:
    dice = random.Random(4)
    known = ["".join(dice.choices("abcdefghijklmno", k=dice.randint(2, 8))) for _ in range(300)]
    texts = []
    for _ in range(120):
        words = dice.choices(known, k=30)
        texts.append(" ".join(words))
        for place in dice.sample(range(30), dice.randint(1, 8)):
            words[place] = dice.choice(known)
        texts.append(" ".join(words))
    sets = [windows(text) for text in texts]
    truth = {
        (a, b)
        for a in range(len(texts))
        for b in range(a + 1, len(texts))
        if len(sets[a] & sets[b]) >= least * len(sets[a] | sets[b])
    }
    found = find_near_pairs(pa.array(texts), np.arange(len(texts)), least)
    assert set(map(tuple, found.pairs.tolist())) == truth
    assert len(truth) > 10


def test_a_band_that_thousands_share_gives_few_pairs() -> None:
    keys = np.zeros((3_000, BANDS), np.uint32)
    found = candidate_pairs(keys)
    assert len(found) <= 3_000 * ANCHORS_PER_BUCKET
    assert set(found[:, 0].tolist()) == set(range(ANCHORS_PER_BUCKET))
    spread = np.random.default_rng(1).integers(0, 50, (3_000, BANDS), np.uint32)
    assert np.bincount(candidate_pairs(spread)[:, 1]).max() <= MAX_PAIRS_PER_TEXT


@given(st.lists(st.integers(0, 50), max_size=20), st.integers(1, 60))
def test_parts_are_complete_and_small(sizes: list[int], most: int) -> None:
    found = list(batch_ranges(np.array(sizes, np.int64), most))
    assert [i for begin, end in found for i in range(begin, end)] == list(range(len(sizes)))
    assert all(end - begin == 1 or sum(sizes[begin:end]) <= most for begin, end in found)


def test_what_hangs_together() -> None:
    numbers = connected_components(5, np.array([[0, 3], [3, 4]])).tolist()
    assert numbers[0] == numbers[3] == numbers[4]
    assert len(set(numbers)) == 3
    assert len(set(connected_components(2, np.zeros((0, 2), np.int64)).tolist())) == 2


@pytest.mark.parametrize(
    "text", ["\n" * 20_000, ("v1.1 may 2025 " * 14)[:199] + "x"], ids=["empty lines", "two readings"]
)
def test_no_text_makes_editions_slow(text: str) -> None:
    assert is_quick(lambda: parse_edition(text), 0.5)


def test_what_is_too_long_for_a_word_holds_no_slips() -> None:
    long = "ab" * 2_000
    uses = count_word_uses([pa.array(["account"] * 9)])

    def compare() -> None:
        assert not have_same_content(f"{long} card", f"{long}a card", uses)
        assert have_same_content(f"{long} accuont", f"{long} account", uses)

    assert is_quick(compare, 3)


@pytest.mark.parametrize(
    ("mistyped", "found"),
    [
        ("wich acount is mine", True),
        ("wich acount is mien zzyzx", True),
        ("wich acount holds paymnts", False),
        ("zzyzx qwrtz vbnmk acount", True),
    ],
)
def test_texts_with_more_than_two_words_to_correct_are_not_corrected(mistyped: str, found: bool) -> None:
    """Unlisted words without a correction are not counted."""
    right = mistyped.replace("wich", "which").replace("acount", "account").replace("paymnts", "payments")
    texts = [right, mistyped, *(f"which account holds payments of {number}" for number in range(30))]
    corrected = find_corrected_pairs(pa.array(texts), np.arange(len(texts)))
    assert ([0, 1] in corrected.tolist()) is found


def test_corrected_pairs_are_added_to_the_similar_ones_once_and_in_order() -> None:
    texts = ["which account", "what else is there to say about it all", "wich account", "acount", "account"]
    texts += [f"which account holds payments of {number}" for number in range(30)]
    texts += ["which account holds payments of 3x"]
    near = find_near_pairs(pa.array(texts), np.arange(len(texts)), 0.5)
    pairs = list(map(tuple, near.pairs.tolist()))
    assert pairs == sorted(set(pairs)) and near.corrected == {(0, 2), (3, 4)}
    assert near.corrected < set(pairs) and len(pairs) > 100
    assert near.jaccards.tolist() == jaccard_similarities(pa.array(texts), near.pairs).tolist()
