"""Records of what was served, which must not be lost where the ledger is away: kept in files, and delivered later.

Serving must not stop with the ledger, so what was admitted before may go on before that is recorded. It is the one
place where something does.
"""

import json
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from tasks import files
from tasks.errors import Unavailable
from tasks.govern import dsse
from tasks.govern.ledger.ledger import Ledger

FOLDER = "undelivered"
"""Below `.hallmark/`."""


class Until(NamedTuple):
    """An entry by which a ledger shows that it is the one to deliver to at last."""

    kind: str
    subject: str
    envelope: str
    """`dsse.digest` of the envelope that it holds."""


def record(ledger: Ledger, state: Path, kind: str, subject: str, body: dict[str, Any]) -> None:
    """Put a record on the ledger, after those kept before it; where the ledger is away, keep it."""
    try:
        deliver(ledger, state)
        ledger.append(kind, subject, body)
    except Unavailable:
        # The name sorts by time; two processes never make the same one.
        keep(state, f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{uuid.uuid4().hex}", kind, subject, body)


def keep(state: Path, name: str, kind: str, subject: str, body: dict[str, Any], until: Until | None = None) -> None:
    """Keep a record under a name of its own, once; with `until` it is delivered to every ledger that lacks that entry,
    and last to one that has it."""
    path = state / FOLDER / f"{name}.json"
    if not path.exists():
        kept = {"kind": kind, "subject": subject, "body": body, "happened": datetime.now(UTC).isoformat()}
        files.write_json(path, kept | ({"until": list(until)} if until else {}))


def deliver(ledger: Ledger, state: Path) -> int:
    """Put what was kept on the ledger, oldest first, each once, and return how many.

    Raises Unavailable where the ledger is away.
    """
    delivered = 0
    for path in sorted((state / FOLDER).glob("*.json")):
        try:
            kept = json.loads(path.read_bytes())
        except FileNotFoundError:
            continue  # another process delivered it
        with ledger.transaction():
            known = any(entry.body.get("kept") == path.stem for entry in ledger.entries(kept["kind"], kept["subject"]))
            if not known:
                late = {"kept": path.stem, "happened": kept["happened"]}
                ledger.append(kept["kind"], kept["subject"], kept["body"] | late)
            enough = "until" not in kept or _has(ledger, Until(*kept["until"]))
        if enough:
            path.unlink(missing_ok=True)
        delivered += not known
    return delivered


def _has(ledger: Ledger, wanted: Until) -> bool:
    held = (entry.body.get("envelope") for entry in ledger.entries(wanted.kind, wanted.subject))
    return any(isinstance(each, dict) and dsse.digest(each) == wanted.envelope for each in held)
