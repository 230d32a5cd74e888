"""Conversations that are joined from messages: rows of any format, comments of tickets, and what cannot be joined."""

import json
from typing import Any

import pytest

from tasks.core.errors import InputError
from tasks.inquiry.planted_defects.text_pairs import pair_texts
from tasks.inquiry.source_row import read_row
from tasks.sources.column_mapping import ColumnMapping
from tasks.sources.resolved_sources import load_resolved
from tasks.stages.data.readers.rows import MalformedRow, Row
from tests.stages.data.build import FILE_OF, Run, params

COLUMNS = {"thread": "ticket", "author": "who", "text": "body", "time": "sent"}
CONVERSATION = {**COLUMNS, "assistants": ["agent-*", "Bot"]}
MAPPING = {"conversation": CONVERSATION, "department": "queue"}
LENIENT = params(max_malformed_share=0.9)


def message(ticket: str, who: str, body: str, sent: str, queue: str = "cards") -> dict[str, str]:
    return {"ticket": ticket, "who": who, "body": body, "sent": sent, "queue": queue}


MESSAGES = [
    message("T-9", "agent-7", "Welcome!", "2026-01-05T08:00:00Z"),
    message("T-2", "mia", "My card is blocked.", "2026-01-05T09:00:00+00:00"),
    message("T-9", "AGENT-7", "Please send the form.", "2026-01-05T10:40:00+02:00", "loans"),
    message("T-9", "jo", "How do I apply?", "2026-01-05T08:20:00"),
    message("T-2", "mia", "Since Monday.", "2026-01-05T09:05:00Z"),
    message("T-2", "bot", "I unblocked it.", "2026-01-05 09:06:00Z"),
    message("T-9", "jo", "Which one?", "1767602700000"),
    message("T-4", "kim", "Hello?", "2026-01-05T07:00:00Z"),
    message("T-2", "mia", "Thanks.", "2026-01-06"),
    message("T-9", "agent-8", "The green one.", "1767602760", "loans"),
]
TURNS = [
    ["How do I apply?", "Please send the form.", "Which one?", "The green one."],
    ["My card is blocked.\n\nSince Monday.", "I unblocked it."],
]


def turns_of(run: Run) -> list[list[str]]:
    return [[turn["content"] for turn in record["messages"]] for record in run.records_of("ingest")]


@pytest.mark.parametrize("kind", FILE_OF)
def test_messages_anywhere_in_a_file_become_one_row_for_each_thread(run: Run, kind: str) -> None:
    result = run.ingest(FILE_OF[kind](MESSAGES), kind=kind, mapping=MAPPING)
    assert (result.counts.rows, result.counts.records) == (3, 2)
    assert turns_of(run) == TURNS
    assert [record["department"] for record in run.records_of("ingest")] == ["loans", "cards"]
    assert [row["row"] for row in run.records_of("ingest", "rows")] == [1, 2]
    assert run.rules_of("ingest") == {3: "no_assistant_turn"}
    assert (result.sources[0].dropped_turns, result.sources[0].malformed) == (2, 0)
    resolved = load_resolved(run.layout.sources_path)
    shown = read_row(resolved.sources[0], 3, run.layout)
    assert isinstance(shown, Row)
    assert shown.values["body"] == [
        {"role": "user", "author": "kim", "time": "2026-01-05T07:00:00Z", "content": "Hello?"}
    ]
    pairs = dict(pair_texts(run.layout, resolved))
    assert [[before for before, _ in pair] for pair in pairs.values()] == TURNS and {row for _, row in pairs} == {1, 2}


def test_without_times_messages_are_in_the_order_of_the_file(run: Run) -> None:
    mapping = {"conversation": {name: value for name, value in CONVERSATION.items() if name != "time"}}
    run.ingest(FILE_OF["jsonl"](MESSAGES), kind="jsonl", mapping=mapping)
    assert turns_of(run)[0] == ["How do I apply?\n\nWhich one?", "The green one."]


def test_messages_that_cannot_be_joined_are_told(run: Run) -> None:
    broken = [
        message("T-1", "jo", "When?", "yesterday"),
        message("", "jo", "Who?", "2026-01-05"),
        message("T-5", " ", "Where?", "2026-01-05"),
        message("T-1", "bot", "Now.", "2026-01-05"),
        *(message("T-6", "jo", "x" * 300, "2026-01-05") for _ in range(9)),
    ]
    data = FILE_OF["csv"]([*broken, *MESSAGES]) + b"T-9,half a row\n"
    result = run.ingest(data, how=LENIENT, mapping=MAPPING, max_row_bytes=2_000)
    told = {1: "bad_time", 2: "no_thread", 3: "no_author", 4: "too_large", 7: "no_assistant_turn", 8: "field_count"}
    assert run.rules_of("ingest") == told and turns_of(run) == TURNS
    assert (result.counts.rows, result.sources[0].malformed) == (8, 5)
    first = next(item for item in run.records_of("ingest", "quarantine") if item["row"] == 1)
    assert first["reason"].startswith("row 1 of the file: 'sent': expected a time such as")
    assert isinstance(read_row(load_resolved(run.layout.sources_path).sources[0], 4, run.layout), MalformedRow)


def ticket(*comments: Any, **fields: Any) -> dict[str, Any]:
    return {"title": "Card", "about": "My card is blocked.", "queue": "cards", "comments": list(comments), **fields}


def comment(name: str, body: str, at: str = "2026-01-05") -> dict[str, Any]:
    return {"author": {"name": name}, "body": body, "at": at}


TICKETS: list[dict[str, Any]] = [
    ticket(comment("bot", "Fixed.", "2026-01-07"), comment("mia", "Please help.", "2026-01-06")),
    ticket(),
    ticket({"author": "mia", "body": "?", "at": "2026-01-05"}),
    ticket("no object"),
    ticket(comment("mia", "?", "soon")),
    ticket(comments=None, about="A ticket without comments."),
]


@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_comments_of_a_ticket_are_a_conversation(run: Run, kind: str) -> None:
    keys = {"comments": "comments", "opening": "about", "author": "author.name", "text": "body", "time": "at"}
    mapping = {"conversation": {**keys, "assistants": ["bot"]}, "department": "queue"}
    rows = [{**row, "comments": json.dumps(row["comments"])} for row in TICKETS] if kind == "csv" else TICKETS
    run.ingest(FILE_OF[kind](rows), kind=kind, mapping=mapping, how=LENIENT)
    assert turns_of(run) == [["My card is blocked.\n\nPlease help.", "Fixed."]]
    unusable = {3: "no_author", 4: "bad_comments", 5: "bad_time"}
    assert run.rules_of("ingest") == {2: "no_assistant_turn", **unusable, 6: "no_assistant_turn"}


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"comments": "comments"}, "either `thread`, if each message is a row, or `comments`"),
        ({"opening": "about"}, "`opening` goes with `comments`"),
        ({"assistants": []}, "at least 1 item"),
        ({"sent": "sent"}, "Extra inputs are not permitted"),
    ],
)
def test_a_mapping_that_means_nothing_is_refused(fields: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        ColumnMapping.model_validate({"conversation": CONVERSATION | fields})
    with pytest.raises(ValueError, match="or `conversation`"):
        ColumnMapping.model_validate({"conversation": CONVERSATION, "text": "body"})


def test_a_missing_column_of_a_message_is_told(run: Run) -> None:
    with pytest.raises(InputError, match="has no column 'nobody', which its mapping names"):
        run.ingest(FILE_OF["csv"](MESSAGES), mapping={"conversation": {**CONVERSATION, "author": "nobody"}})
