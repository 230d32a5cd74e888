"""Choice of the recognisers that read each text, within time limits.

Three cheap scans decide which recognisers can find anything: for digits, for signs of a credential and for capitals.
The language model then reads the windows whose capitals neither lists nor cues explain, for all texts of a batch
together.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import thread_time

from tasks.stages.data.protect.recognise import health
from tasks.stages.data.protect.recognise.address import address
from tasks.stages.data.protect.recognise.credentials import assigned, blocks, prefixed, providers
from tasks.stages.data.protect.recognise.fold import Folded, fold
from tasks.stages.data.protect.recognise.names import cues, gazetteer, lower, model
from tasks.stages.data.protect.recognise.names.language import is_german
from tasks.stages.data.protect.recognise.numbers import (
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
from tasks.stages.data.protect.recognise.span import Find, Span, choose
from tasks.stages.data.protect.recognise.windows import Window, windows

LONGEST = 4_000_000
"""Maximum number of characters in a text. This limit is checked before the time limit, so that slow and fast machines
decide alike."""
SECONDS = 60.0
"""Maximum processor time in seconds that the rules may take for a text, and again the language model. The rules take 6
seconds for 1 MB of dense support text."""
DIGITS = re.compile(r"\d(?:\D{0,8}\d){2}|[A-Z][A-Z0-9]{8}")
"""Three digits near each other, or the serial number of a German identity card, which may have a single digit."""
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
SECRET = re.compile(
    r"[A-Za-z0-9_/+=-]{14}|://|(?i:pass|pwd|kennwort|pin|tan|otp|puk|code|pw|login|secret|answer)",
)
CAPITAL = re.compile(r"[^\W\d_a-z]")
HEX_GROUPS = re.compile(r"[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:]{2}|(?:[0-9A-Fa-f]{2}-){5}|(?:[0-9A-Fa-f]{4}\.){2}")


@dataclass
class _Reading:
    folded: Folded
    spans: list[Span] = field(default_factory=list)
    open: list[Window] = field(default_factory=list)
    """Windows for the language model: neither lists nor cues explain all their capitalised words."""
    in_time: bool = True


def find_all(texts: Sequence[str], language_model: bool = True) -> list[list[Span] | None]:
    """Return the spans of each text, with offsets into the text as given; None for one over a limit of size or time.

    Without the language model, names that are on no list and have no cue are missed; that is for measurements only.
    """
    readings = [_read(text) for text in texts]
    if language_model:
        _ask(readings)
    return [_chosen(reading) if reading.in_time else None for reading in readings]


def _read(text: str) -> _Reading:
    """Find patterns and names in a text, window by window.

    The time limit is checked between windows, since `re` cannot be interrupted.
    """
    if len(text) > LONGEST:
        return _Reading(Folded("", ()), in_time=False)
    reading = _Reading(fold(text))
    end = thread_time() + SECONDS
    for window in windows(reading.folded.text):
        if thread_time() > end:
            return _Reading(reading.folded, in_time=False)
        spans = patterns(window.text) + names(window.text)
        reading.spans += window.whole(spans)
        if _is_open(window.text, spans):
            reading.open.append(window)
    return reading


def patterns(text: str) -> list[Span]:
    """Find everything except names in folded text."""
    spans = email.find(text) + health.find(text)
    digits, capital = DIGITS.search(text), CAPITAL.search(text)
    if digits:
        for recogniser in NUMBERS:
            spans += recogniser(text)
    elif HEX_GROUPS.search(text):
        spans += network.find(text)
    if digits or capital:
        spans += address.find(text)
    if SECRET.search(text):
        spans += providers.find(text) + prefixed.find(text) + blocks.find(text) + assigned.find(text)
    return spans


def names(text: str) -> list[Span]:
    """Find names in folded text by cues and lists, without the language model."""
    return cues.find(text) + lower.find(text) + (gazetteer.find(text) if CAPITAL.search(text) else [])


def _is_open(text: str, spans: list[Span]) -> bool:
    """Return whether the language model should read a text. It was trained on English only."""
    sure = [span for span in spans if span.score > gazetteer.GUESS]
    return gazetteer.unresolved(text, sure) and not is_german(text)


def _ask(readings: Sequence[_Reading]) -> None:
    """Add the spans that the language model finds in the windows left open by lists and cues.

    Texts with one open window are read together. Those with several are read window by window, and the time limit is
    checked between two of them.
    """
    short = [reading for reading in readings if len(reading.open) == 1]
    answers = model.find(reading.open[0].text for reading in short)
    for reading, spans in zip(short, answers, strict=True):
        reading.spans += reading.open[0].whole(spans)
    for reading in readings:
        if len(reading.open) > 1:
            _ask_long(reading)


def _ask_long(reading: _Reading) -> None:
    end = thread_time() + SECONDS
    for window in reading.open:
        if thread_time() > end:
            reading.in_time = False
            return
        (spans,) = model.find([window.text])
        reading.spans += window.whole(spans)


def _chosen(reading: _Reading) -> list[Span]:
    return [reading.folded.back(span) for span in choose(list(dict.fromkeys(reading.spans)))]
