"""Admission records that are stored in files until the ledger is available.

Serving must continue while the ledger is unavailable, so a release that was admitted before is admitted again before
the ledger entry is written. Everywhere else in Hallmark, the ledger entry comes first.
"""

import uuid
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from tasks.core import files
from tasks.core.documents.config import FrozenModel
from tasks.core.errors import Unavailable
from tasks.core.json_text import canonical_json
from tasks.ledger.ledger import Ledger
from tasks.trust import dsse

FOLDER = "undelivered"
"""Folder of the undelivered records, relative to `.hallmark/`."""
UNREADABLE = ".unreadable"
"""Suffix that is given to a file without a valid record, so that the file does not block the delivery of other
records."""


class DeliveryEnd(NamedTuple):
    """Ledger entry that ends the delivery of a record.

    The record is kept in its file until it is delivered to a ledger that contains this entry.
    """

    kind: str
    subject: str
    envelope: str
    """Digest of the entry's envelope (`dsse.digest`)."""


class _StoredRecord(FrozenModel):
    kind: str
    subject: str
    body: dict[str, Any]
    happened: str
    until: DeliveryEnd | None = None


def append_or_store(ledger: Ledger, state: Path, kind: str, subject: str, body: dict[str, Any]) -> None:
    """Append a record to the ledger after all stored records, or store the record if the ledger is unavailable."""
    try:
        deliver(ledger, state)
        ledger.append(kind, subject, body)
    except Unavailable:
        # Names sort by time, and no two processes create the same one.
        store(state, f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{uuid.uuid4().hex}", kind, subject, body)


def store(
    state: Path, name: str, kind: str, subject: str, body: dict[str, Any], until: DeliveryEnd | None = None
) -> None:
    """Store a record for delivery under a unique name. Repeating the call has no effect.

    With `until`, the record is kept, and delivered again if the ledger is replaced, until a ledger contains that entry.
    """
    path = state / FOLDER / f"{name}.json"
    if not path.exists():
        record = {"kind": kind, "subject": subject, "body": body, "happened": datetime.now(UTC).isoformat()}
        files.write_json(path, record | ({"until": list(until)} if until else {}))


def deliver(ledger: Ledger, state: Path) -> int:
    """Append the stored records to the ledger, oldest first, and return the number of appended records.

    A record that the ledger already has is not appended again. A file that cannot be parsed, for example because it is
    truncated, is renamed and skipped.

    Raises:
        Unavailable: The ledger cannot be reached, or a file cannot be read at the moment.
    """
    delivered = 0
    for path in sorted((state / FOLDER).glob("*.json")):
        record = _read(path)
        if record is None:
            continue
        with ledger.transaction():
            known = any(entry.body.get("kept") == path.stem for entry in ledger.entries(record.kind, record.subject))
            if not known:
                ledger.append(
                    record.kind, record.subject, record.body | {"kept": path.stem, "happened": record.happened}
                )
            enough = record.until is None or _has(ledger, record.until)
        if enough:
            path.unlink(missing_ok=True)
        delivered += not known
    return delivered


def invalid_files(state: Path) -> list[str]:
    return [
        f"{path} should hold a record of what was served, and cannot be read; put it right and name it "
        f"{path.stem}.json, which has it delivered, or move it away"
        for path in sorted((state / FOLDER).glob(f"*{UNREADABLE}"))
    ]


def _read(path: Path) -> _StoredRecord | None:
    try:
        record = _StoredRecord.model_validate_json(path.read_bytes())
        canonical_json(record.body)  # raises if the ledger could not store it
        return record
    except FileNotFoundError:
        return None
    except (ValidationError, ValueError, IsADirectoryError, PermissionError):
        with suppress(FileNotFoundError):  # another process has renamed it
            path.rename(_unused_path(path.with_suffix(UNREADABLE)))
        return None
    except OSError as error:
        raise Unavailable(f"{path} cannot be read now: {error}; it is delivered once it can") from error


def _unused_path(path: Path) -> Path:
    """Return a path that does not exist, so that renaming a file overwrites no other file."""
    return path.with_stem(f"{path.stem}-{uuid.uuid4().hex}") if path.exists() else path


def _has(ledger: Ledger, wanted: DeliveryEnd) -> bool:
    envelopes = (entry.body.get("envelope") for entry in ledger.entries(wanted.kind, wanted.subject))
    return any(isinstance(each, dict) and dsse.digest(each) == wanted.envelope for each in envelopes)
