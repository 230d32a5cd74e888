"""Reader of transcripts of calls and chats: WebVTT, SRT, and plain lines with speakers. Each turn is a row."""

from collections.abc import Iterator
from typing import IO

from tasks.sources.sources import Source
from tasks.stages.data.readers.columns import check_mapped_columns
from tasks.stages.data.readers.documents import iter_documents, read_text
from tasks.stages.data.readers.limits import check_row_count
from tasks.stages.data.readers.rows import MalformedRow, Reader, Row
from tasks.stages.data.readers.transcript_turns import parse_turns

SUFFIXES = (".vtt", ".srt", ".txt", ".log")
COLUMNS = ("document", "thread", "author", "time", "text")


def read_rows(file: IO[bytes], source: Source) -> Iterator[Row | MalformedRow]:
    """Yield the turns of each file. A file in which no line names a speaker is malformed, as a whole."""
    number = 0
    for document in iter_documents(file, source, SUFFIXES):
        if not number:
            check_mapped_columns(COLUMNS, source)
        text = read_text(document, number + 1, source)
        turns = [] if isinstance(text, MalformedRow) else parse_turns(text)
        if isinstance(text, MalformedRow) or not turns:
            number += 1
            reason = "no line of the file names a speaker, as `Agent: text` or `<v Agent>` does"
            yield text if isinstance(text, MalformedRow) else MalformedRow(number, "no_speaker", reason)
        for turn in turns:
            number += 1
            check_row_count(number, source)
            named = {"document": document.name, "thread": document.name}
            yield Row(number, {**named, "author": turn.author, "time": turn.time, "text": turn.text})


READER = Reader(read_rows, lambda file, source: COLUMNS, recognises=lambda head: False, suffixes=SUFFIXES)
