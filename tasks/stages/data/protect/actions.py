"""Replacement of the detected spans of a text, by the action that its source declares for each category."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

from tasks.sources.protection import IDENTIFYING_CATEGORIES, Category, Protection
from tasks.sources.vault_writer import TokenValue
from tasks.stages.data.protect.detected_span import DetectedSpan
from tasks.stages.data.protect.tokens import TOKEN_PATTERN, make_token

YEAR_PATTERN = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")
EMAIL_DOMAIN = re.compile(r"@\s?([\w.-]+)$")
IPV4_NETWORK = re.compile(r"^(\d{1,3}\.\d{1,3}\.\d{1,3})\.\d{1,3}$")


class Find(NamedTuple):
    """Kind of find that is counted: by an owner's detector, of a category."""

    detector: str
    category: Category
    is_added: bool
    """Whether nothing else had detected a letter or digit of it."""


FindCounts = Counter[Find]


@dataclass
class ProtectionOutcome:
    counts: dict[Category, int] = field(default_factory=dict)
    finds: FindCounts = field(default_factory=FindCounts)
    """Finds of the owner's detectors in the texts of the record."""
    secrets: list[TokenValue] = field(default_factory=list)
    subject_tokens: set[str] = field(default_factory=set)
    """Tokens that stand for the people the record is about."""
    drop_category: Category | None = None
    """First detected category whose action is `drop`; None if there is none. If it is set, the record must be
    quarantined."""
    stop_category: Category | None = None
    """First detected category whose action is `stop`; None if there is none. If it is set, the run must stop."""
    has_duplicate_field_names: bool = False
    """Whether replacement gave several fields of a JSON object in the target the same name."""
    is_undetectable: bool = False
    """Whether a text could not be read to its end, so that personal data in it may be undetected."""


def replace_spans(
    text: str,
    spans: Sequence[DetectedSpan],
    protection: Protection,
    key: bytes,
    outcome: ProtectionOutcome,
    quotes: Mapping[DetectedSpan, str] = MappingProxyType({}),
) -> str:
    """Return the text with its spans replaced, and add counts, subjects and values to `outcome`.

    The spans must be sorted and must not overlap. The replacement of a span in `quotes` is enclosed in the span's
    quotation mark.
    """
    parts, end = [], 0
    for span in spans:
        quote = quotes.get(span, "")
        original, made = text[span.start : span.end], _replacement(text, span, protection, key, outcome)
        parts += [text[end : span.start], made if made == original else quote + made + quote]
        end = span.end
    return "".join([*parts, text[end:]])


def subject_tokens(finds: Iterable[DetectedSpan], key: bytes) -> set[str]:
    """Return the tokens of the people whom the spans identify.

    Spans of other categories are ignored. The token is made from the spelling of a span, which must be set.
    """
    return {
        make_token(find.category, find.spelling or "", key) for find in finds if find.category in IDENTIFYING_CATEGORIES
    }


def _replacement(text: str, span: DetectedSpan, protection: Protection, key: bytes, outcome: ProtectionOutcome) -> str:
    category, action = span.category, protection.action_for(span.category)
    original = text[span.start : span.end]
    value = original if span.spelling is None else span.spelling
    outcome.counts[category] = outcome.counts.get(category, 0) + 1
    if category in IDENTIFYING_CATEGORIES:
        outcome.subject_tokens.add(make_token(category, value, key))
    if action == "keep":
        return original
    if action == "tokenise":
        made = make_token(category, value, key)
        outcome.secrets.append(TokenValue(made, value))
        return f"[{made}]"
    if action == "drop":
        outcome.drop_category = outcome.drop_category or category
    if action == "stop":
        outcome.stop_category = outcome.stop_category or category
    return generalised_placeholder(category, value) if action == "generalise" else f"[{category}]"


def generalised_placeholder(category: Category, value: str) -> str:
    """Return a placeholder with the coarse part of a value: the year of birth, /24 network or e-mail domain.

    The placeholder has only the category if the value has no such part, or if the part looks like a token, for which
    the vault might hold another value.
    """
    coarse = None
    if category == "birth_date" and (year := YEAR_PATTERN.search(value)):
        coarse = year[0]
    elif category == "network" and (network := IPV4_NETWORK.match(value)):
        coarse = f"{network[1]}.0/24"
    elif category == "email" and (domain := EMAIL_DOMAIN.search(value)):
        coarse = domain[1]
    made = f"[{category}:{coarse}]"
    return f"[{category}]" if coarse is None or TOKEN_PATTERN.fullmatch(made) else made
