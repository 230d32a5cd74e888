"""Names found with lists: a given name with the words after it, a family name, or a capitalised word on no list."""

from tasks.stages.data.protect.recognisers.names.capitalised_words import CapitalisedWord, capitalised_runs
from tasks.stages.data.protect.recognisers.names.known_words import is_frequent_word, is_known_word, is_ordinary_word
from tasks.stages.data.protect.recognisers.names.language import is_german
from tasks.stages.data.protect.recognisers.names.lists import (
    given_names,
    never_name_words,
)
from tasks.stages.data.protect.recognisers.names.name_rules import (
    PLACE_WORDS,
    is_family_name,
    is_given_name,
    is_name_pair,
    is_single_family_name,
    is_unlisted_name,
)
from tasks.stages.data.protect.recognisers.span import Span

GUESS_SCORE = 0.4
"""Score of a capitalised word on no list. The word may be a foreign name, but also a product, a company or a
village."""
MAX_FURTHER_WORDS = 3


def find_capitalised_names(text: str) -> list[Span]:
    """Find names in capitalised words.

    Scores: .85 for a listed given name with a listed family name, .75 for a listed given name with other words, .6 for
    a given name alone or for a pair of words that `is_name_pair` accepts, .5 for a family name alone, .4 (GUESS_SCORE)
    for a word on no list.
    """
    german = is_german(text)
    return [
        span
        for run in capitalised_runs(text)
        for part in _split_at_not_names(run)
        for span in _find_names_in_part(part, text, german)
    ]


def has_unexplained_words(text: str, spans: list[Span]) -> bool:
    """Return whether a capitalised word outside `spans` may be a name, so the language model should read the text."""
    covered = [(s.start, s.end) for s in spans]
    return any(
        _may_be_name(piece) and not any(start <= piece.start < end for start, end in covered)
        for run in capitalised_runs(text)
        for part in _split_at_not_names(run)
        for piece in part
    )


def _may_be_name(piece: CapitalisedWord) -> bool:
    if piece.word.isupper() or len(piece.word) < 3:
        return False
    return (not piece.opens_sentence and not is_ordinary_word(piece.word)) or piece.word.lower() in given_names()


def _split_at_not_names(run: list[CapitalisedWord]) -> list[list[CapitalisedWord]]:
    parts: list[list[CapitalisedWord]] = [[]]
    for piece in run:
        if piece.lower_case in never_name_words() and piece.lower_case not in given_names():
            parts.append([])
        else:
            parts[-1].append(piece)
    return [part for part in parts if part]


def _find_names_in_part(part: list[CapitalisedWord], text: str, german: bool) -> list[Span]:
    spans = []
    i = 0
    while i < len(part):
        last, score = _find_name_at(part, i, text, german)
        if score:
            spans.append(_name_span(part, i, last, score))
        i = last + 1
    return spans


def _find_name_at(part: list[CapitalisedWord], i: int, text: str, german: bool) -> tuple[int, float]:
    if part[i].lower_case in PLACE_WORDS and i + 1 < len(part):
        return i + 1, 0
    if is_given_name(part, i, text, german):
        last = _name_end_index(part, i, german)
        known = any(is_family_name(piece) for piece in part[i + 1 : last + 1])
        return last, 0.85 if known else 0.75 if last > i else 0.6
    if i + 1 < len(part) and is_name_pair(part[i], part[i + 1], text, german):
        return _name_end_index(part, i, german), 0.6
    if _stands_alone(part, i) and is_single_family_name(part[i], text, german):
        return i, 0.5
    if is_unlisted_name(part[i], text, german):
        return _guess_end_index(part, i), GUESS_SCORE
    return i, 0


def _stands_alone(part: list[CapitalisedWord], i: int) -> bool:
    return (i == 0 or is_ordinary_word(part[i - 1].word)) and (i + 1 == len(part) or is_ordinary_word(part[i + 1].word))


def _name_end_index(part: list[CapitalisedWord], i: int, german: bool) -> int:
    j = i
    while j + 1 < len(part) and j - i < MAX_FURTHER_WORDS:
        piece = part[j + 1]
        known = piece.lower_case in given_names() or is_family_name(piece) or len(piece.word) == 1
        if not known and (is_frequent_word(piece.word) or (j > i and (german or is_known_word(piece.word)))):
            break
        j += 1
    return j


def _guess_end_index(part: list[CapitalisedWord], i: int) -> int:
    j = i
    while j + 1 < len(part) and j - i < MAX_FURTHER_WORDS and not is_known_word(part[j + 1].word):
        j += 1
    return j


def _name_span(part: list[CapitalisedWord], i: int, j: int, score: float) -> Span:
    end = part[j].end
    if part[j].word.endswith(("'s", "’s")):
        end -= 2
    return Span(part[i].start, end, "PERSON", score)
