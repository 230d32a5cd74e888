"""Root key of an environment: a private key in a file outside of the checkout, which only the first adoption needs."""

import os
import stat
from pathlib import Path

from infra.cli import shared
from tasks.core.errors import InputError
from tasks.policy import root_of_trust
from tasks.policy.root_of_trust import ROOT_KEY_NAME, ROOT_VARIABLE
from tasks.runs.checkout import Checkout
from tasks.trust import keys, signing_keys
from tasks.trust.keys import Signer


def expanded(path: Path) -> Path:
    """Return a path with the home folder in place of `~`.

    Raises:
        InputError: There is no such user.
    """
    try:
        return path.expanduser()
    except RuntimeError:
        raise InputError(f"{path}: there is no such user; write the whole path") from None


def require_usable_path(path: Path, here: Checkout) -> None:
    """Check that a path can be used for a root key, existing or new.

    Raises:
        InputError: The path is in the checkout, its state or its git repository, names a public key, a folder or a loop
            of links, or its folder does not exist.
    """
    try:
        target = expanded(path).resolve()
    except RuntimeError:  # raised for a loop of symbolic links before Python 3.13
        raise InputError(f"{path} is a loop of links; name a file") from None
    shared_git = here.root / here.repository.run_git("rev-parse", "--git-common-dir").strip()
    if any(target.is_relative_to(folder.resolve()) for folder in (here.root, here.state, shared_git)):
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
    trusted = _trusted_root_key(state)
    made = not path.exists()
    if made and trusted:
        where, fingerprint = trusted
        raise InputError(f"{path} is not there, and {where} names root key {fingerprint}; give the path of that key")
    if made:
        _make_key(path)
    _require_own_file(path)
    signer = signing_keys.signer_from_key_pair(path)
    mark = keys.fingerprint(signer.public_line)
    if trusted and trusted[1] != mark:
        raise InputError(
            f"the root key given is {mark}, and {trusted[0]} names {trusted[1]}; give the key that is trusted here, or "
            "begin in another clone"
        )
    return signer, made


def _make_key(path: Path) -> None:
    with shared.writable_path(path, None):
        try:
            keys.create_key_pair(path.parent, path.name)
        except InputError:
            if not path.exists() or not path.stat().st_mode & 0o077:
                raise
            path.unlink()
            raise InputError(
                f"{path.parent}: this file system keeps neither owner nor mode of files, so others could read the key; "
                "name a path on another one, such as ext4, or mount this one with umask=077"
            ) from None


def _require_own_file(path: Path) -> None:
    """Check that the user owns the private key, and warn if others could replace it.

    Raises:
        InputError: Another user owns the file.
    """
    try:
        found, folder = path.stat(), path.parent.stat()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); give the path of a private key") from None
    if found.st_uid != os.geteuid():
        raise InputError(f"{path} belongs to user {found.st_uid}, who has the key too; name a root key of your own")
    if folder.st_mode & 0o022 and not folder.st_mode & stat.S_ISVTX:
        shared.console.print(f"warning: others may write to {path.parent}, and could replace the root key")


def _trusted_root_key(state: Path) -> tuple[str, str] | None:
    """Return the file or variable that names the trusted root key, and the fingerprint of that key; None if none."""
    public = state / "keys" / f"{ROOT_KEY_NAME}.pub"
    if not public.exists() and not os.environ.get(ROOT_VARIABLE, "").strip():
        return None
    return str(public) if public.exists() else ROOT_VARIABLE, root_of_trust.root_fingerprint(state)
