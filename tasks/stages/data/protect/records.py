"""Protection of a batch of records. The texts of a batch go to the language model together, which is faster.

Recognisers read the decoded text of each record: escapes of JSON and entities of HTML hide nothing, and are replaced
whole. What was JSON is still JSON afterwards. `labelled_by` names a person and is replaced whole. Labels that
sources.yaml lists or sets as constants reveal nothing and are kept.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tasks.core.json_text import parse_strict
from tasks.sources.protection import Category, Protection
from tasks.sources.sources import Terms
from tasks.stages.data.protect import actions, labels, terms
from tasks.stages.data.protect.actions import Outcome
from tasks.stages.data.protect.detected_span import DetectedSpan, Detector, merge
from tasks.stages.data.protect.json_spans import in_original, number_quotes, within_tokens
from tasks.stages.data.protect.propagation import propagate
from tasks.stages.data.protect.words import Text

LABELS = ("department", "geography", "language")
"""Fields of a record with text from the source, in addition to messages and tags."""
ZERO_WIDTH_SPACE = "\u200b"
SpansByText = Mapping[str, list[DetectedSpan] | None]
"""Detected spans by text; None for a text that could not be read to its end. Texts without spans are left out."""


@dataclass(frozen=True)
class ProtectionContext:
    detector: Detector
    protection: Protection
    terms: Terms
    token_key: bytes
    known_labels: Mapping[str, Collection[str]] = field(default_factory=dict)
    """Values that sources.yaml lists or sets as constants, by name of the label. They are not replaced."""
    personal_fields: Mapping[str, Category] = field(default_factory=dict)
    """Categories of JSON target fields that sources.yaml declares personal, by field name."""


def protect(records: Sequence[dict[str, Any]], guard: ProtectionContext) -> Iterator[tuple[dict[str, Any], Outcome]]:
    """Yield each record with protected texts and its `subjects`, together with the outcome.

    Records that must be quarantined, or that must stop the run, are yielded too. The caller must not write them.
    """
    detected = _detect(list(dict.fromkeys(text for record in records for text in _texts(record))), guard)
    for record in records:
        outcome = Outcome()

        def safe(text: str, more: Sequence[DetectedSpan] = (), outcome: Outcome = outcome) -> str:
            spans = detected.get(text, ())
            outcome.undetectable |= spans is None
            spans = merge(spans or (), more) if more else spans
            return _replaced(Text(text), spans, guard, outcome) if spans else text

        replaced = _labels(record, safe, guard.known_labels) | {
            "messages": _turns(record["messages"], detected, guard, outcome),
            "labelled_by": _replaced_labeller(record["labelled_by"], guard, outcome),
        }
        yield record | replaced | {"subjects": sorted(outcome.subjects)}, outcome


def _texts(record: dict[str, Any]) -> Iterator[str]:
    yield from (turn["content"] for turn in record["messages"])
    yield from record["policy_tags"]
    yield from (record[name] for name in LABELS)


def _turns(
    turns: Sequence[dict[str, str]], detected: SpansByText, guard: ProtectionContext, outcome: Outcome
) -> list[dict[str, str]]:
    """Replace each detected value in all turns, whichever turn it was detected in.

    A field that is declared personal takes precedence over values detected in it. If the action of its category is
    `keep`, the detected values take precedence, so that an e-mail address in the field, for example, is still replaced.
    """
    texts = [turn["content"] for turn in turns]
    found = [detected.get(text, ()) for text in texts]
    outcome.undetectable |= None in found
    declared = _by_purpose(texts[-1], guard.personal_fields)
    kept = [it for it in declared if guard.protection.action(it.category) == "keep"]
    *before, target = (spans or () for spans in found)
    agreed = propagate(texts, [*before, merge(target, kept)], [it for it in declared if it not in kept])
    outcome.subjects |= actions.subjects(agreed.split_spans, guard.token_key)
    replaced = [
        _replaced(Text(text), spans, guard, outcome) if spans else text
        for text, spans in zip(texts, agreed.spans_by_text, strict=True)
    ]
    outcome.same_names = replaced[-1] != texts[-1] and _has_unique_names(texts[-1]) > _has_unique_names(replaced[-1])
    return [turn | {"content": text} for turn, text in zip(turns, replaced, strict=True)]


def _has_unique_names(text: str) -> bool:
    try:
        parse_strict(text)
    except ValueError:
        return False
    return True


def _replaced(text: Text, spans: Iterable[DetectedSpan], guard: ProtectionContext, outcome: Outcome) -> str:
    spelled = [
        it if it.spelling is not None else it._replace(spelling=text.unescaped(it.start, it.end))
        for it in within_tokens(text, spans)
    ]
    return actions.replace(
        text.text, spelled, guard.protection, guard.token_key, outcome, quotes=number_quotes(text, spelled)
    )


def _by_purpose(target: str, personal: Mapping[str, Category]) -> list[DetectedSpan]:
    decoded = {Text(name).decoded.text: category for name, category in personal.items()}
    spans = Text(target).spans_in_fields(decoded) if personal else ()
    return [DetectedSpan(start, end, decoded[field]) for field, start, end in spans]


def _labels(record: dict[str, Any], safe: Callable[..., str], named: Mapping[str, Collection[str]]) -> dict[str, Any]:
    def label(value: str, name: str) -> str:
        return value if value in named.get(name, ()) else safe(value, labels.find(value, name != labels.GEOGRAPHY))

    return {
        "policy_tags": sorted({label(tag, "policy_tags") for tag in record["policy_tags"]}),
        **{name: label(record[name], name) for name in LABELS},
    }


def _replaced_labeller(by: str, guard: ProtectionContext, outcome: Outcome) -> str:
    """Return the replacement for `labelled_by`.

    The person who labelled a record is not one of its subjects and is never a reason to quarantine the record.
    """
    if not by or by in guard.known_labels.get("labelled_by", ()):
        return by
    aside = Outcome()
    replaced = actions.replace(by, [DetectedSpan(0, len(by), "name")], guard.protection, guard.token_key, aside)
    outcome.secrets += aside.secrets
    outcome.counts["name"] = outcome.counts.get("name", 0) + 1
    return replaced


def _detect(texts: list[str], guard: ProtectionContext) -> SpansByText:
    pattern = terms.compile_terms(guard.terms)
    parsed = [Text(text) for text in texts]
    decoded = [text.decoded.text for text in parsed]
    listed = [terms.find(text, pattern) for text in decoded]
    return {
        text.text: None if others is None else in_original(text, merge(own, others))
        for text, own, others in zip(parsed, listed, _read_twice(decoded, guard.detector), strict=True)
        if own or others or others is None
    }


def _read_twice(texts: list[str], detector: Detector) -> list[list[DetectedSpan] | None]:
    """Return the detected spans of each text, after reading zero-width spaces first as nothing and then as spaces.

    A zero-width space may hide a value (`12\u200b34`), or separate two words as in a browser (`Ada\u200bLovelace`).
    """
    spaced = [place for place, text in enumerate(texts) if ZERO_WIDTH_SPACE in text]
    found = detector([*texts, *(texts[place].replace(ZERO_WIDTH_SPACE, " ") for place in spaced)])
    for place, others in zip(spaced, found[len(texts) :], strict=True):
        first = found[place]
        found[place] = None if first is None or others is None else merge(first, others)
    return found[: len(texts)]
