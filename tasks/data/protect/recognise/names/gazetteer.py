"""Names known from lists: a given name, alone or with what follows it, anywhere in a text."""

import re

from tasks.data.protect.recognise.names.lists import (
    AMBIGUOUS,
    GERMAN_NOUN,
    NOT_NAMES,
    common_family,
    family,
    given,
    is_english,
    is_word,
)
from tasks.data.protect.recognise.names.tokens import Piece, is_german, runs
from tasks.data.protect.recognise.span import Span

GUESS = 0.4
"""Score of a capitalised word that nothing explains: a foreign name, or a product, a firm, a village."""
ACTS = re.compile(
    r"(?:'s)?(?: (?:und|and) [^\W\d_]+(?: [^\W\d_]+)?)? (?:called|calls|wrote|says|said|asked|asks|told|tells|wants|wanted|needs|needed|sent|paid|lives|works|worked|died|moved|has|had|is|was|will|would|can|could|does|did|never|already|just"
    r"|hat|hatte|haben|ist|war|wird|will|möchte|kann|konnte|bittet|bat|meldet|meldete|ruft|rief|schreibt|schrieb|sagt|sagte|fragt|fragte|braucht|wohnt|kommt|kam|arbeitet|schickt|schickte|reklamiert|beschwert)\b"
)
"""What people do, behind a name; a company may do it too, which is the price."""
BEFORE = re.compile(
    r"(?i)\b(?:to|from|by|with|tell|told|ask|asked|call|called|according to|laut|von|mit|an|bei|für|durch|und|and|oder|or|gegen|nur|techniker(?:in)?|kolleg\w{1,2}|via|contact|cc)\s$"
)
SAYS = re.compile(r"(?i)\b(?:according to|laut|techniker(?:in)?|kolleg(?:e|en|in)|call|called|asked|told|tell|ask)\s$")
"""Behind these even a family name that is an ordinary word is a name."""
DETERMINED = re.compile(
    r"(?i)\b(?:the|a|an|this|that|your|my|our|in|at|into|der|die|das|den|dem|des|ein|eine|einen|einem|einer|im|in|ins|nach|aus|mein\w*|ihr\w*|unser\w*|kein\w*|zum|zur|vom|am|beim)\s$"
)


def find(text: str) -> list[Span]:
    """.85 given and family name both known, .75 a known given name with an unknown word, .6 a name alone."""
    german = is_german(text)
    return [span for run in runs(text) for part in _parts(run) for span in _names(part, text, german)]


def unresolved(text: str, spans: list[Span]) -> bool:
    """Whether capitalised words are left that no list and no cue explains: what a language model should read."""
    covered = [(s.start, s.end) for s in spans]
    return any(
        _could_be(piece) and not any(a <= piece.start < b for a, b in covered)
        for run in runs(text)
        for part in _parts(run)
        for piece in part
    )


def _could_be(piece: Piece) -> bool:
    if piece.word.isupper() or len(piece.word) < 3:
        return False
    return not piece.opens and not is_word(piece.word) or piece.word.lower() in given()


def _parts(run: list[Piece]) -> list[list[Piece]]:
    """A run cut at words that belong to no name."""
    parts: list[list[Piece]] = [[]]
    for piece in run:
        low = piece.word.lower().removesuffix("'s").removesuffix("’s")
        if low in NOT_NAMES and low not in given():
            parts.append([])
        else:
            parts[-1].append(piece)
    return [p for p in parts if p]


def _names(part: list[Piece], text: str, german: bool) -> list[Span]:
    spans = []
    i = 0
    while i < len(part):
        j = i
        if _is_given(part, i, german):
            j = _last(part, i, german)
            known = any(_known_family(p) for p in part[i + 1 : j + 1])
            spans.append(_span(part, i, j, 0.85 if known else 0.75 if j > i else 0.6))
        elif i + 1 < len(part) and _is_pair(part[i], part[i + 1], text, german):
            j = _last(part, i, german)
            spans.append(_span(part, i, j, 0.6))
        elif _stands_alone(part, i) and _is_alone(part[i], text, german):
            spans.append(_span(part, i, i, 0.5))
        elif not german and _is_guess(part[i], text):
            while j + 1 < len(part) and not is_english(part[j + 1].word) and j - i < 3:
                j += 1
            spans.append(_span(part, i, j, GUESS))
        i = j + 1
    return spans


def _stands_alone(part: list[Piece], i: int) -> bool:
    """No capitalised word beside it but ordinary ones."""
    return (i == 0 or is_word(part[i - 1].word)) and (i + 1 == len(part) or is_word(part[i + 1].word))


def _is_given(part: list[Piece], i: int, german: bool) -> bool:
    """A given name; one that is a word too needs a family name behind it, or in English a place within the sentence."""
    low = _low(part[i])
    if low not in given():
        return "-" in low and all(p in given() for p in low.split("-"))
    if low not in AMBIGUOUS:
        return len(low) > 2 or (i + 1 < len(part) and _known_family(part[i + 1]))
    followed = i + 1 < len(part) and _known_family(part[i + 1]) and _low(part[i + 1]) not in NOT_NAMES
    return followed or (
        not german and not part[i].opens and low not in NOT_NAMES and not part[i].word.isupper() and len(low) > 2
    )


def _last(part: list[Piece], i: int, german: bool) -> int:
    """Index of the name's last word: initials, known names, and unknown words that are not ordinary ones."""
    j = i
    while j + 1 < len(part) and j - i < 3:
        piece = part[j + 1]
        known = _low(piece) in given() or _known_family(piece) or len(piece.word) == 1
        if not known and (is_word(piece.word) or (j > i and (german or is_english(piece.word)))):
            break
        j += 1
    return j


def _is_pair(first: Piece, second: Piece, text: str, german: bool) -> bool:
    """Two words that are no ordinary ones: the second a known family name ("Xiomara Smith"), or a person's doing near."""
    if is_word(first.word) or is_word(second.word) or first.word.isupper() or second.word.isupper():
        return False
    if _known_family(second):
        return german or not is_english(first.word) or _low(first) in given()
    if german:
        return bool(ACTS.match(text, second.end) or BEFORE.search(text, max(0, first.start - 14), first.start))
    return False


def _is_alone(piece: Piece, text: str, german: bool) -> bool:
    """One capitalised word that is a common family name, or an unknown one that somebody does something with."""
    low = _low(piece)
    if low in common_family() and not piece.word.isupper() and SAYS.search(text, max(0, piece.start - 20), piece.start):
        return True
    if (
        piece.word.isupper()
        or is_word(piece.word)
        or len(low) < 3
        or DETERMINED.search(text, max(0, piece.start - 12), piece.start)
    ):
        return False
    acts = bool(ACTS.match(text, piece.end))
    behind = bool(BEFORE.search(text, max(0, piece.start - 14), piece.start))
    if low in common_family() and low not in AMBIGUOUS:
        return (not piece.opens and (not german or acts or behind)) or acts
    if german:
        return low in family() and low not in AMBIGUOUS and (acts or behind) and not low.endswith(GERMAN_NOUN)
    return (acts or behind) and not is_english(piece.word) and not piece.opens and low in family()


def _is_guess(piece: Piece, text: str) -> bool:
    """A capitalised word inside an English sentence that neither WordNet nor our lists of ordinary words have."""
    if (
        piece.word.isupper()
        or len(piece.word) < 3
        or is_english(piece.word)
        or any(c.isupper() for c in piece.word[2:])
    ):
        return False
    return not piece.opens or bool(ACTS.match(text, piece.end))


def _known_family(piece: Piece) -> bool:
    low = _low(piece)
    return low in family() or ("-" in low and any(p in family() for p in low.split("-")))


def _low(piece: Piece) -> str:
    return piece.word.lower().removesuffix("'s").removesuffix("’s")


def _span(part: list[Piece], i: int, j: int, score: float) -> Span:
    end = part[j].end
    if part[j].word.endswith(("'s", "’s")):
        end -= 2
    return Span(part[i].start, end, "PERSON", score)
