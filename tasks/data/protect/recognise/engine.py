"""Which recogniser sees which text, within bounded time.

Three cheap scans decide what a text can hold: digits, signs of a credential, capitals. Texts longer than a window are read
in windows that overlap, so that no pattern ever sees more than `WINDOW` characters at a time.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

from tasks.data.protect.recognise.credentials import assigned, blocks, providers
from tasks.data.protect.recognise.fold import fold
from tasks.data.protect.recognise.names import cues, gazetteer, model
from tasks.data.protect.recognise.names.tokens import is_german
from tasks.data.protect.recognise.numbers import (
    address,
    birth,
    card,
    email,
    germany,
    iban,
    labelled,
    network,
    phone,
    uk,
    us,
)
from tasks.data.protect.recognise.span import Find, Span, choose

WINDOW = 20_000
OVERLAP = 500
DIGITS = re.compile(r"\d(?:\D{0,8}\d){2}|[A-Z][A-Z0-9]{8}")
"""Three digits near each other, or a German card's serial number, which may hold but one."""
NUMBERS: tuple[Find, ...] = (
    iban.find,
    card.find,
    us.find,
    uk.find,
    germany.find,
    labelled.find,
    phone.find,
    birth.find,
    network.find,
)
SECRET = re.compile(r"[A-Za-z0-9_/+=-]{14}|://|(?i:pass|pwd|kennwort|pin|tan|otp|puk|code|pw|login|secret|answer)")
CAPITAL = re.compile(r"[^\W\d_a-z]")
HEX_GROUPS = re.compile(r"[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:]{2}")


def patterns(text: str) -> list[Span]:
    """Everything but names, in folded text."""
    spans = email.find(text)
    if DIGITS.search(text):
        for recogniser in NUMBERS:
            spans += recogniser(text)
    elif ":" in text and HEX_GROUPS.search(text):
        spans += network.find(text)
    if CAPITAL.search(text):
        spans += address.find(text)
    if SECRET.search(text):
        spans += providers.find(text) + blocks.find(text) + assigned.find(text)
    return spans


def names(text: str) -> list[Span]:
    """Names that cues and lists give, in folded text."""
    return cues.find(text) + (gazetteer.find(text) if CAPITAL.search(text) else [])


def find(text: str) -> list[Span]:
    """All spans of one text, without the language model, in offsets of the text as given."""
    folded = fold(text)
    return [folded.back(s) for s in choose(_read(folded.text))]


def find_all(texts: Sequence[str], language_model: bool = True, least: float = 0.4) -> list[list[Span]]:
    """All spans of many texts that score `least`; above .4 capitalised words that nothing explains are let go.

    English texts that lists and cues leave open go through the language model together.
    """
    folded = [fold(t) for t in texts]
    spans = [_read(f.text) for f in folded]
    if language_model:
        ask = [
            i
            for i, f in enumerate(folded)
            if gazetteer.unresolved(f.text[:WINDOW], [s for s in spans[i] if s.score > gazetteer.GUESS])
            and not is_german(f.text)
        ]
        for i, more in zip(ask, model.find(folded[i].text[:WINDOW] for i in ask), strict=True):
            spans[i] += more
    return [
        [f.back(s) for s in choose([s for s in found if s.score >= least])]
        for f, found in zip(folded, spans, strict=True)
    ]


def _read(text: str) -> list[Span]:
    """Patterns and names, by windows if the text is long."""
    if len(text) <= WINDOW:
        return patterns(text) + names(text)
    return list(dict.fromkeys(_by_windows(text)))


def _by_windows(text: str) -> Iterator[Span]:
    for start in range(0, len(text), WINDOW - OVERLAP):
        window = text[start : start + WINDOW]
        for s in _inside(patterns(window) + names(window), start, len(window), len(text)):
            yield s._replace(start=s.start + start, end=s.end + start)


def _inside(spans: Iterable[Span], start: int, length: int, total: int) -> Iterator[Span]:
    """Without those that touch a cut edge: the overlap shows them whole to the window before or behind."""
    for s in spans:
        whole_left = s.start > 0 or start == 0
        whole_right = s.end < length or start + length == total
        if (whole_left and whole_right) or s.end - s.start > OVERLAP // 2:
            yield s
