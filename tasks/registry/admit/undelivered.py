"""Records of what was served, which must not be lost where the ledger is away: kept in files, and delivered later.

Serving must not stop with the ledger, so what was admitted before may go on before that is recorded. It is the one
place where something does.
"""

import uuid
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from tasks.core import files
from tasks.core.config import Frozen
from tasks.core.errors import Unavailable
from tasks.ledger.ledger import Ledger
from tasks.trust import dsse

FOLDER = "undelivered"
"""Below `.hallmark/`."""
UNREADABLE = ".unreadable"
"""How the name of a file ends that holds no record: it is set aside, so that it keeps no other from the ledger."""


class Until(NamedTuple):
    """An entry by which a ledger shows that it is the one to deliver to at last."""

    kind: str
    subject: str
    envelope: str
    """`dsse.digest` of the envelope that it holds."""


class _Kept(Frozen):
    kind: str
    subject: str
    body: dict[str, Any]
    happened: str
    until: Until | None = None


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
    """Put what was kept on the ledger, oldest first, each once, and return how many; what cannot be read, a file that
    was torn, say, is set aside.

    Raises Unavailable where the ledger is away.
    """
    delivered = 0
    for path in sorted((state / FOLDER).glob("*.json")):
        kept = _read(path)
        if kept is None:
            continue
        with ledger.transaction():
            known = any(entry.body.get("kept") == path.stem for entry in ledger.entries(kept.kind, kept.subject))
            if not known:
                ledger.append(kept.kind, kept.subject, kept.body | {"kept": path.stem, "happened": kept.happened})
            enough = kept.until is None or _has(ledger, kept.until)
        if enough:
            path.unlink(missing_ok=True)
        delivered += not known
    return delivered


def set_aside(state: Path) -> list[str]:
    """What was set aside and is still there, in words."""
    return [
        f"{path} should hold a record of what was served, and cannot be read; put it right and name it "
        f"{path.stem}.json, which has it delivered, or move it away"
        for path in sorted((state / FOLDER).glob(f"*{UNREADABLE}"))
    ]


def _read(path: Path) -> _Kept | None:
    """None where another process has delivered it, or it holds no record and is set aside."""
    try:
        kept = _Kept.model_validate_json(path.read_bytes())
        files.canonical_json(kept.body)  # which is how the ledger spells it
        return kept
    except FileNotFoundError:
        return None
    except (ValidationError, ValueError, IsADirectoryError, PermissionError):
        with suppress(FileNotFoundError):  # another process was faster
            path.rename(_free(path.with_suffix(UNREADABLE)))
        return None
    except OSError as error:
        raise Unavailable(f"{path} cannot be read now: {error}; it is delivered once it can") from error


def _free(path: Path) -> Path:
    """A name that nothing has yet, so that nothing set aside before is lost."""
    return path.with_stem(f"{path.stem}-{uuid.uuid4().hex}") if path.exists() else path


def _has(ledger: Ledger, wanted: Until) -> bool:
    held = (entry.body.get("envelope") for entry in ledger.entries(wanted.kind, wanted.subject))
    return any(isinstance(each, dict) and dsse.digest(each) == wanted.envelope for each in held)
