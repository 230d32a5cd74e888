"""Conversations, joined from the messages that a reader yields (`mapping.conversation` in sources.yaml).

A joined row has the messages in the column `ConversationMapping.turns_column`, each with role, author, time and
content. Its other columns are those of its last message. Rows are numbered in the order in which their conversations
begin. A row that belongs to no conversation, for example because it is malformed, keeps its place among them.

Messages of a conversation can be anywhere in the file. So they are put into a temporary file, and memory has only where
each begins, 24 bytes a message.
"""

import hashlib
import math
import pickle
from array import array
from collections.abc import Iterator
from itertools import count, groupby
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import Any

from tasks.core.json_text import parse_shallow
from tasks.sources.conversation_mapping import ConversationMapping
from tasks.sources.sources import Source
from tasks.stages.data.readers.message_times import parse_time
from tasks.stages.data.readers.rows import MalformedRow, Row

MAX_MEMORY_BYTES = 64 << 20
MESSAGE_OVERHEAD = 64
"""Number of characters that a message counts for besides its values, so that empty messages are bounded too."""
THREAD_DIGEST_BYTES = 16


class UnusableMessage(Exception):
    """Raised if a message cannot become part of a conversation."""

    def __init__(self, rule: str, reason: str) -> None:
        super().__init__(reason)
        self.rule, self.reason = rule, reason


def join_messages(
    rows: Iterator[Row | MalformedRow], source: Source, mapping: ConversationMapping, scratch: Path | None
) -> Iterator[Row | MalformedRow]:
    """Yield a row for each conversation.

    Args:
        rows: Rows of the source's reader.
        source: Source with the limit `max_row_bytes` of a conversation.
        mapping: Mapping of the source.
        scratch: Folder for the temporary file; None: the system's.
    """
    if mapping.comments is not None:
        for row in rows:
            yield row if isinstance(row, MalformedRow) else _join_comments(row, mapping)
        return
    with SpooledTemporaryFile(MAX_MEMORY_BYTES, dir=None if scratch is None else str(scratch)) as file:
        messages = _StoredMessages(file, source, mapping)
        for row in rows:
            messages.add(row)
        for number, items in enumerate(messages.by_thread(), start=1):
            yield _join_thread(items, number, source, mapping)


class _StoredMessages:
    """Messages in a temporary file, and their threads, times and places in memory."""

    def __init__(self, file: SpooledTemporaryFile[bytes], source: Source, mapping: ConversationMapping) -> None:
        self._file, self._mapping = file, mapping
        self._columns = source.mapping.mapped_columns()
        self._threads, self._numbers = dict[bytes, int](), count()
        self._thread, self._time, self._place = array("Q"), array("d"), array("Q")

    def add(self, row: Row | MalformedRow) -> None:
        stored: Row | MalformedRow = row
        thread, time = None, 0.0
        if isinstance(row, Row):
            stored = Row(row.number, {name: value for name, value in row.values.items() if name in self._columns})
            try:
                thread = _thread_digest(row, self._mapping)
                time = _message_time(row.values, self._mapping)
                _message_author(row.values, self._mapping)
            except UnusableMessage as problem:
                stored = MalformedRow(row.number, problem.rule, f"row {row.number} of the file: {problem.reason}")
        if thread is None:
            number = next(self._numbers)
        elif (known := self._threads.get(thread)) is None:
            number = self._threads[thread] = next(self._numbers)
        else:
            number = known
        self._thread.append(number)
        self._time.append(time)
        self._place.append(self._file.tell())
        pickle.dump(stored, self._file, pickle.HIGHEST_PROTOCOL)

    def by_thread(self) -> Iterator[Iterator[Row | MalformedRow]]:
        """Yield the messages of each thread in order. Equal times are in the order of the file."""
        import numpy as np

        order = np.lexsort((np.asarray(self._time), np.asarray(self._thread))).tolist() if self._thread else []
        for _, places in groupby(order, key=self._thread.__getitem__):
            yield map(self._load, places)

    def _load(self, place: int) -> Row | MalformedRow:
        self._file.seek(self._place[place])
        stored: Row | MalformedRow = pickle.load(self._file)
        return stored


def _join_thread(
    items: Iterator[Row | MalformedRow], number: int, source: Source, mapping: ConversationMapping
) -> Row | MalformedRow:
    messages: list[dict[str, Any]] = []
    size, last = 0, dict[str, Any]()
    for item in items:
        if isinstance(item, MalformedRow):
            return MalformedRow(number, item.rule, item.reason, item.is_usual)
        size += MESSAGE_OVERHEAD + sum(len(value) for value in item.values.values() if isinstance(value, str | bytes))
        if size > source.max_row_bytes:
            return MalformedRow(
                number,
                "too_large",
                f"the conversation with row {item.number} of the file has more characters than max_row_bytes allows, "
                f"{source.max_row_bytes:,}",
            )
        messages.append(_message(item.values, mapping))
        last = item.values
    return Row(number, {**last, mapping.turns_column: messages})


def _join_comments(row: Row, mapping: ConversationMapping) -> Row | MalformedRow:
    assert mapping.comments is not None
    try:
        found = [_flat_comment(each, mapping) for each in _list_of_comments(row.values.get(mapping.comments), mapping)]
        timed = sorted(found, key=lambda comment: _message_time(comment, mapping))
        messages = [_message(comment, mapping) for comment in timed]
    except UnusableMessage as problem:
        return MalformedRow(row.number, problem.rule, f"column {mapping.comments!r}: {problem.reason}")
    if mapping.opening is not None:
        messages.insert(0, {"role": "user", "content": row.values.get(mapping.opening)})
    return Row(row.number, {**row.values, mapping.turns_column: messages})


def _list_of_comments(value: Any, mapping: ConversationMapping) -> list[dict[str, Any]]:
    try:
        comments = (parse_shallow(value) if isinstance(value, str) and value else value) or []
    except ValueError:
        comments = value
    if not isinstance(comments, list) or not all(isinstance(each, dict) for each in comments):
        raise UnusableMessage("bad_comments", "expected a list of objects")
    return comments


def _flat_comment(comment: dict[str, Any], mapping: ConversationMapping) -> dict[str, Any]:
    """Return the values of a comment by the paths that the mapping names, such as `author.name`."""
    return {path: _value_at(comment, path) for path in (mapping.author, mapping.text, mapping.time) if path is not None}


def _value_at(value: Any, path: str) -> Any:
    if isinstance(value, dict) and path in value:
        return value[path]
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _message(values: dict[str, Any], mapping: ConversationMapping) -> dict[str, Any]:
    author = _message_author(values, mapping)
    timed = {"time": str(values.get(mapping.time))} if mapping.time is not None else {}
    role = "assistant" if mapping.is_assistant(author) else "user"
    return {"role": role, "author": author, **timed, "content": values.get(mapping.text)}


def _message_author(values: dict[str, Any], mapping: ConversationMapping) -> str:
    author = _name(values.get(mapping.author))
    if not author:
        raise UnusableMessage("no_author", f"{mapping.author!r}: expected the author of the message, as text")
    return author


def _thread_digest(row: Row, mapping: ConversationMapping) -> bytes:
    assert mapping.thread is not None
    thread = _name(row.values.get(mapping.thread))
    if not thread:
        raise UnusableMessage("no_thread", f"{mapping.thread!r}: expected the id of the conversation, as text")
    return hashlib.blake2b(thread.encode(errors="surrogatepass"), digest_size=THREAD_DIGEST_BYTES).digest()


def _name(value: Any) -> str:
    return str(value).strip() if isinstance(value, str | int) else ""


def _message_time(values: dict[str, Any], mapping: ConversationMapping) -> float:
    if mapping.time is None:
        return 0.0
    time = parse_time(values.get(mapping.time))
    if math.isnan(time):
        raise UnusableMessage("bad_time", f"{mapping.time!r}: expected a time such as 2024-03-31T09:30:00+01:00")
    return time
