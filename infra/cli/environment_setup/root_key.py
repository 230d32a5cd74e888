"""Root key of an environment: a private key in a file outside of the checkout, which only the first adoption needs."""

import os
from pathlib import Path

from infra.cli import shared
from tasks.core.errors import InputError
from tasks.policy import adoption_entries
from tasks.policy.adoption_entries import ROOT_KEY_NAME, ROOT_VARIABLE
from tasks.trust import keys, signing_keys
from tasks.trust.keys import Signer


def require_usable_path(path: Path, checkout: Path) -> None:
    """Check that a root key can be at a path, or can be made there.

    Raises:
        InputError: The path is in the checkout, is that of a public key or of a folder, or its folder does not exist.
    """
    target = path.expanduser().resolve()
    if target.is_relative_to(checkout.resolve()):
        raise InputError(
            f"{path} is in this checkout, where whoever works here could sign with it; name a path elsewhere, such as "
            "/media/safe/root on a disk that you take away afterwards"
        )
    if target.suffix == ".pub":
        raise InputError(f"{path} is named like a public key; give the path of the private root key")
    if target.is_dir():
        raise InputError(f"{path} is a folder; name a file in it, such as {path / ROOT_KEY_NAME}")
    if not target.parent.is_dir():
        raise InputError(f"{target.parent} is not there; mount that disk or make the folder, then repeat the command")


def create_or_open(path: Path, state: Path) -> tuple[Signer, bool]:
    """Return the signer of the root key, and whether the key was made. A missing key is made with mode 0600.

    Args:
        path: File of the private key.
        state: Folder .hallmark, which may name the root key that is trusted here.

    Raises:
        InputError: The key cannot be read or made, or another one is trusted here.
    """
    trusted = _trusted_here(state)
    made = not path.exists()
    if made and trusted:
        where, fingerprint = trusted
        raise InputError(f"{path} is not there, and {where} names root key {fingerprint}; give the path of that key")
    if made:
        with shared.writable_path(path, None):
            keys.create_key_pair(path.parent, path.name)
    signer = signing_keys.signer_from_file(path)
    mark = keys.fingerprint(signer.public_line)
    if trusted and trusted[1] != mark:
        raise InputError(
            f"the root key given is {mark}, and {trusted[0]} names {trusted[1]}; give the key that is trusted here, or "
            "begin in another clone"
        )
    return signer, made


def _trusted_here(state: Path) -> tuple[str, str] | None:
    """Return where this machine names the root key that it trusts, and its fingerprint; None if it names none."""
    public = state / "keys" / f"{ROOT_KEY_NAME}.pub"
    if not public.exists() and not os.environ.get(ROOT_VARIABLE, "").strip():
        return None
    return str(public) if public.exists() else ROOT_VARIABLE, adoption_entries.root_fingerprint(state)
