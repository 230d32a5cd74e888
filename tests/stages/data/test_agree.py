"""What was found in one text of a record is found in all of them, as one value with one token."""

import json
import random
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from tasks.sources.protection import Protection
from tasks.stages.data.protect.aho_corasick import AhoCorasick
from tasks.stages.data.protect.detected_span import DetectedSpan, merge_spans
from tasks.stages.data.protect.placeholders import PLACEHOLDER, PLACEHOLDER_PATTERN
from tasks.stages.data.protect.propagation import propagate_spans
from tasks.stages.data.protect.recognisers import detector
from tasks.stages.data.protect.records import ProtectionContext, protect_records
from tests.quickest import is_quick
from tests.stages.data.build import record

KEY = bytes(32)
GUARD = ProtectionContext(detector.detect_spans, Protection(), {}, KEY)


def marked(text: str) -> tuple[str, list[DetectedSpan]]:
    """A text and its finds: `<name|Ada>` stands for a find of class name."""
    plain, finds, at = "", list[DetectedSpan](), 0
    for match in re.finditer(r"<(\w+)\|([^>]*)>", text):
        plain += text[at : match.start()]
        finds.append(DetectedSpan(len(plain), len(plain) + len(match[2]), match[1]))  # type: ignore[arg-type]
        plain, at = plain + match[2], match.end()
    return plain + text[at:], finds


def agreed(*texts: str) -> list[str]:
    """The texts with what has to go in angle brackets, spelled as its token is made."""
    plain, finds = zip(*map(marked, texts), strict=True)
    shown = []
    for text, stretches in zip(plain, propagate_spans(plain, finds).spans_by_text, strict=True):
        parts, end = [], 0
        for it in stretches:
            parts += [text[end : it.start], f"<{it.category}|{it.spelling}>"]
            end = it.end
        shown.append("".join([*parts, text[end:]]))
    return shown


@pytest.mark.parametrize(
    ("texts", "wanted"),
    [
        (  # the longer one is there in both
            ["melody by <name|hanna> sjedokowa", '{"artist": "<name|hanna sjedokowa>"}'],
            ["melody by <name|hanna sjedokowa>", '{"artist": "<name|hanna sjedokowa>"}'],
        ),
        (  # a field that is a name, and a word that nothing explains
            ["melody by <name|hanna> sjedokowa", '{"artist": "hanna sjedokowa"}'],
            ["melody by <name|hanna sjedokowa>", '{"artist": "<name|hanna sjedokowa>"}'],
        ),
        (  # a rule took an ordinary word into the name
            ["the this is <name|nicky jam playlist>", '{"playlist": "this is <name|nicky jam>"}'],
            ["the this is <name|nicky jam> playlist", '{"playlist": "this is <name|nicky jam>"}'],
        ),
        (  # no part of a name becomes readable
            ["I am <name|Anna Schmidt>", "Dear Ms <name|Schmidt>"],
            ["I am <name|Anna> <name|Schmidt>", "Dear Ms <name|Schmidt>"],
        ),
        (  # a field within what was found
            ["<name|Put Al Jarreau> on", '{"artist": "Al Jarreau"}'],
            ["<name|Put> <name|Al Jarreau> on", '{"artist": "<name|Al Jarreau>"}'],
        ),
        (  # caseless, evenly spaced, look-alikes and what nobody sees
            [
                "<name|Ada Lovelace> wrote",
                "ADA\n  LOVELACE, ada\u00a0love\u200blace, \u0410d\u0430 Lovelace; Ada Lovelaces",
            ],
            [
                "<name|Ada Lovelace> wrote",
                "<name|Ada Lovelace>, <name|Ada Lovelace>, <name|Ada Lovelace>; Ada Lovelaces",
            ],
        ),
        (  # escapes of JSON, in both directions
            [
                '<address|Hauptstr. 5\n12345 Ulm> <name|Ren\u00e9e "X" Roe>',
                r'{"a": "Hauptstr. 5\n12345 Ulm", "b": "Ren\u00e9e \"X\" Roe"}',
            ],
            [
                '<address|Hauptstr. 5\n12345 Ulm> <name|Ren\u00e9e "X" Roe>',
                '{"a": "<address|Hauptstr. 5\n12345 Ulm>", "b": "<name|Ren\u00e9e "X" Roe>"}',
            ],
        ),
        (  # a number without its spaces, in one class
            ["customer <account|4711 0815 99>", '{"customer": "<phone|4711081599>", "other": "4711-0815-98"}'],
            ["customer <account|4711 0815 99>", '{"customer": "<account|4711 0815 99>", "other": "4711-0815-98"}'],
        ),
        (  # an ordinary word is a name as it was spelled, with a capital, or alone
            ["Dear <name|Will>, that will do", '{"name": "Will", "text": "it will, Will", "mood": "will"}'],
            [
                "Dear <name|Will>, that will do",
                '{"name": "<name|Will>", "text": "it will, <name|Will>", "mood": "will"}',
            ],
        ),
        (["Herr <name|Koch> fragt", "Koch soll, der koch"], ["Herr <name|Koch> fragt", "<name|Koch> soll, der koch"]),
        (
            ["<card|123> is it", '{"cvv": "123", "street": "123 Main"}'],
            ["<card|123> is it", '{"cvv": "<card|123>", "street": "123 Main"}'],
        ),
        (  # the name of a field too
            ["<name|Ada Lovelace> asks", '{"Ada Lovelace": "Ada Lovelace", "by": {"ada  \\u006covelace": 1}}'],
            [
                "<name|Ada Lovelace> asks",
                '{"<name|Ada Lovelace>": "<name|Ada Lovelace>", "by": {"<name|Ada Lovelace>": 1}}',
            ],
        ),
        (  # but for ordinary words, and for what is no person's: most targets have fields of one scheme
            ["<name|Will> has <health|asthma>", '{"Will": "asthma", "asthma": true}'],
            ["<name|Will> has <health|asthma>", '{"Will": "<health|asthma>", "asthma": true}'],
        ),
        (
            ["my <health|asthma> is bad", "Use the asthma spray"],
            ["my <health|asthma> is bad", "Use the <health|asthma> spray"],
        ),
        (
            ["a song by <name|prince>", '{"artist": "prince"}'],
            ["a song by <name|prince>", '{"artist": "<name|prince>"}'],
        ),
        (["I was <name|Topping Up>", "topping up"], ["I was <name|Topping Up>", "topping up"]),  # a label
        (["<name|Top Up> fails", '{"intent": "top up"}'], ["<name|Top Up> fails", '{"intent": "top up"}']),
        (["nothing", "here"], ["nothing", "here"]),
    ],
)
def test_texts_of_a_record_agree(texts: list[str], wanted: list[str]) -> None:
    assert agreed(*texts) == wanted


def test_a_record_is_still_about_the_whole_of_what_was_parted() -> None:
    text, finds = marked("I am <name|Anna Schmidt>")
    target, others = marked("Dear Ms <name|Schmidt>")
    parted = propagate_spans([text, target], [finds, others]).split_spans
    assert {(it.category, it.spelling) for it in parted} == {("name", "Anna Schmidt")}


def protected(prompt: str, target: str) -> tuple[str, str, set[str]]:
    ((made, _),) = protect_records([record(prompt, target)], GUARD)
    before, after = (turn["content"] for turn in made["messages"])
    return before, after, {match[0] for match in PLACEHOLDER.finditer(before)}


@pytest.mark.parametrize(
    ("prompt", "target", "readable"),
    [
        ("add this melody by hanna sjedokowa", {"artist": "hanna sjedokowa"}, "melody by"),
        ("add it to the this is nicky jam playlist.", {"playlist": "this is nicky jam"}, "playlist."),
        ("Play a tune from Space Mandino.", {"artist": "Space Mandino"}, "tune from"),
        (
            "My name is Grace Hopper, my IBAN is GB82 WEST 1234 5698 7654 32",
            {"i": "GB82WEST12345698765432", "n": "grace hopper"},
            "IBAN",
        ),
    ],
)
def test_a_target_can_be_told_from_its_prompt(prompt: str, target: dict[str, str], readable: str) -> None:
    before, after, known = protected(prompt, json.dumps(target))
    assert known and {match[0] for match in PLACEHOLDER.finditer(after)} == known
    assert readable in before and json.loads(after).keys() == target.keys()
    for value in target.values():
        for word in set(value.casefold().split()) - {"this", "is"}:
            assert word not in (before + after).casefold()


def test_a_field_that_is_personal_by_its_purpose_is_found_whatever_it_says() -> None:
    said = {
        "song": "sjedokowa",
        "artist": "the prince",
        "guests": ["queen", "Rye"],
        "who": {"name": "x"},
        "note": "jam",
    }
    asked = "play sjedokowa by the prince for queen and Rye, x, jam"
    guard = replace(GUARD, personal_fields={"artist": "name", "guests": "name", "name": "identity"})
    ((made, _),) = protect_records([record(asked, json.dumps(said))], guard)
    prompt, target = (turn["content"] for turn in made["messages"])
    found = json.loads(target)
    artist, guests, number = found["artist"], found["guests"], found["who"]["name"]
    assert all(re.fullmatch(PLACEHOLDER_PATTERN, text) for text in (artist, *guests, number)) and number.startswith(
        "[identity:"
    )
    assert (found["song"], found["note"]) == ("sjedokowa", "jam")
    assert prompt == f"play sjedokowa by {artist} for {guests[0]} and {guests[1]}, {number}, jam"


def test_a_field_of_a_class_that_is_kept_covers_nothing_else() -> None:
    guard = replace(GUARD, personal_fields={"artist": "name"}, protection=Protection(name="keep"))
    target = '{"artist": "Hanna of hanna@example.org"}'
    ((made, _),) = protect_records([record("play Hanna of hanna@example.org", target)], guard)
    prompt, target = (turn["content"] for turn in made["messages"])
    artist = json.loads(target)["artist"]
    assert prompt == f"play {artist}" and re.fullmatch(rf"Hanna of {PLACEHOLDER_PATTERN}", artist)


def test_a_record_depends_on_no_other_in_its_batch() -> None:
    records = [
        record("Dear Will, call Hanna Sjedokowa", "Hanna will call", 1),
        record("that will do, hanna", "will do", 2),
        record("melody by hanna sjedokowa", '{"artist": "hanna sjedokowa"}', 3),
    ]
    together = [made for made, _ in protect_records(records, GUARD)]
    assert together == [made for one in records for made, _ in protect_records([one], GUARD)]


@pytest.mark.parametrize("seed", range(20))
def test_sequences_are_found_as_by_trying_each(seed: int) -> None:
    drawn = random.Random(seed)
    text = drawn.choices("abc", k=60)
    sequences = list({tuple(drawn.choices("abc", k=drawn.randint(1, 5))) for _ in range(12)})

    def longest(place: int) -> int | None:
        ending = [s for s in sequences if tuple(text[max(0, place + 1 - len(s)) : place + 1]) == s]
        return sequences.index(max(ending, key=len)) if ending else None

    wanted = [(place, found) for place in range(len(text)) if (found := longest(place)) is not None]
    assert list(AhoCorasick(sequences).find_matches(text)) == wanted


def hostile(kind: str) -> tuple[Sequence[str], Sequence[Sequence[DetectedSpan]]]:
    """Texts and finds of which every pair, or every place of a long one, would be tried."""
    if kind == "one value within itself":
        text = "anna " * 10_000
        return [text, text], [[DetectedSpan(0, 25_000 - 1, "name")], [DetectedSpan(5, 25_000 + 4, "name")]]
    if kind == "many values":
        text = " ".join(f"anna w{n}x" for n in range(5_000))
        return [text, text], [[DetectedSpan(m.start(), m.end(), "name") for m in re.finditer(r"anna \w+", text)], []]
    if kind == "fields":
        text = json.dumps({f"f{n}": f"anna w{n}x" for n in range(5_000)})
        return ["Anna " * 5_000, text], [[DetectedSpan(0, 4, "name")], []]
    text = '{"' + '\\"' * 25_000 + '": "' + '\\"' * 25_000 + '"}'
    return [text, text], [[DetectedSpan(2, 4, "name")], []]


@pytest.mark.parametrize("kind", ["one value within itself", "many values", "fields", "quotes"])
def test_no_record_takes_for_ever(kind: str) -> None:
    texts, finds = hostile(kind)
    assert is_quick(partial(propagate_spans, texts, finds), 4), "each pair of 10,000 words takes minutes"


def test_what_overlaps_is_taken_apart_in_linear_time() -> None:
    first: list[Any] = [DetectedSpan(n * 10, n * 10 + 4, "name") for n in range(50_000)]
    second: list[Any] = [DetectedSpan(n * 10 + 2, n * 10 + 8, "email") for n in range(50_000)]
    assert is_quick(partial(merge_spans, first, second), 2)
    assert merge_spans(first, second)[1] == DetectedSpan(4, 8, "email")
