"""Admission records that are stored in files until the ledger is available.

Serving must continue while the ledger is unavailable. A release that was admitted earlier is therefore admitted again
without waiting for the ledger entry. Everywhere else in Hallmark, the ledger entry is written first. Nothing is
delivered to a ledger that was changed or rolled back, except the record of that.
"""

import logging
import uuid
from collections import defaultdict
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
from tasks.registry.release import promotions
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
    """Append all stored records and then this record to the ledger. The caller must have verified the ledger.

    If the ledger is unavailable, or was changed so that nothing can be appended, the record is stored.
    """
    try:
        with suppress(Refused):  # a stored record that the ledger refuses does not keep this one from it
            deliver_records(ledger, state)
        ledger.append(kind, subject, body)
    except (Unavailable, Refused):
        store_until_promoted(state, kind, subject, body)


def store_until_promoted(state: Path, kind: str, subject: str, body: dict[str, Any]) -> None:
    """Store an admission record for delivery to a ledger that has the promotion statement in the record.

    A ledger without that statement may be replaced by the right one, and the record would be lost with it.
    """
    statement = body.get("statement")
    until = DeliveryEnd(promotions.PROMOTION_KIND, subject, str(statement)) if statement else None
    # Names sort by time, and no two processes create the same one.
    store_record(state, f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{uuid.uuid4().hex}", kind, subject, body, until)


def store_record(
    state: Path, name: str, kind: str, subject: str, body: dict[str, Any], delivery_end: DeliveryEnd | None = None
) -> None:
    """Store a record in a file for later delivery, under a unique name. Repeating the call has no effect.

    If `delivery_end` is given, the file is kept until the record has been delivered to a ledger that contains the entry
    which `delivery_end` describes. If the ledger is replaced before that, the record is delivered again. If the disk is
    full or read-only, a warning is logged instead, because serving must continue.
    """
    path = state / OUTBOX_FOLDER / f"{name}.json"
    record = {"kind": kind, "subject": subject, "body": body, "happened": datetime.now(UTC).isoformat()}
    try:
        if not path.exists():
            files.write_json(path, record | ({"until": list(delivery_end)} if delivery_end else {}))
    except OSError as error:
        logging.getLogger("hallmark").warning(
            "hallmark: %s cannot be written (%s), so the ledger will lack this %s of %s; make room there",
            path, error.strerror, kind, subject,
        )  # fmt: skip


def deliver_records(ledger: Ledger, state: Path, kind: str | None = None) -> int:
    """Append the stored records to the ledger, oldest first, and return the number of appended records.

    A record that the ledger already has is not appended again. A file that cannot be parsed, for example because it is
    truncated, is renamed and skipped. A record that the ledger refuses is skipped too. The caller must have verified
    the ledger: delivered records are removed here, so they would be lost with a ledger that was changed.

    Args:
        ledger: Ledger to append to.
        state: Folder `.hallmark`.
        kind: Kind of the records to deliver; None for all.

    Raises:
        Refused: The ledger refused a record, for example because it is too long; the others are delivered.
        Unavailable: The ledger cannot be reached, or a file is temporarily unreadable.
    """
    delivered, refused, known = 0, list[Refused](), _EntriesSoFar(ledger)
    for path in sorted((state / OUTBOX_FOLDER).glob("*.json")):
        record = _read_record(path)
        if record is None or kind not in (None, record.kind):
            continue
        try:
            is_new, enough = _deliver(record, path.stem, ledger, known)
        except Refused as error:
            refused.append(error)
            continue
        if enough:
            with suppress(OSError):  # on a read-only disk the file stays, and is known at the next delivery
                path.unlink(missing_ok=True)
        delivered += is_new
    if refused:
        raise refused[0]
    return delivered


def _deliver(record: _StoredRecord, name: str, ledger: Ledger, known: "_EntriesSoFar") -> tuple[bool, bool]:
    """Append a record unless the ledger has it.

    Returns:
        Whether the record was appended, and whether its file is no longer needed.
    """
    body = record.body | {"kept": name, "happened": record.happened}
    with ledger.transaction():
        is_new = not known.has_body(record.kind, record.subject, body)
        if is_new:
            ledger.append(record.kind, record.subject, body)
        return is_new, record.until is None or _has_entry(ledger, record.until)


class _EntriesSoFar:
    """Ledger entries by kind and subject. Each call reads only those that were appended since the last one."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._bodies = defaultdict[tuple[str, str], dict[str, list[dict[str, Any]]]](lambda: defaultdict(list))
        self._last = defaultdict[tuple[str, str], int](int)

    def has_body(self, kind: str, subject: str, body: dict[str, Any]) -> bool:
        place = kind, subject
        for entry in self._ledger.entries(kind, subject, after=self._last[place]):
            self._bodies[place][str(entry.body.get("kept"))].append(entry.body)
            self._last[place] = entry.seq
        return body in self._bodies[place][str(body.get("kept"))]


def has_records(state: Path) -> bool:
    return any((state / OUTBOX_FOLDER).glob("*.json"))


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
        with suppress(OSError):  # another process has renamed it, or the disk is read-only
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
