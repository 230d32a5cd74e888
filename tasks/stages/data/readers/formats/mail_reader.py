"""Reader of mail: .eml files, and mbox files of many messages. Each message is a row.

The files are read twice: for the threads, in which a message may come before the one that it answers, and for the rows.
"""

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from typing import IO

from tasks.sources.sources import Source
from tasks.stages.data.readers.columns import check_mapped_columns
from tasks.stages.data.readers.decoding import find_declared_codec
from tasks.stages.data.readers.documents import iter_documents
from tasks.stages.data.readers.limits import check_row_count
from tasks.stages.data.readers.mail_messages import (
    IncompleteMail,
    UnreadableMail,
    parse_message,
    read_headers,
    read_values,
)
from tasks.stages.data.readers.mail_threads import ThreadRoots
from tasks.stages.data.readers.mailboxes import iter_messages
from tasks.stages.data.readers.rows import MalformedRow, Reader, Row

SUFFIXES = (".eml", ".mbox", ".mbx")
COLUMNS = ("document", "message_id", "thread", "author", "author_name", "to", "subject", "time", "text")


def read_rows(file: IO[bytes], source: Source) -> Iterator[Row | MalformedRow]:
    """Yield a row for each message. Further copies of a message are quarantined by rule `duplicate_message`.

    A message without author or date, or one that cannot be read, is malformed.

    Raises:
        InputError: The source's encoding is none, or the source exceeds a limit.
    """
    find_declared_codec(source)
    roots, seen = ThreadRoots(), set[bytes]()
    for number, (_, content) in enumerate(_messages(file, source), start=1):
        check_row_count(number, source)
        if number == 1:
            check_mapped_columns(COLUMNS, source)
        if content is not None:
            with suppress(UnreadableMail):
                roots.add(*read_headers(content))
    for number, (name, content) in enumerate(_messages(file, source), start=1):
        yield _read_row(number, name, content, source, roots, seen)


def _messages(file: IO[bytes], source: Source) -> Iterator[tuple[str, bytes | None]]:
    for document in iter_documents(file, source, SUFFIXES):
        for content in iter_messages(document.file, source.max_row_bytes):
            yield document.name, content


def _read_row(
    number: int, name: str, content: bytes | None, source: Source, roots: ThreadRoots, seen: set[bytes]
) -> Row | MalformedRow:
    if content is None:
        reason = f"the message has more bytes than max_row_bytes allows, {source.max_row_bytes:,}"
        return MalformedRow(number, "too_large", reason)
    try:
        headers = read_headers(content)
        digest = hashlib.blake2b(headers.message_id.encode(errors="surrogatepass"), digest_size=16).digest()
        if digest in seen:
            reason = "its Message-ID is that of an earlier message of the source"
            return MalformedRow(number, "duplicate_message", reason, is_usual=True)
        values = read_values(parse_message(content), source.encoding)
    except IncompleteMail as problem:
        return MalformedRow(number, "incomplete_message", f"the message {problem}")
    except UnreadableMail as problem:
        return MalformedRow(number, "unreadable", f"the message {problem}")
    except Exception as error:  # `email` raises many kinds of errors for what nobody but an attacker writes
        return MalformedRow(number, "unreadable", f"the message cannot be parsed ({type(error).__name__})")
    seen.add(digest)
    ids = {"document": name, "message_id": headers.message_id, "thread": roots.root_of(headers.message_id)}
    return Row(number, ids | values)


READER = Reader(read_rows, lambda file, source: COLUMNS, recognises=lambda head: False, suffixes=SUFFIXES)
