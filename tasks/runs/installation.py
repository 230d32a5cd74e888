"""Which checkout this is, where several share a Prefect server or a ledger. A copied checkout is another one.

`.hallmark/installation.json` names it, and says where it was when it was named: a copy lies in another place. One that
was moved is still itself, as the folder is.
"""

import secrets
from pathlib import Path

from pydantic import ValidationError

from tasks.core import files
from tasks.core.config import Frozen
from tasks.core.errors import InputError

MACHINE_ID = Path("/etc/machine-id")
"""What systemd and D-Bus know a machine by: a copy on another machine may lie under the same path."""


class Installation(Frozen):
    """.hallmark/installation.json"""

    id: str
    """Eight hexadecimal digits, made once."""
    machine: str
    """MACHINE_ID; empty where there is none."""
    root: str
    device: int
    inode: int
    """Of the checkout's folder; a move keeps both, a copy has others."""

    def is_at(self, here: "Installation") -> bool:
        """Whether the checkout that `here` describes is this one."""
        same = self.root == here.root or (self.device, self.inode) == (here.device, here.inode)
        return same and self.machine == here.machine


def of(root: Path) -> str:
    """The id of a checkout; of a new or copied one, it is made now. Raises InputError where its file is damaged."""
    path, here = root / ".hallmark" / "installation.json", _here(root)
    known = _read(path) if path.exists() else None
    if known is None:
        files.write_new(path, _text(here))  # of two commands at once one makes it
        return of(root)
    if not known.is_at(here):
        files.write_bytes(path, _text(here), mode=0o600)
        return here.id
    if known.root != here.root:
        files.write_bytes(path, _text(here.model_copy(update={"id": known.id})), mode=0o600)
    return known.id


def _read(path: Path) -> Installation:
    try:
        return Installation.model_validate_json(path.read_bytes())
    except ValidationError:
        raise InputError(
            f"{path}: cannot be read as what this checkout is known by; delete it, and it gets a new id. Runs that are "
            "parked then go on by `hallmark run --resume RUN`"
        ) from None


def _here(root: Path) -> Installation:
    place = root.resolve().stat()
    return Installation(
        id=secrets.token_hex(4),
        machine=MACHINE_ID.read_text().strip() if MACHINE_ID.exists() else "",
        root=str(root.resolve()),
        device=place.st_dev,
        inode=place.st_ino,
    )


def _text(named: Installation) -> bytes:
    return named.model_dump_json(indent=2).encode()
