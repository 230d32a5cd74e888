"""Admission records that are stored in files until the ledger is available.

Serving must continue while the ledger is unavailable. A release that was admitted earlier is therefore admitted again
without waiting for the ledger entry. Everywhere else in Hallmark, the ledger entry is written first.
"""

import uuid
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from tasks.core import files
from tasks.core.documents.config import FrozenModel
from tasks.core.errors import Refused, Unavailable
from tasks.core.json_text import canonical_json
from tasks.ledger.ledger import Ledger
from tasks.trust import dsse

OUTBOX_FOLDER = "undelivered"
"""Folder of the undelivered records, relative to `.hallmark/`."""
UNREADABLE_SUFFIX = ".unreadable"
"""Suffix to which a file without a valid record is renamed, so that it does not block the delivery of other records."""


class DeliveryEnd(NamedTuple):
    """Ledger entry whose presence ends the repeated delivery of a record.

    The record is kept in its file until it has been delivered to a ledger that contains this entry.
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
    """Append all stored records and then this record to the ledger.

    If the ledger is unavailable, or was changed so that nothing can be appended, the record is stored.
    """
    try:
        deliver_records(ledger, state)
        ledger.append(kind, subject, body)
    except (Unavailable, Refused):
        # Names sort by time, and no two processes create the same one.
        store_record(state, f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{uuid.uuid4().hex}", kind, subject, body)


def store_record(
    state: Path, name: str, kind: str, subject: str, body: dict[str, Any], delivery_end: DeliveryEnd | None = None
) -> None:
    """Store a record in a file for later delivery, under a unique name. Repeating the call has no effect.

    If `delivery_end` is given, the file is kept until the record has been delivered to a ledger that contains the entry
    which `delivery_end` describes. If the ledger is replaced before that, the record is delivered again.
    """
    path = state / OUTBOX_FOLDER / f"{name}.json"
    if not path.exists():
        record = {"kind": kind, "subject": subject, "body": body, "happened": datetime.now(UTC).isoformat()}
        files.write_json(path, record | ({"until": list(delivery_end)} if delivery_end else {}))


def deliver_records(ledger: Ledger, state: Path) -> int:
    """Append the stored records to the ledger, oldest first, and return the number of appended records.

    A record that the ledger already has is not appended again. A file that cannot be parsed, for example because it is
    truncated, is renamed and skipped.

    Raises:
        Unavailable: The ledger cannot be reached, or a file is temporarily unreadable.
    """
    delivered = 0
    for path in sorted((state / OUTBOX_FOLDER).glob("*.json")):
        record = _read_record(path)
        if record is None:
            continue
        with ledger.transaction():
            known = any(entry.body.get("kept") == path.stem for entry in ledger.entries(record.kind, record.subject))
            if not known:
                ledger.append(
                    record.kind, record.subject, record.body | {"kept": path.stem, "happened": record.happened}
                )
            enough = record.until is None or _has_entry(ledger, record.until)
        if enough:
            path.unlink(missing_ok=True)
        delivered += not known
    return delivered


def invalid_files(state: Path) -> list[str]:
    return [
        f"{path} should hold a record of what was served, and cannot be read; put it right and name it "
        f"{path.stem}.json, which has it delivered, or move it away"
        for path in sorted((state / OUTBOX_FOLDER).glob(f"*{UNREADABLE_SUFFIX}"))
    ]


def _read_record(path: Path) -> _StoredRecord | None:
    try:
        record = _StoredRecord.model_validate_json(path.read_bytes())
        canonical_json(record.body)  # raises if the ledger could not store it
        return record
    except FileNotFoundError:
        return None
    except (ValidationError, ValueError, IsADirectoryError, PermissionError):
        with suppress(FileNotFoundError):  # another process has renamed it
            path.rename(_unused_path(path.with_suffix(UNREADABLE_SUFFIX)))
        return None
    except OSError as error:
        raise Unavailable(f"{path} cannot be read now: {error}; it is delivered once it can") from error


def _unused_path(path: Path) -> Path:
    """Return an unused path, so that renaming a file to this path overwrites nothing."""
    return path.with_stem(f"{path.stem}-{uuid.uuid4().hex}") if path.exists() else path


def _has_entry(ledger: Ledger, delivery_end: DeliveryEnd) -> bool:
    envelopes = (entry.body.get("envelope") for entry in ledger.entries(delivery_end.kind, delivery_end.subject))
    return any(isinstance(each, dict) and dsse.envelope_digest(each) == delivery_end.envelope for each in envelopes)
