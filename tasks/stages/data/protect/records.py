"""Protection of a batch of records. The texts of a batch go to the language model together, which is faster.

Recognisers read the decoded texts of each record, so that nothing is hidden by JSON escapes or HTML entities. An escape
or entity is replaced only as a whole, and JSON stays valid. `labelled_by` names a person, so all of it is replaced.
Labels that sources.yaml lists or sets as constants reveal nothing and are kept.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tasks.core.json_text import parse_strict
from tasks.sources.protection import Category, Protection
from tasks.sources.sources import TermsByCategory
from tasks.stages.data.protect import actions, labels
from tasks.stages.data.protect.actions import ProtectionOutcome
from tasks.stages.data.protect.detected_span import DetectedSpan, Detector, merge_spans
from tasks.stages.data.protect.json_spans import cut_to_json_tokens, placeholder_quotes
from tasks.stages.data.protect.owner_detectors.pinned_files import PinnedDetector
from tasks.stages.data.protect.propagation import propagate_spans
from tasks.stages.data.protect.text_detection import DetectedTexts, SpansByText, detect_by_language
from tasks.stages.data.protect.words import RecordText

LABEL_FIELDS = ("department", "geography", "language")
"""Fields of a record with text from the source, in addition to messages and tags."""


@dataclass(frozen=True)
class ProtectionContext:
    detector: Detector
    protection: Protection
    terms: TermsByCategory
    token_key: bytes
    known_labels: Mapping[str, Collection[str]] = field(default_factory=dict)
    """Values that sources.yaml lists or sets as constants, by name of the label. They are not replaced."""
    personal_fields: Mapping[str, Category] = field(default_factory=dict)
    """Categories of JSON target fields that sources.yaml declares personal, by field name."""
    owner_detectors: Sequence[PinnedDetector] = ()
    """Detectors that the owner of the source brings, in the order in which they are asked."""


def protect_records(
    records: Sequence[dict[str, Any]], context: ProtectionContext
) -> Iterator[tuple[dict[str, Any], ProtectionOutcome]]:
    """Yield each record with protected texts and its `subjects`, together with the outcome of its protection.

    Records that must be quarantined, or that must stop the run, are yielded too. The caller must not write them.
    """
    by_language = _detect_in_records(records, context)
    for record in records:
        detected_texts = by_language[record["language"]]
        outcome, detected = ProtectionOutcome(), detected_texts.spans
        outcome.finds = detected_texts.count_finds(list(_searched_texts(record)))

        def safe(
            text: str,
            more: Sequence[DetectedSpan] = (),
            outcome: ProtectionOutcome = outcome,
            detected: SpansByText = detected,
        ) -> str:
            spans = detected.get(text, ())
            outcome.is_undetectable |= spans is None
            spans = merge_spans(spans or (), more) if more else spans
            return _replace_in_text(RecordText(text), spans, context, outcome) if spans else text

        replaced = _replace_in_labels(record, safe, context.known_labels) | {
            "messages": _replace_in_turns(record["messages"], detected, context, outcome),
            "labelled_by": _replace_labeller(record["labelled_by"], context, outcome),
        }
        yield record | replaced | {"subjects": sorted(outcome.subject_tokens)}, outcome


def _detect_in_records(records: Sequence[dict[str, Any]], guard: ProtectionContext) -> dict[str, DetectedTexts]:
    texts: dict[str, dict[str, None]] = {}
    for record in records:
        texts.setdefault(record["language"], {}).update(dict.fromkeys(_searched_texts(record)))
    named = {language: list(some) for language, some in texts.items()}
    return detect_by_language(named, guard.detector, guard.terms, guard.owner_detectors)


def _searched_texts(record: dict[str, Any]) -> Iterator[str]:
    yield from (turn["content"] for turn in record["messages"])
    yield from record["policy_tags"]
    yield from (record[name] for name in LABEL_FIELDS)


def _replace_in_turns(
    turns: Sequence[dict[str, str]], detected: SpansByText, guard: ProtectionContext, outcome: ProtectionOutcome
) -> list[dict[str, str]]:
    """Replace each detected value in all turns, whichever turn it was detected in.

    A field that is declared personal takes precedence over values detected in it. If the action of its category is
    `keep`, the detected values take precedence, so that an e-mail address in the field, for example, is still replaced.
    """
    texts = [turn["content"] for turn in turns]
    found = [detected.get(text, ()) for text in texts]
    outcome.is_undetectable |= None in found
    declared = _declared_spans(texts[-1], guard.personal_fields)
    kept = [it for it in declared if guard.protection.action_for(it.category) == "keep"]
    *before, target = (spans or () for spans in found)
    agreed = propagate_spans(texts, [*before, merge_spans(target, kept)], [it for it in declared if it not in kept])
    outcome.subject_tokens |= actions.subject_tokens(agreed.split_spans, guard.token_key)
    replaced = [
        _replace_in_text(RecordText(text), spans, guard, outcome) if spans else text
        for text, spans in zip(texts, agreed.spans_by_text, strict=True)
    ]
    outcome.has_duplicate_field_names = replaced[-1] != texts[-1] and _has_unique_names(texts[-1]) > _has_unique_names(
        replaced[-1]
    )
    return [turn | {"content": text} for turn, text in zip(turns, replaced, strict=True)]


def _has_unique_names(text: str) -> bool:
    try:
        parse_strict(text)
    except ValueError:
        return False
    return True


def _replace_in_text(
    text: RecordText, spans: Iterable[DetectedSpan], guard: ProtectionContext, outcome: ProtectionOutcome
) -> str:
    spelled = [
        it if it.spelling is not None else it._replace(spelling=text.decoded_part(it.start, it.end))
        for it in cut_to_json_tokens(text, spans)
    ]
    return actions.replace_spans(
        text.text, spelled, guard.protection, guard.token_key, outcome, quotes=placeholder_quotes(text, spelled)
    )


def _declared_spans(target: str, personal: Mapping[str, Category]) -> list[DetectedSpan]:
    decoded = {RecordText(name).decoded.text: category for name, category in personal.items()}
    spans = RecordText(target).spans_in_fields(decoded) if personal else ()
    return [DetectedSpan(start, end, decoded[field]) for field, start, end in spans]


def _replace_in_labels(
    record: dict[str, Any], safe: Callable[..., str], named: Mapping[str, Collection[str]]
) -> dict[str, Any]:
    def label(value: str, name: str) -> str:
        return (
            value
            if value in named.get(name, ())
            else safe(value, labels.find_in_label(value, name != labels.GEOGRAPHY))
        )

    return {
        "policy_tags": sorted({label(tag, "policy_tags") for tag in record["policy_tags"]}),
        **{name: label(record[name], name) for name in LABEL_FIELDS},
    }


def _replace_labeller(by: str, guard: ProtectionContext, outcome: ProtectionOutcome) -> str:
    """Return the replacement for `labelled_by`.

    The person who labelled a record is not one of its subjects and is never a reason to quarantine the record.
    """
    if not by or by in guard.known_labels.get("labelled_by", ()):
        return by
    aside = ProtectionOutcome()
    replaced = actions.replace_spans(by, [DetectedSpan(0, len(by), "name")], guard.protection, guard.token_key, aside)
    outcome.secrets += aside.secrets
    outcome.counts["name"] = outcome.counts.get("name", 0) + 1
    return replaced
