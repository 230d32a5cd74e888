"""Choice of the recognisers that read each text, within time limits.

Cheap scans, for digits, for signs of a credential and for capitals, decide which recognisers can find anything. An
address in lower case may have a single digit.
The language model then reads the windows with capitalised words that neither lists nor cues explain. It reads the
windows of all texts of a batch together.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import thread_time

from tasks.stages.data.protect.recognisers import health
from tasks.stages.data.protect.recognisers.address import address
from tasks.stages.data.protect.recognisers.credentials import named_secrets, prefixed_keys, providers, secret_syntax
from tasks.stages.data.protect.recognisers.fold import FoldedText, fold_text
from tasks.stages.data.protect.recognisers.names import cues, gazetteer, lower_case, spacy_model
from tasks.stages.data.protect.recognisers.names.language import is_german
from tasks.stages.data.protect.recognisers.numbers import (
    birth_date,
    card,
    countries,
    email,
    germany,
    iban,
    labelled_numbers,
    network,
    phone,
    uk,
    us,
)
from tasks.stages.data.protect.recognisers.span import Recogniser, Span, resolve_overlaps
from tasks.stages.data.protect.recognisers.windows import Window, split_into_windows

MAX_CHARACTERS = 4_000_000
"""Maximum number of characters in a text. This limit is checked before the time limit, so that slow and fast
machines give the same result."""
TIME_LIMIT = 60.0
"""Maximum processor time in seconds for a text. It applies to the rules and, separately, to the language model. The
rules take 6 seconds for 1 MB of dense support text."""
NUMBER_HINT = re.compile(r"\d(?:\D{0,8}\d){2}|[A-Z][A-Z0-9]{8}")
"""Pattern of three digits close to each other, or of the serial number of a German identity card, which may have a
single digit."""
NUMBER_RECOGNISERS: tuple[Recogniser, ...] = (
    iban.find_ibans,
    card.find_cards,
    us.find_us_numbers,
    uk.find_british_numbers,
    germany.find_german_numbers,
    countries.find_identity_numbers,
    labelled_numbers.find_labelled_numbers,
    phone.find_phone_numbers,
    birth_date.find_birth_dates,
    network.find_network_addresses,
)
CREDENTIAL_HINT = re.compile(
    r"[A-Za-z0-9_/+=-]{14}|://|(?i:pass|pwd|kennwort|pin|tan|otp|puk|code|pw|login|secret|answer)"
    r"|(?i:key|token|credential|schlüssel)s?[\"'`]?\s?[=:>]",
)
DIGIT = re.compile(r"\d")
CAPITAL_OR_NON_ASCII_LETTER = re.compile(r"[^\W\d_a-z]")
NETWORK_HINT = re.compile(r"[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:]{2}|(?:[0-9A-Fa-f]{2}-){5}|(?:[0-9A-Fa-f]{4}\.){2}")


@dataclass
class _TextState:
    folded: FoldedText
    spans: list[Span] = field(default_factory=list)
    open_windows: list[Window] = field(default_factory=list)
    """Windows that the language model must read, because lists and cues do not explain every capitalised word in
    them."""
    is_within_limits: bool = True


def find_spans(texts: Sequence[str], language_model: bool = True) -> list[list[Span] | None]:
    """Find the spans of each text, with offsets into the original text; None for a text over a limit of size or time.

    Without the language model, names that are on no list and have no cue are missed. This is for measurements only.
    """
    readings = [_run_rules(text) for text in texts]
    if language_model:
        _run_language_model(readings)
    return [_final_spans(reading) if reading.is_within_limits else None for reading in readings]


def _run_rules(text: str) -> _TextState:
    """Find patterns and names in a text, window by window.

    The time limit is checked between windows, because `re` cannot be interrupted.
    """
    if len(text) > MAX_CHARACTERS:
        return _TextState(FoldedText("", ()), is_within_limits=False)
    reading = _TextState(fold_text(text))
    end = thread_time() + TIME_LIMIT
    for window in split_into_windows(reading.folded.text):
        if thread_time() > end:
            return _TextState(reading.folded, is_within_limits=False)
        spans = find_patterns(window.text) + find_names(window.text)
        reading.spans += window.uncut_spans(spans)
        if _needs_language_model(window.text, spans):
            reading.open_windows.append(window)
    return reading


def find_patterns(text: str) -> list[Span]:
    spans = email.find_email_addresses(text) + health.find_health_terms(text)
    digits, capital = NUMBER_HINT.search(text), CAPITAL_OR_NON_ASCII_LETTER.search(text)
    if digits:
        for recogniser in NUMBER_RECOGNISERS:
            spans += recogniser(text)
    elif NETWORK_HINT.search(text):
        spans += network.find_network_addresses(text)
    if capital or DIGIT.search(text):
        spans += address.find_addresses(text)
    if CREDENTIAL_HINT.search(text):
        spans += (
            providers.find_provider_keys(text)
            + prefixed_keys.find_prefixed_keys(text)
            + secret_syntax.find_secrets_by_syntax(text)
            + named_secrets.find_named_secrets(text)
        )
    return spans


def find_names(text: str) -> list[Span]:
    return (
        cues.find_names_after_cues(text)
        + lower_case.find_lower_case_names(text)
        + (gazetteer.find_capitalised_names(text) if CAPITAL_OR_NON_ASCII_LETTER.search(text) else [])
    )


def _needs_language_model(text: str, spans: list[Span]) -> bool:
    """Return whether the language model, which was trained only on English, should read a text."""
    sure = [span for span in spans if span.score > gazetteer.GUESS_SCORE]
    return gazetteer.has_unexplained_words(text, sure) and not is_german(text)


def _run_language_model(readings: Sequence[_TextState]) -> None:
    """Add the spans that the language model finds in open windows.

    Texts with one open window are read together. Longer texts are read window by window, so that the time limit can be
    checked in between.
    """
    short = [reading for reading in readings if len(reading.open_windows) == 1]
    answers = spacy_model.find_people(reading.open_windows[0].text for reading in short)
    for reading, spans in zip(short, answers, strict=True):
        reading.spans += reading.open_windows[0].uncut_spans(spans)
    for reading in readings:
        if len(reading.open_windows) > 1:
            _run_language_model_on_long(reading)


def _run_language_model_on_long(reading: _TextState) -> None:
    end = thread_time() + TIME_LIMIT
    for window in reading.open_windows:
        if thread_time() > end:
            reading.is_within_limits = False
            return
        (spans,) = spacy_model.find_people([window.text])
        reading.spans += window.uncut_spans(spans)


def _final_spans(reading: _TextState) -> list[Span]:
    return [reading.folded.to_original(span) for span in resolve_overlaps(list(dict.fromkeys(reading.spans)))]
