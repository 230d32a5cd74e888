"""One spelling for a text, and what counts as damage."""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tasks.stages.data.text import CONTROL_CHARACTERS, is_blank, normalise_text, repair_text

ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@given(ANY_TEXT)
@example("&#1;&amp;amp;\r\n\x85")
@example("\ufeff \u2028x")
def test_what_comes_out_is_in_normal_form(text: str) -> None:
    for tidy in (normalise_text(text), repair_text(text)):
        assert tidy == normalise_text(tidy) == tidy.strip()
        assert unicodedata.is_normalized("NFC", tidy)
        assert not CONTROL_CHARACTERS.search(tidy) and "\r" not in tidy


@given(ANY_TEXT.filter(lambda text: "&" not in text and text.isascii()))
def test_printable_ascii_is_left_alone(text: str) -> None:
    plain = "".join(character for character in text if character.isprintable() or character in "\n\t")
    assert repair_text(plain) == plain.strip()


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("cafe\u0301", "café"),
        ("a\r\nb\rc\u2028d", "a\nb\nc\nd"),
        ("nul\0 bell\x07 \ufeffmark\tkept", "nul bell mark\tkept"),
        ("  outer \n", "outer"),
    ],
)
def test_normalise(text: str, normal: str) -> None:
    assert normalise_text(text) == repair_text(text) == normal


@pytest.mark.parametrize(
    ("broken", "mended"),
    [
        ("Ich mÃ¶chte Ã¼ber meine Karte sprechen", "Ich möchte über meine Karte sprechen"),
        ("donâ€™t", "don’t"),
        ("don\x92t", "don’t"),
        ("M&uuml;ller &amp; S&#246;hne", "Müller & Söhne"),
        ("AT&amp;amp;T", "AT&T"),
    ],
)
def test_repair(broken: str, mended: str) -> None:
    assert repair_text(broken) == mended


@pytest.mark.parametrize(
    "text",
    [
        "Ich möchte über Gebühren sprechen – “bald”",
        "à la carte, Ångström, naïve",
        "write <b>&amp;</b> for an ampersand",
        '{"text": "a &quot;word&quot;"}',
        "Q&A & R&D",
        "ﬁne ＷＩＤＥ",
    ],
)
def test_what_is_not_damage_stays(text: str) -> None:
    assert repair_text(text) == text


@pytest.mark.parametrize(("text", "blank"), [("", True), (" \n\u200b\u00ad", True), ("?", False), ("a", False)])
def test_blank(text: str, blank: bool) -> None:
    assert is_blank(text) is blank
