"""A text with what was found in it replaced, as its source says for each class."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tasks.sources.protection import IDENTIFYING, Category, Protection
from tasks.sources.vault_writer import Secret
from tasks.stages.data.protect.stretch import Stretch
from tasks.stages.data.protect.tokens import IN_TEXT, token

YEAR = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")
DOMAIN = re.compile(r"@\s?([\w.-]+)$")
NETWORK = re.compile(r"^(\d{1,3}\.\d{1,3}\.\d{1,3})\.\d{1,3}$")


@dataclass
class Outcome:
    """What protecting one record, or one text of it, came to."""

    counts: dict[Category, int] = field(default_factory=dict)
    """How often each class was found."""
    secrets: list[Secret] = field(default_factory=list)
    """For the vault."""
    subjects: set[str] = field(default_factory=set)
    """Tokens of the people it is about."""
    dropped: Category | None = None
    """The class for which the record is to be put aside."""
    stopped: Category | None = None
    """The class for which the run is to stop."""
    undetectable: bool = False
    """A text could not be read to its end, so that what stands in it is not known."""


def replace(text: str, spans: Sequence[Stretch], protection: Protection, key: bytes, outcome: Outcome) -> str:
    """The text as it may be written; what was done is added to `outcome`."""
    parts, end = [], 0
    for span in spans:
        parts += [text[end : span.start], _instead(text, span, protection, key, outcome)]
        end = span.end
    return "".join([*parts, text[end:]])


def subjects(finds: Iterable[Stretch], key: bytes) -> set[str]:
    """Tokens of the people that finds, each with its spelling, are about."""
    return {token(find.category, find.spelling or "", key) for find in finds if find.category in IDENTIFYING}


def _instead(text: str, span: Stretch, protection: Protection, key: bytes, outcome: Outcome) -> str:
    category, action = span.category, protection.action(span.category)
    there = text[span.start : span.end]
    value = there if span.spelling is None else span.spelling
    outcome.counts[category] = outcome.counts.get(category, 0) + 1
    if category in IDENTIFYING:
        outcome.subjects.add(token(category, value, key))
    if action == "keep":
        return there
    if action == "tokenise":
        made = token(category, value, key)
        outcome.secrets.append(Secret(made, value))
        return f"[{made}]"
    if action == "drop":
        outcome.dropped = outcome.dropped or category
    if action == "stop":
        outcome.stopped = outcome.stopped or category
    return generalised(category, value) if action == "generalise" else f"[{category}]"


def generalised(category: Category, value: str) -> str:
    """What is coarse of a value: year, network, domain; where nothing is, the class alone. So it is of a domain that
    looks like a token, for which the vault may have somebody else's value."""
    coarse = None
    if category == "birth_date" and (year := YEAR.search(value)):
        coarse = year[0]
    elif category == "network" and (network := NETWORK.match(value)):
        coarse = f"{network[1]}.0/24"
    elif category == "email" and (domain := DOMAIN.search(value)):
        coarse = domain[1]
    made = f"[{category}:{coarse}]"
    return f"[{category}]" if coarse is None or IN_TEXT.fullmatch(made) else made
