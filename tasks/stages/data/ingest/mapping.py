"""Mapping of a source's row to a record, and the rules that reject a row."""

import json
from collections import Counter
from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from tasks.core import json_text
from tasks.core.records.record import ANSWER_KINDS, ORIGINS, SIMULATED, SYNTHETIC
from tasks.sources.column_mapping import UNKNOWN_LANGUAGE
from tasks.sources.conversation_mapping import ConversationMapping
from tasks.sources.sources import Source
from tasks.stages.data.ingest.conversation_turns import merge_turns
from tasks.stages.data.protect.tokens import break_up_tokens
from tasks.stages.data.text import is_blank, normalise_text, repair_text

ROLES = ("system", "user", "assistant")
ROW_ORIGINS = tuple(origin for origin in ORIGINS if origin != SIMULATED)
"""Origins that a row may state. Only a whole source is simulated, and it is never beside real ones."""
TRAIN_ONLY = "train"
"""Partition of a synthetic record whose source does not say another. Metrics on texts that a machine wrote do not show
how a model does on those of people."""


class RejectedRow(Exception):
    """Raised if a row cannot become a record. `malformed` is true if the row violates the format of its source."""

    def __init__(self, rule: str, reason: str, malformed: bool = False) -> None:
        super().__init__(reason)
        self.rule, self.reason, self.malformed = rule, reason, malformed


def map_row_to_record(row: dict[str, Any], source: Source, mapping_counts: Counter[str]) -> dict[str, Any]:
    """Map a row to a dict with the columns of `tasks.core.records.record.SCHEMA_SCHEMA`, except `record_id`.

    The numbers of repaired texts and of removed turns are added to `mapping_counts`.

    Raises:
        RejectedRow: The row cannot become a record.
    """
    constants = source.constants
    origin = _map_choice(row, source, "origin", ROW_ORIGINS) or constants.origin
    own_partition = TRAIN_ONLY if origin == SYNTHETIC else ""
    return {
        "source_id": source.id,
        "task": constants.task,
        "messages": _map_messages(row, source, mapping_counts),
        "kind": _map_choice(row, source, "kind", ANSWER_KINDS) or constants.kind or "answer",
        "language": _map_label(row, source, "language") or constants.language or UNKNOWN_LANGUAGE,
        "department": _map_label(row, source, "department") or constants.department or "",
        "geography": _map_label(row, source, "geography") or constants.geography or "",
        "policy_tags": _map_tags(row, source),
        "effective_from": _map_date(row, source, "effective_from"),
        "retired_at": _map_date(row, source, "retired_at"),
        "subjects": [],
        "origin": origin,
        "labelled_by": _map_label(row, source, "labelled_by") or break_up_tokens(constants.labelled_by or ""),
        "split": _map_choice(row, source, "split", ("train", "test")) or source.partition or own_partition,
    }


def _map_messages(row: dict[str, Any], source: Source, notes: Counter[str]) -> list[dict[str, str]]:
    mapping = source.mapping
    if mapping.messages is not None:
        return _parse_chat(row.get(mapping.messages), mapping.messages, notes)
    if mapping.conversation is not None:
        return _map_conversation(row.get(mapping.conversation.turns_column), mapping.conversation, notes)
    if mapping.text is not None:
        text = map_text(row.get(mapping.text), mapping.text, notes)
        return [{"role": "user", "content": text}, {"role": "assistant", "content": ""}]
    assert mapping.prompt is not None and mapping.response is not None  # validated by Mapping
    prompt = map_text(row.get(mapping.prompt), mapping.prompt, notes)
    if isinstance(mapping.response, str):
        target = _map_target(row.get(mapping.response), mapping.response, notes)
    else:
        target = _map_json_target(row, mapping.response, notes)
    return [{"role": "user", "content": prompt}, {"role": "assistant", "content": target}]


def map_text(value: Any, column: str, notes: Counter[str]) -> str:
    """Return a value as repaired text. Null becomes an empty text, which `clean` removes if it is too short."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise RejectedRow("not_text", f"column {column!r}: expected text, got {type(value).__name__}", malformed=True)
    if not value.isascii() and json_text.SURROGATE_PATTERN.search(value):
        raise RejectedRow("undecodable", f"column {column!r}: holds what is not a character", malformed=True)
    repaired = repair_text(value)
    notes["repaired_texts"] += repaired is not value and repaired != normalise_text(value)
    return break_up_tokens(repaired)


def _map_target(value: Any, column: str, notes: Counter[str]) -> str:
    target = map_text(value if value is None or isinstance(value, str) else _dump_json(value, column), column, notes)
    if is_blank(target):
        raise RejectedRow("missing_target", f"column {column!r} is empty; a record needs a target")
    _refuse_unpaired_surrogates(target, column)
    return target


def _refuse_unpaired_surrogates(target: str, column: str) -> None:
    """Reject a JSON target with an unpaired surrogate.

    A later stage would fail to parse the target and could not name the row.
    """
    if json_text.has_unpaired_surrogate(target):
        raise RejectedRow("undecodable", f"column {column!r}: its JSON holds half of a character", malformed=True)


def _map_json_target(row: dict[str, Any], fields: dict[str, str], notes: Counter[str]) -> str:
    """Return the target as a JSON object. The model learns to write its keys in the order of the mapping."""
    values = {}
    for field, column in fields.items():
        value = row.get(column)
        values[field] = map_text(value, column, notes) if isinstance(value, str | None) else value
        if isinstance(value, str | None) and is_blank(values[field]):
            raise RejectedRow("missing_target", f"column {column!r} is empty; the target needs its field {field!r}")
    return map_text(_dump_json(values, ", ".join(fields.values())), "", Counter())


def _dump_json(value: Any, column: str) -> str:
    if json_text.exceeds_max_depth(value):
        reason = f"column {column!r}: lists and objects stand in more than {json_text.MAX_DEPTH} others"
        raise RejectedRow("not_text", reason, malformed=True)
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError):
        raise RejectedRow(
            "not_text", f"column {column!r}: {type(value).__name__} is not JSON", malformed=True
        ) from None


def _parse_chat(value: Any, column: str, notes: Counter[str]) -> list[dict[str, str]]:
    """Parse a list of turns, and drop system turns because params.yaml sets the system prompt."""
    turns = [_parse_turn(turn, column, notes) for turn in _parse_turns(value, column)]
    kept = [turn for turn in turns if turn["role"] != "system"]
    notes["dropped_system_turns"] += len(turns) - len(kept)
    if not kept or kept[-1]["role"] != "assistant" or is_blank(kept[-1]["content"]):
        raise RejectedRow("missing_target", f"column {column!r}: the last turn is not an assistant's with text")
    if not any(turn["role"] == "user" for turn in kept):
        raise RejectedRow("bad_messages", f"column {column!r}: there is no user turn", malformed=True)
    _refuse_unpaired_surrogates(kept[-1]["content"], column)
    return kept


def _map_conversation(messages: Any, mapping: ConversationMapping, notes: Counter[str]) -> list[dict[str, str]]:
    texts = (
        {"role": message["role"], "content": map_text(message["content"], mapping.text, notes)} for message in messages
    )
    turns = merge_turns(texts, notes)
    if not turns:
        raise RejectedRow(
            "no_assistant_turn", "no message of an author in `assistants` follows one of another author with text"
        )
    _refuse_unpaired_surrogates(turns[-1]["content"], mapping.text)
    return turns


def _parse_turns(value: Any, column: str) -> list[Any]:
    if value is None or value == "":
        raise RejectedRow("missing_target", f"column {column!r} is empty")
    try:
        turns = json_text.parse_shallow(value) if isinstance(value, str) else value
    except ValueError:
        turns = None
    if not isinstance(turns, list):
        raise RejectedRow("bad_messages", f"column {column!r}: expected a list of turns", malformed=True)
    return turns


def _parse_turn(turn: Any, column: str, notes: Counter[str]) -> dict[str, str]:
    if not isinstance(turn, dict) or turn.get("role") not in ROLES:
        wanted = f"role one of {', '.join(ROLES)}"
        raise RejectedRow("bad_messages", f"column {column!r}: a turn needs {wanted}, and content", malformed=True)
    return {"role": turn["role"], "content": map_text(turn.get("content"), column, notes)}


def _map_label(row: dict[str, Any], source: Source, name: str) -> str:
    column = getattr(source.mapping, name)
    value = row.get(column) if column is not None else None
    if value is None:
        return ""
    label = map_text(str(value) if isinstance(value, int | float) else value, column, Counter())
    _refuse_unlisted([label], source, name)
    return label


def _refuse_unlisted(labels: Iterable[str], source: Source, name: str) -> None:
    """Reject a label that sources.yaml does not list, because the label could contain personal data.

    `labelled_by` is exempt: it names a person and is replaced instead.
    """
    listed = None if name == "labelled_by" else source.labels.get(name)  # type: ignore[call-overload]
    if listed is not None and any(label and label not in listed for label in labels):
        column = getattr(source.mapping, name)
        raise RejectedRow(
            f"unknown_{name}", f"column {column!r}: holds none of the labels that sources.yaml lists for it"
        )


def _map_choice(row: dict[str, Any], source: Source, name: str, allowed: tuple[str, ...]) -> str:
    value = _map_label(row, source, name).casefold()
    if value and value not in allowed:
        column = getattr(source.mapping, name)
        raise RejectedRow(f"unknown_{name}", f"column {column!r}: expected one of {', '.join(allowed)}")
    return value


def _map_tags(row: dict[str, Any], source: Source) -> list[str]:
    column = source.mapping.policy_tags
    value = row.get(column) if column is not None else None
    if isinstance(value, dict):
        raise RejectedRow("not_text", f"column {column!r}: expected tags, got an object", malformed=True)
    parts = value if isinstance(value, list) else [] if value is None else str(value).split(";")
    tags = {map_text(part, column or "", Counter()) for part in parts}
    _refuse_unlisted(tags, source, "policy_tags")
    return sorted((tags | set(source.constants.policy_tags)) - {""})


def _map_date(row: dict[str, Any], source: Source, name: str) -> date | None:
    column = getattr(source.mapping, name)
    value = row.get(column) if column is not None else None
    if value is None or value == "":
        return None
    if isinstance(value, datetime):
        return value.date()
    try:
        return value if isinstance(value, date) else datetime.fromisoformat(value.strip()).date()
    except (ValueError, AttributeError):
        raise RejectedRow(f"bad_{name}", f"column {column!r}: expected an ISO 8601 date such as 2024-03-31") from None
