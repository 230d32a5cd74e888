"""Root key that this machine trusts: HALLMARK_ROOT_FINGERPRINT, or else the key in `.hallmark/keys/root.pub`."""

import os
from contextlib import suppress
from pathlib import Path

from tasks.core.errors import HallmarkError, InputError, Refused
from tasks.core.files import write_bytes
from tasks.ledger.ledger import Ledger
from tasks.policy import adoption
from tasks.policy.adoption_entries import ADOPTED, envelope_of
from tasks.trust import keys

ROOT_KEY_NAME = "root"


ROOT_VARIABLE = "HALLMARK_ROOT_FINGERPRINT"
"""Environment variable with the fingerprint of the root key. People must receive it by a separate channel."""


def root_fingerprint(state: Path) -> str:
    """Return the fingerprint of the root key that this machine trusts.

    Raises:
        InputError: The machine has no root key, or the key on disk differs from HALLMARK_ROOT_FINGERPRINT.
    """
    pinned, path = os.environ.get(ROOT_VARIABLE, "").strip(), state / "keys" / f"{ROOT_KEY_NAME}.pub"
    on_disk = _fingerprint_of(path) if path.exists() else ""
    if pinned and on_disk and pinned != on_disk:
        raise InputError(
            f"{path} is root key {on_disk}, and {ROOT_VARIABLE} says {pinned}; put the right key there, or find out "
            "who replaced it"
        )
    if not (pinned or on_disk):
        raise InputError(
            f"whose policy is in force here? Nothing says: run `hallmark init`, or set {ROOT_VARIABLE} to the "
            "fingerprint of the root key"
        )
    return pinned or on_disk


def _fingerprint_of(path: Path) -> str:
    try:
        return keys.fingerprint(path.read_text("utf-8").strip())
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path}: expected the line of a public key ({error}); put the root key's own there, or delete it where "
            f"{ROOT_VARIABLE} says whom to trust"
        ) from None


def store_root_key(state: Path, public_line: str) -> None:
    """Store the root key that this machine trusts.

    Raises:
        InputError: The machine already trusts another root key.
    """
    path = state / "keys" / f"{ROOT_KEY_NAME}.pub"
    if not path.exists():
        write_bytes(path, f"{public_line}\n".encode())
    trusted, given = root_fingerprint(state), keys.fingerprint(public_line)
    if trusted != given:
        raise InputError(f"the root key given is {given}, and what is trusted here is {trusted}")


def require_trusted_root(ledger: Ledger, state: Path, command: str = "hallmark init") -> None:
    """Verify that the ledger has no adoptions, or at least one under the root key that this machine trusts.

    Otherwise this checkout would establish a second root of trust in a ledger that others share.

    Args:
        ledger: Ledger to search for adoptions.
        state: Folder `.hallmark`.
        command: Command that begins a second root of trust if `--new-root` is added to it, for the error message.

    Raises:
        Refused: All adoptions of the ledger are under other root keys.
    """
    there = root_fingerprints(ledger)
    pinned = os.environ.get(ROOT_VARIABLE) or (state / "keys" / f"{ROOT_KEY_NAME}.pub").exists()
    trusted = root_fingerprint(state) if pinned else ""
    if not there or trusted in there:
        return
    known = " or ".join(there)
    raise Refused(
        f"this ledger was begun under another root key than is trusted here: {ledger.url} has adoptions under {known}, "
        f"and this checkout trusts {trusted or 'none yet'}. Ask its owner for the fingerprint by another way and set "
        f"{ROOT_VARIABLE} to it, or put the owner's {ROOT_KEY_NAME}.pub into {state / 'keys'}. Only to begin a second "
        f"root of trust on this ledger, under which nothing that others adopted counts: {command} --new-root"
    )


def root_fingerprints(ledger: Ledger) -> list[str]:
    """Return the fingerprints of the root keys that adoptions in the ledger name, without verifying signatures."""
    fingerprints = dict[str, None]()
    for entry in ledger.readable_entries(ADOPTED):
        with suppress(HallmarkError):
            fingerprints[keys.fingerprint(adoption.read_adoption(envelope_of(entry.body)).root)] = None
    return list(fingerprints)


def create_root_key(state: Path) -> None:
    if not os.environ.get(ROOT_VARIABLE) and not (state / "keys" / f"{ROOT_KEY_NAME}.pub").exists():
        keys.create_key_pair(state / "keys", ROOT_KEY_NAME)
