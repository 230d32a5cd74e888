"""Records of what was served, which must not be lost where the ledger is away: kept in files, and delivered later.

Serving must not stop with the ledger, so what was admitted before may go on before that is recorded. It is the one
place where something does.
"""

import json
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tasks import files
from tasks.errors import Unavailable
from tasks.govern.ledger.ledger import Ledger

FOLDER = "undelivered"
"""Below `.hallmark/`."""


def record(ledger: Ledger, state: Path, kind: str, subject: str, body: dict[str, Any]) -> None:
    """Put a record on the ledger, after those kept before it; where the ledger is away, keep it."""
    try:
        deliver(ledger, state)
        ledger.append(kind, subject, body)
    except Unavailable:
        kept = {"kind": kind, "subject": subject, "body": body, "happened": datetime.now(UTC).isoformat()}
        # The name sorts by time; two processes never make the same one.
        name = f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{uuid.uuid4().hex}.json"
        files.write_json(state / FOLDER / name, kept)


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
        path.unlink(missing_ok=True)
        delivered += not known
    return delivered
