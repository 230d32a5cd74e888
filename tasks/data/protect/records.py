"""The records of a batch, protected together, so that a language model sees many texts at once."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tasks.data.protect import actions, terms
from tasks.data.protect.actions import Outcome
from tasks.data.protect.found import Detector, Found, merged
from tasks.govern.protection import Protection
from tasks.govern.sources import Terms

LABELS = ("department", "geography", "labelled_by")
"""Fields of a record beside its messages and tags that hold text of the source."""


@dataclass(frozen=True)
class Guard:
    """What protecting needs to know."""

    detector: Detector
    protection: Protection
    terms: Terms
    token_key: bytes


def protect(records: Sequence[dict[str, Any]], guard: Guard) -> Iterator[tuple[dict[str, Any], Outcome]]:
    """Each record as it may be written, its subjects filled in, and what was done."""
    found = _found(list(dict.fromkeys(text for record in records for text in _texts(record))), guard)
    for record in records:
        outcome = Outcome()

        def safe(text: str, outcome: Outcome = outcome) -> str:
            spans = found.get(text, ())
            outcome.undetectable |= spans is None
            return actions.replace(text, spans, guard.protection, guard.token_key, outcome) if spans else text

        yield _replaced(record, safe) | {"subjects": sorted(outcome.subjects)}, outcome


def _texts(record: dict[str, Any]) -> Iterator[str]:
    """Every text of a record that is the source's own."""
    yield from (turn["content"] for turn in record["messages"])
    yield from record["policy_tags"]
    yield from (record[name] for name in LABELS)


def _replaced(record: dict[str, Any], safe: Callable[[str], str]) -> dict[str, Any]:
    return record | {
        "messages": [turn | {"content": safe(turn["content"])} for turn in record["messages"]],
        "policy_tags": [safe(tag) for tag in record["policy_tags"]],
        **{name: safe(record[name]) for name in LABELS},
    }


def _found(texts: list[str], guard: Guard) -> dict[str, list[Found] | None]:
    """What stands in each text, by text, if anything does; the owner's terms go before everything else."""
    pattern = terms.finder(guard.terms)
    listed = [terms.find(text, pattern) for text in texts]
    return {
        text: None if others is None else merged(own, others)
        for text, own, others in zip(texts, listed, guard.detector(texts), strict=True)
        if own or others or others is None
    }
