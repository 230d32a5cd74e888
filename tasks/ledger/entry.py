"""An entry of the ledger: as its table holds it, as a leaf of its tree, and as it is read.

A leaf is the canonical JSON (tasks/core/files.py: keys sorted, no spaces, UTF-8) of

    {"body": TEXT, "kind": TEXT, "seq": NUMBER, "subject": TEXT, "time": TEXT, "type": "urn:hallmark:ledger-entry:v1"}

with each column letter for letter; `body` is the text of the body's JSON, not the JSON itself, so that nobody needs to
parse it to hash it. These bytes are also the entry's line in an export.
"""

import json
import re
from datetime import datetime
from json.encoder import encode_basestring
from typing import Any, Final, NamedTuple

from tasks.core.config import Frozen
from tasks.core.document import require_type
from tasks.core.errors import Refused
from tasks.core.files import json_of_others
from tasks.ledger.tree import merkle

TYPE: Final = "urn:hallmark:ledger-entry:v1"
_TYPE = f',"type":"{TYPE}"}}'
_SPELLED = re.compile(r"\d{4}-\d\d-\d\dT([01]\d|2[0-3]):\d\d:\d\d\.\d{6}Z", re.ASCII).fullmatch
"""What `spell_time` makes of a time; to spell each anew and compare takes twice as long."""
MOST = 16 * 2**20
"""Bytes of a leaf: who reads an export takes no longer line for an entry."""
_json = json.JSONDecoder().decode
_PIECES = 20
"""Of the JSON of a leaf, which has six columns."""


class Row(NamedTuple):
    """An entry as the table holds it."""

    seq: int
    time: str
    kind: str
    subject: str
    body: str

    def leaf(self) -> bytes:
        """The bytes that the tree is about: `canonical_json` of the columns, written out since it is five times faster.

        Raises Refused for a column that holds another kind of value, or no text.
        """
        try:
            body, kind, subject, time = map(encode_basestring, (self.body, self.kind, self.subject, self.time))
            return f'{{"body":{body},"kind":{kind},"seq":{self.seq:d},"subject":{subject},"time":{time}{_TYPE}'.encode()
        except (TypeError, ValueError) as error:
            raise _changed(self, error) from None

    def leaf_hash(self) -> bytes:
        return merkle.leaf_hash(self.leaf())


def require_fits(row: Row) -> None:
    """Raises Refused for an entry that no export could be read with: it would stand in the ledger for ever."""
    if (size := len(row.leaf())) > MOST:
        raise Refused(f"an entry of {size:,} bytes was to be recorded, and may have {MOST:,}; nothing was recorded")


class Kept(NamedTuple):
    """A row with what is attached to it, None where nothing is."""

    row: Row
    document: bytes | None


class Entry(Frozen):
    """One row."""

    seq: int
    time: datetime
    kind: str
    """What happened, `NOUN.VERB`, e.g. gate.asked."""
    subject: str
    """What it is about: usually a SHA-256."""
    body: dict[str, Any]


def of_leaf(data: bytes) -> Row:
    """The row that a leaf is of. Raises ValueError or TypeError where it is none."""
    columns = json_of_others(data, _PIECES)
    require_type(columns.pop("type", None), TYPE)
    return Row(**columns)


def spell_time(moment: datetime) -> str:
    """UTC, ISO 8601 with microseconds and Z."""
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def read(row: Row) -> Entry:
    """Raises Refused where Hallmark cannot have written the row."""
    moment, body = parse(row)
    try:
        return Entry(seq=row.seq, time=moment, kind=row.kind, subject=row.subject, body=body)
    except ValueError as error:
        raise _changed(row, error) from None


def parse(row: Row) -> tuple[datetime, dict[str, Any]]:
    """Time and body. Raises Refused where Hallmark cannot have written them."""
    try:
        moment, body = datetime.fromisoformat(row.time), _json(row.body)
        if not _SPELLED(row.time):
            raise ValueError(f"time {row.time!r} is not UTC with microseconds")
        if not isinstance(body, dict):
            raise ValueError("its body is no JSON object")
        return moment, body
    except (TypeError, ValueError, RecursionError) as error:
        raise _changed(row, error) from None


def _changed(row: Row, error: Exception) -> Refused:
    return Refused(f"entry {row.seq} of the ledger was changed: it cannot be read ({error})")
