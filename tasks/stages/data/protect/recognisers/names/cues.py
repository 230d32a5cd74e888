"""Names after a cue, such as a title or a greeting (see `cue_patterns`).

Names in lower case are found after some cues, since people type "my name is john smith". In that case, no word of the
name may be an ordinary word.
"""

import re

from tasks.stages.data.protect.recognisers.names import cue_patterns as forms
from tasks.stages.data.protect.recognisers.names.known_words import is_brand, is_everyday_word, is_ordinary_word
from tasks.stages.data.protect.recognisers.names.lists import (
    ambiguous_given_names,
    common_family_names,
    given_names,
    never_name_words,
)
from tasks.stages.data.protect.recognisers.span import Span

SCORES = (
    (forms.TITLE, 0.9),
    (forms.NAME_FIELD, 0.9),
    (forms.ROLE_WITH_NAME, 0.8),
    (forms.GREETING, 0.85),
    (forms.CLOSING, 0.85),
    (forms.INTRODUCTION, 0.8),
    (forms.RELATIVE, 0.8),
)
LONGEST_ABBREVIATION = 5
PARTICLES = frozenset({"van", "von", "de", "der", "den", "la", "du", "le", "da", "al"})


def find_names_after_cues(text: str) -> list[Span]:
    """Find names that follow a cue.

    Scores: .9 after a title or the label of a form field, .8 or .85 after other cues, .75 for a name in lower case.
    """
    if not forms.CUE_HINT.search(text):
        return []
    spans = [_trimmed_name(m, score) for form, score in SCORES for m in form.finditer(text)]
    spans += [_any_case_span(m) for m in forms.LOWER_CASE_INTRODUCTION.finditer(text)]
    spans += [_any_case_span(m) for m in forms.AMBIGUOUS_CUE.finditer(text) if _starts_with_given_name(m["name"])]
    return [s for s in spans if s.end > s.start]


def _trimmed_name(m: re.Match[str], score: float) -> Span:
    start, end = m.start("name"), m.start("name")
    for piece in re.finditer(r"[^\s,]+", m["name"]):
        word = piece.group().strip(".").lower()
        titled = score >= 0.85 and not (piece.start() and piece.group().islower())
        everyday = word in never_name_words() if word in given_names() or titled else _is_no_name(piece.group())
        if everyday and word not in PARTICLES:
            break
        end = start + piece.end()
    return Span(start, _without_suffix(m.string, start, end), "PERSON", score)


def _is_no_name(word: str) -> bool:
    """Return whether a word is no name even after a cue: "the customer content", "contact GitHub"."""
    low = word.lower()
    if (
        word.isupper()
        and len(word) <= LONGEST_ABBREVIATION
        and not (low in given_names() or low in common_family_names())
    ):
        return True
    return is_ordinary_word(word) or is_brand(word) or (is_everyday_word(word) and low not in common_family_names())


def _without_suffix(text: str, start: int, end: int) -> int:
    if text[max(start, end - 2) : end] in ("'s", "’s"):
        return end - 2
    return end - 1 if end > start and text[end - 1] == "." else end


def _starts_with_given_name(words: str) -> bool:
    first = words.split()[0].lower()
    known = first in given_names() or ("-" in first and all(part in given_names() for part in first.split("-")))
    return known and first not in ambiguous_given_names() and not is_ordinary_word(first)


def _any_case_span(m: re.Match[str]) -> Span:
    start = end = m.start("name")
    for piece in re.finditer(r"\S+", m["name"]):
        if is_ordinary_word(piece.group()):
            break
        end = start + piece.end()
    return Span(start, end, "PERSON", 0.75)
