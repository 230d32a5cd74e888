"""Id of a checkout, which distinguishes checkouts that share a Prefect server or a ledger.

`.hallmark/installation.json` holds the id, the machine, and the path and inode of the checkout's folder. A copied
checkout has another inode and gets a new id. A moved checkout keeps its id.
"""

import secrets
from pathlib import Path

from pydantic import ValidationError

from tasks.core import files
from tasks.core.documents.config import FrozenModel
from tasks.core.errors import InputError

MACHINE_ID_FILE = Path("/etc/machine-id")
"""File with the machine id of systemd and D-Bus. It distinguishes copies that have the same path on different
machines."""


class Installation(FrozenModel):
    """Content of .hallmark/installation.json."""

    id: str
    """Eight random hexadecimal digits."""
    machine: str
    """Content of /etc/machine-id; empty if the file does not exist."""
    root: str
    device: int
    inode: int
    """Inode of the checkout's folder. A moved folder keeps its device and inode; a copy has different ones."""

    def is_same_checkout(self, here: "Installation") -> bool:
        same = self.root == here.root or (self.device, self.inode) == (here.device, here.inode)
        return same and self.machine == here.machine


def installation_id(root: Path) -> str:
    """Return the id of a checkout. A new or copied checkout gets its id on the first call.

    Raises:
        InputError: The file with the id is damaged.
    """
    path, here = root / ".hallmark" / "installation.json", _new_installation(root)
    known = _read_installation(path) if path.exists() else None
    if known is None:
        files.create_private_file(path, _to_json(here))  # of two simultaneous commands one succeeds
        return installation_id(root)
    if not known.is_same_checkout(here):
        files.write_bytes(path, _to_json(here), mode=0o600)
        return here.id
    if known.root != here.root:
        files.write_bytes(path, _to_json(here.model_copy(update={"id": known.id})), mode=0o600)
    return known.id


def _read_installation(path: Path) -> Installation:
    try:
        return Installation.model_validate_json(path.read_bytes())
    except ValidationError:
        raise InputError(
            f"{path}: cannot be read as what this checkout is known by; delete it, and it gets a new id. Runs that are "
            "suspended then go on by `hallmark run --resume RUN`"
        ) from None


def _new_installation(root: Path) -> Installation:
    place = root.resolve().stat()
    return Installation(
        id=secrets.token_hex(4),
        machine=MACHINE_ID_FILE.read_text().strip() if MACHINE_ID_FILE.exists() else "",
        root=str(root.resolve()),
        device=place.st_dev,
        inode=place.st_ino,
    )


def _to_json(named: Installation) -> bytes:
    return named.model_dump_json(indent=2).encode()
