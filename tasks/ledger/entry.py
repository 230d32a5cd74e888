"""An entry of the ledger: as a row of the table, as a leaf of the tree, and as an object.

A leaf is the canonical JSON (tasks/core/files.py: keys sorted, no spaces, UTF-8) of

    {"body": TEXT, "kind": TEXT, "seq": NUMBER, "subject": TEXT, "time": TEXT, "type": "urn:hallmark:ledger-entry:v1"}

with every column character for character. `body` is the body's JSON as a string, so that a leaf can be hashed without
parsing it. The same bytes are the entry's line in an export.
"""

import json
import re
from datetime import datetime
from json.encoder import encode_basestring
from typing import Any, Final, NamedTuple

from tasks.core.documents.config import FrozenModel
from tasks.core.documents.document import require_document_type
from tasks.core.errors import Refused
from tasks.core.json_text import parse_bounded
from tasks.ledger.tree import merkle

ENTRY_TYPE: Final = "urn:hallmark:ledger-entry:v1"
_TYPE_SUFFIX = f',"type":"{ENTRY_TYPE}"}}'
_matches_time_format = re.compile(r"\d{4}-\d\d-\d\dT([01]\d|2[0-3]):\d\d:\d\d\.\d{6}Z", re.ASCII).fullmatch
"""Matcher of times in the format of `format_time`. Matching is twice as fast as formatting a parsed time again."""
MAX_LEAF_BYTES = 16 * 2**20
"""Maximum size of a leaf in bytes. Readers of an export refuse longer lines."""
_decode_json = json.JSONDecoder().decode
_MAX_LEAF_VALUES = 20


class Row(NamedTuple):
    seq: int
    time: str
    kind: str
    subject: str
    body: str

    def leaf_bytes(self) -> bytes:
        """Return the row as canonical JSON, whose hash is a leaf of the tree.

        Formatting the JSON here is five times as fast as calling `canonical_json`.

        Raises:
            Refused: A column has a value of the wrong type.
        """
        try:
            body, kind, subject, time = map(encode_basestring, (self.body, self.kind, self.subject, self.time))
            text = f'{{"body":{body},"kind":{kind},"seq":{self.seq:d},"subject":{subject},"time":{time}{_TYPE_SUFFIX}'
            return text.encode()
        except (TypeError, ValueError) as error:
            raise _changed_error(self, error) from None

    def leaf_hash(self) -> bytes:
        return merkle.leaf_hash(self.leaf_bytes())


def require_leaf_size(row: Row) -> None:
    """Verify that an entry is not too long, because it cannot be removed once it is recorded.

    Raises:
        Refused: The entry is longer than MAX_LEAF_BYTES.
    """
    if (size := len(row.leaf_bytes())) > MAX_LEAF_BYTES:
        raise Refused(
            f"an entry of {size:,} bytes was to be recorded, and may have {MAX_LEAF_BYTES:,}; nothing was recorded"
        )


class RowWithDocument(NamedTuple):
    row: Row
    document: bytes | None


class Entry(FrozenModel):
    seq: int
    time: datetime
    kind: str
    """Type of the recorded event as `NOUN.VERB`, for example `gate.asked`."""
    subject: str
    """Identifier of the object that the entry is about, usually a SHA-256."""
    body: dict[str, Any]


def parse_leaf(data: bytes) -> Row:
    """Parse the canonical JSON of a leaf into a row.

    Raises:
        ValueError: The bytes are not a leaf.
        TypeError: Columns are missing or have the wrong type.
    """
    columns = parse_bounded(data, _MAX_LEAF_VALUES)
    require_document_type(columns.pop("type", None), ENTRY_TYPE)
    return Row(**columns)


def format_time(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def entry_from_row(row: Row) -> Entry:
    """Convert a row of the table to an entry.

    Raises:
        Refused: The row is malformed, so it was changed by hand.
    """
    moment, body = parse_time_and_body(row)
    try:
        return Entry(seq=row.seq, time=moment, kind=row.kind, subject=row.subject, body=body)
    except ValueError as error:
        raise _changed_error(row, error) from None


def parse_time_and_body(row: Row) -> tuple[datetime, dict[str, Any]]:
    """Parse the time and the JSON body of a row.

    Raises:
        Refused: The time or the body is malformed, so the row was changed by hand.
    """
    try:
        moment, body = datetime.fromisoformat(row.time), _decode_json(row.body)
        if not _matches_time_format(row.time):
            raise ValueError(f"time {row.time!r} is not UTC with microseconds")
        if not isinstance(body, dict):
            raise ValueError("its body is no JSON object")
        return moment, body
    except (TypeError, ValueError, RecursionError) as error:
        raise _changed_error(row, error) from None


def _changed_error(row: Row, error: Exception) -> Refused:
    return Refused(f"entry {row.seq} of the ledger was changed: it cannot be read ({error})")
