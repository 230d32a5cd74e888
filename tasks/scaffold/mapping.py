"""Guess of the column that contains each part of a record, with reasons.

The guess is based on known column names, if the values fit the name. If neither of two text columns has a known name,
the column with more varied texts is assumed to be the prompt.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tasks.core.errors import InputError
from tasks.core.escaping import first_hidden_character
from tasks.core.records.record import ANSWER_KINDS
from tasks.scaffold.columns import MAX_DISTINCT_VALUES, ColumnProfile
from tasks.scaffold.provenance_columns import find_provenance_columns, reason_to_look

PROMPT_NAMES = (
    "prompt", "question", "input", "text", "message", "query", "instruction", "request", "utterance", "body", "content",
    "description", "ticket", "email", "review", "sentence", "frage", "anfrage", "nachricht", "eingabe", "beschreibung",
)  # fmt: skip
RESPONSE_NAMES = (
    "response", "answer", "output", "completion", "target", "label", "intent", "category", "class", "topic", "reply",
    "solution", "resolution", "sentiment", "antwort", "ausgabe", "kategorie", "klasse", "thema", "loesung", "lösung",
)  # fmt: skip
LABEL_NAMES: dict[str, tuple[str, ...]] = {
    "language": ("language", "lang", "locale", "sprache"),
    "department": ("department", "team", "desk", "unit", "division", "abteilung"),
    "geography": ("geography", "country", "region", "market", "land"),
    "labelled_by": ("labelled_by", "labeled_by", "labeller", "labeler", "annotator", "bearbeitet_von"),
    "policy_tags": ("policy_tags", "tags"),
}
DATE_NAMES: dict[str, tuple[str, ...]] = {
    "retired_at": ("retired_at", "retired", "withdrawn", "valid_until", "valid_to", "expires", "zurueckgezogen"),
    "effective_from": (
        "effective_from", "date", "created", "created_at", "timestamp", "opened", "started", "updated", "updated_at",
        "valid_from", "datum", "eingang", "erstellt",
    ),
}  # fmt: skip
ID_NAMES = ("id", "uuid", "key", "nr", "no", "number", "index", "row")
UNKNOWN_PURPOSE = "nothing says what it is for; `mapping` in sources.yaml takes it up"
MAX_REPORTED_VALUES = 100
"""Maximum number of distinct values in a column by which results are grouped, such as the language."""


class UnclearMapping(Exception):
    """Error raised if the prompt or response column of a file cannot be guessed.

    `missing_options` lists the command-line options with which the user can name these columns.
    """

    def __init__(self, missing_options: list[str]) -> None:
        super().__init__(", ".join(missing_options))
        self.missing_options = missing_options


@dataclass
class GuessedMapping:
    columns_by_key: dict[str, Any] = field(default_factory=dict)
    """Guessed column, or columns by field, for each key of `mapping` in sources.yaml."""
    reasons: dict[str, str] = field(default_factory=dict)
    unused_columns: dict[str, str] = field(default_factory=dict)
    """Reason for each column that is not read."""
    unused_nested_columns: list[str] = field(default_factory=list)
    """Columns of objects or lists that are not read, and that could be fields of the answer."""

    def set_key(self, key: str, value: Any, reason: str) -> None:
        self.columns_by_key[key], self.reasons[key] = value, reason

    def remove_key(self, key: str, reason: str) -> None:
        """Remove a key, if it is there. Its column is not used, for this reason."""
        if (column := self.columns_by_key.pop(key, None)) is not None:
            self.unused_columns[column] = reason


def guess_mapping(
    columns: Sequence[ColumnProfile], prompt: str | None, response: Sequence[str], documents: bool = False
) -> GuessedMapping:
    """Guess which columns contain the prompt, the response and the other parts of a record.

    Args:
        columns: Profiles of the columns.
        prompt: Prompt column named by the user, if any.
        response: Response columns named by the user. If there are several, they become fields of one JSON object.
        documents: Whether the rows are documents. Unless the user names columns, they become plain texts.

    Raises:
        UnclearMapping: The prompt or response column cannot be guessed.
        InputError: A named column does not exist, or its name has invisible characters.
    """
    _require_columns(columns, [*([prompt] if prompt else []), *response])
    mapped, left = GuessedMapping(), {column.name: column for column in columns if column.name}
    chat = next((column for column in left.values() if column.is_mostly(column.chat_values)), None)
    if chat and not (prompt or response):
        mapped.set_key("messages", chat.name, "lists of turns, each with a role")
        del left[chat.name]
    named = {*response, prompt}
    for key, name, reason in find_provenance_columns({name: each for name, each in left.items() if name not in named}):
        mapped.set_key(key, name, reason)
        del left[name]
    _map_labels(mapped, {name: column for name, column in left.items() if name not in named})
    left = {name: column for name, column in left.items() if name not in mapped.columns_by_key.values()}
    if documents and not (prompt or response):
        mapped.set_key("text", "text", "documents have no answers: plain texts, for continued pretraining")
        for key in [name for name in ("document", "heading") if name in left]:
            mapped.set_key(key, key, "tells editions of a text from texts of other documents")
    elif "messages" not in mapped.columns_by_key:
        try:
            _map_prompt_and_response(mapped, left, prompt, list(response))
        except UnclearMapping:
            left |= _freed_label_column(mapped, columns)
            _map_prompt_and_response(mapped, left, prompt, list(response))
    _add_unused_columns(mapped, left)
    _require_visible_names(mapped)
    return mapped


def _require_columns(columns: Sequence[ColumnProfile], named: Sequence[str]) -> None:
    names = [column.name for column in columns]
    if missing := [name for name in named if name not in names]:
        shown = ", ".join(map(repr, filter(None, names)))
        raise InputError(f"there is no column {', '.join(map(repr, missing))}; the file has {shown}")
    if len(set(named)) < len(named):
        raise InputError("--prompt and --response name the same column twice; each needs its own")


def _map_labels(mapped: GuessedMapping, left: dict[str, ColumnProfile]) -> None:
    for key, names in DATE_NAMES.items():
        column = _find_column(names, left)
        if column and column.is_mostly(column.date_values):
            mapped.set_key(key, column.name, "its name, and ISO 8601 dates")
    for key, names in LABEL_NAMES.items():
        column = _find_column(names, left)
        if column and column.distinct_count <= MAX_REPORTED_VALUES and column.mean_chars <= 40:
            mapped.set_key(key, column.name, f"its name, and {column.distinct_count} short values")
    for column in left.values():
        if column.value_counts and {value.casefold() for value in column.value_counts} <= set(ANSWER_KINDS):
            mapped.set_key("kind", column.name, f"only {', '.join(sorted(column.value_counts))}")
        elif column.value_counts and {value.casefold() for value in column.value_counts} <= {"train", "test"}:
            mapped.set_key("split", column.name, f"only {' and '.join(sorted(column.value_counts))}")


def _freed_label_column(mapped: GuessedMapping, columns: Sequence[ColumnProfile]) -> dict[str, ColumnProfile]:
    """Take back the guess for the one column by which results would be grouped, because it can be the answer.

    The result is empty if there is none, or more than one.
    """
    by_name = {column.name: column for column in columns}
    grouping = [key for key in LABEL_NAMES if key in mapped.columns_by_key]
    if len(grouping) != 1 or not by_name[name := mapped.columns_by_key[grouping[0]]].has_labels:
        return {}
    mapped.columns_by_key.pop(grouping[0])
    mapped.reasons.pop(grouping[0])
    return {name: by_name[name]}


def _map_prompt_and_response(
    mapped: GuessedMapping, left: dict[str, ColumnProfile], prompt: str | None, response: list[str]
) -> None:
    able = {name: column for name, column in left.items() if column.filled_rows and not _is_id_column(column)}
    texts = {
        name: column for name, column in able.items() if column.is_mostly(column.text_values) and name not in response
    }
    asked, why = _guess_prompt(texts, able, prompt, response)
    rest = {name: column for name, column in able.items() if asked is None or name != asked}
    answered, because = _guess_response(rest, response)
    wanted = ["--prompt COLUMN"] * (asked is None) + ["--response COLUMN"] * (answered is None)
    if wanted:
        raise UnclearMapping(wanted)
    mapped.set_key("prompt", asked, why)
    mapped.set_key("response", answered, because)


def _guess_prompt(
    texts: dict[str, ColumnProfile], able: dict[str, ColumnProfile], given: str | None, response: list[str]
) -> tuple[str | None, str]:
    if given:
        return given, "you named it"
    labels = [name for name in able if name not in response and _find_column(RESPONSE_NAMES, {name: able[name]})]
    if column := _find_column(PROMPT_NAMES, {name: each for name, each in texts.items() if name not in labels}):
        return column.name, f"its name, and text of {column.mean_chars:.0f} characters on average"
    rest = [column for name, column in texts.items() if name not in labels]
    if len(rest) == 1:
        return rest[0].name, "the only text beside the answer"
    if len(rest) == 2 == len(able):
        longer = max(rest, key=lambda column: (column.distinct_count, column.mean_chars))
        return longer.name, "the more varied of two texts"
    return None, ""


def _guess_response(rest: dict[str, ColumnProfile], given: list[str]) -> tuple[str | dict[str, str] | None, str]:
    if len(given) > 1:
        return {name: name for name in given}, "you named them: one JSON object"
    if given:
        return given[0], "you named it"
    if column := _find_column(RESPONSE_NAMES, rest):
        what = f"{column.distinct_count} values that repeat" if column.has_labels else "values that hardly repeat"
        return column.name, f"its name, and {what}"
    repeating = [column for column in rest.values() if column.has_labels]
    if len(repeating) == 1:
        return repeating[0].name, f"the only column of values that repeat ({repeating[0].distinct_count})"
    if len(rest) == 1:
        return next(iter(rest)), "the only column left"
    return None, ""


def _find_column(names: Sequence[str], columns: dict[str, ColumnProfile]) -> ColumnProfile | None:
    """Return the first column with one of these names, or else the first whose name contains one of them as a word."""
    spelled = {name: re.sub(r"[\W_]+", "_", name.casefold()).strip("_") for name in columns}
    for name in names:
        for column, spelling in spelled.items():
            if spelling == name:
                return columns[column]
    for name in names:
        for column, spelling in spelled.items():
            if name in spelling.split("_"):
                return columns[column]
    return None


def _is_id_column(column: ColumnProfile) -> bool:
    once = column.distinct_count in (column.filled_rows, MAX_DISTINCT_VALUES) and column.mean_chars <= 40
    words = re.sub(r"[\W_]+", "_", column.name.casefold()).strip("_").split("_")
    return once and bool({words[0], words[-1]} & set(ID_NAMES))


def _add_unused_columns(mapped: GuessedMapping, left: dict[str, ColumnProfile]) -> None:
    response = mapped.columns_by_key.get("response")
    used = {value for value in mapped.columns_by_key.values() if isinstance(value, str)}
    used |= set(response.values()) if isinstance(response, dict) else set()
    for name, column in left.items():
        if name in used:
            continue
        if not column.filled_rows:
            mapped.unused_columns[name] = "empty"
        elif _is_id_column(column):
            mapped.unused_columns[name] = "an id; records have their own, made of source and row"
        else:
            mapped.unused_columns[name] = reason_to_look(name) or UNKNOWN_PURPOSE
            if column.nested_values and isinstance(response, str):
                mapped.unused_nested_columns.append(name)


def _require_visible_names(mapped: GuessedMapping) -> None:
    """Raise InputError if a name has invisible characters, which signers of sources.yaml could not see."""
    for value in mapped.columns_by_key.values():
        for name in value.values() if isinstance(value, dict) else [value]:
            if what := first_hidden_character(name):
                raise InputError(
                    f"the name of the column {name!r} holds the character {what}, which nobody sees; rename the column"
                )
