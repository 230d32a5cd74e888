"""Near-identical texts: exact Jaccard, nothing missed, the same whatever stands beside it."""

import random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.data.near.candidates import ANCHORS, MOST, candidates
from tasks.data.near.form import even, forms, has_marker
from tasks.data.near.groups import components
from tasks.data.near.jaccard import jaccards
from tasks.data.near.pairs import near_pairs
from tasks.data.near.parts import parts
from tasks.data.near.shingles import WIDTH, shingles
from tasks.data.near.signatures import BANDS, MISSED, MOST_ROWS, band_keys, rows
from tasks.data.near.versions import newness


def windows(form: str) -> set[bytes]:
    padded = form.encode() + b" " * (WIDTH - 1)
    return {padded[i : i + WIDTH] for i in range(len(padded) - WIDTH + 1)} if form else set()


def form_of(text: str) -> str:
    form: str = forms(even([text]))[0].as_py()
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
def test_what_says_its_version(text: str, marked: bool) -> None:
    assert has_marker(even([text])).to_pylist() == [marked]


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("fees", "fees v1"),
        ("Fees v2", "Fees v10"),
        ("Version 2.9: fees", "Version 2.10: fees"),
        ("Fees, Fassung 2", "Fees, Fassung 3, ersetzt Fassung 9"),
        ("new in version 2.0, this is version 3.1", "new in version 2.0, this is version 3.2"),
        ("Fees v7", "Fees, updated 2025-03"),
        ("updated 2025-03-01", "updated 2025-03-02"),
        ("gültig ab 31.1.2024", "gültig ab 1.2.2024"),
        ("valid from 1/31/24", "valid from 2/1/24"),
        ("Stand: 31. März 2025", "Stand: 1. Dezember 2025"),
        ("effective May 31, 2025", "effective October 1, 2025"),
        ("revised on 2024-12-31", "aktualisiert am 1.1.25"),
        ("valid from March 2025", "valid from April 2025"),
        ("valid from December 2024", "valid from March 2025"),
        ("gültig ab März 2025", "gültig ab 2. März 2025"),
        ("Fees, replaces version 3\nversion 1", "Fees, replaces version 3\nversion  2"),
    ],
)
def test_which_of_two_texts_says_that_it_is_newer(older: str, newer: str) -> None:
    assert newness(older) < newness(newer)


@pytest.mark.parametrize("text", ["", "fees", "paid on 2025-03-01", "replaces version 3", "v for victory"])
def test_what_says_nothing_of_its_age(text: str) -> None:
    assert newness(text) == ""


TEXTS = st.text(st.sampled_from("abc äß你👍"), min_size=1, max_size=30)


@given(st.lists(TEXTS, min_size=2, max_size=8), st.data())
def test_jaccard_is_that_of_the_sets(texts: list[str], data: st.DataObject) -> None:
    places = st.integers(0, len(texts) - 1)
    pairs = data.draw(st.lists(st.tuples(places, places), min_size=1, max_size=10))
    expected = [
        len(windows(texts[a]) & windows(texts[b])) / len(windows(texts[a]) | windows(texts[b])) for a, b in pairs
    ]
    assert jaccards(pa.array(texts), np.array(pairs)).tolist() == expected


@given(st.lists(st.text(max_size=9), max_size=6), st.integers(0, 6))
def test_windows_are_as_many_as_bytes_wherever_an_array_begins(texts: list[str], skipped: int) -> None:
    part = pa.array([*(["before"] * skipped), *texts], pa.string()).slice(skipped)
    found = shingles(part)
    assert np.diff(found.starts).tolist() == [len(text.encode()) for text in texts]
    assert np.diff(found.distinct().starts).tolist() == [len(windows(text)) for text in texts]


@pytest.mark.parametrize("jaccard", [0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 1.0])
def test_bands_miss_hardly_anything_at_the_threshold(jaccard: float) -> None:
    assert 1 <= rows(jaccard) <= MOST_ROWS
    assert (1 - jaccard ** rows(jaccard)) ** BANDS <= MISSED


def test_a_form_has_the_same_keys_whatever_stands_beside_it() -> None:
    texts = [f"message {number} of many" for number in range(50)]
    together = band_keys(shingles(pa.array(texts)), 0.85)
    assert [band_keys(shingles(pa.array([text])), 0.85).tolist()[0] for text in texts] == together.tolist()


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
    found = near_pairs(pa.array(texts), np.arange(len(texts)), least)
    assert set(map(tuple, found.pairs.tolist())) == truth
    assert len(truth) > 10


def test_a_band_that_thousands_share_gives_few_pairs() -> None:
    keys = np.zeros((5_000, BANDS), np.uint32)
    found = candidates(keys)
    assert len(found) <= 5_000 * ANCHORS
    assert set(found[:, 0].tolist()) == set(range(ANCHORS))
    spread = np.random.default_rng(1).integers(0, 50, (5_000, BANDS), np.uint32)
    assert np.bincount(candidates(spread)[:, 1]).max() <= MOST


@given(st.lists(st.integers(0, 50), max_size=20), st.integers(1, 60))
def test_parts_are_complete_and_small(sizes: list[int], most: int) -> None:
    found = list(parts(np.array(sizes, np.int64), most))
    assert [i for begin, end in found for i in range(begin, end)] == list(range(len(sizes)))
    assert all(end - begin == 1 or sum(sizes[begin:end]) <= most for begin, end in found)


def test_what_hangs_together() -> None:
    numbers = components(5, np.array([[0, 3], [3, 4]])).tolist()
    assert numbers[0] == numbers[3] == numbers[4]
    assert len(set(numbers)) == 3
    assert len(set(components(2, np.zeros((0, 2), np.int64)).tolist())) == 2
