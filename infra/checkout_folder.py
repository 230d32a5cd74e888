"""Folder of a checkout: how it is found from a folder inside it, and the permissions of its state."""

import os
from collections.abc import Callable
from pathlib import Path

from tasks.core.errors import InputError
from tasks.core.files import STATE_UMASK
from tasks.core.formatting import format_path

CHECKOUT_FILES = ("dvc.yaml", "params.yaml")


def find_checkout_root(start: Path, say: Callable[[str], None]) -> Path:
    """Return the nearest folder that contains dvc.yaml and params.yaml. The search starts at `start` and goes upwards.

    Earlier versions of Hallmark let other users access the checkout's `.hallmark` folder. These permissions are
    removed, and `say` is called with a notice about it.

    Raises:
        InputError: No such folder exists, `start` cannot be resolved, or `.hallmark` is not a folder or belongs to
            another user.
    """
    try:
        here = start.resolve()
        found = [each for each in (here, *here.parents) if all((each / name).exists() for name in CHECKOUT_FILES)]
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of symbolic links before Python 3.13
        why = getattr(error, "strerror", None) or error
        raise InputError(f"{format_path(start)}: this folder cannot be used ({why}); go to your clone") from None
    if not found:
        raise InputError(
            f"{here} is not inside a Hallmark project (no dvc.yaml and params.yaml); go to your clone of it"
        )
    make_private(_state_folder(found[0]), say)
    return found[0]


def _state_folder(checkout: Path) -> Path:
    state = checkout / ".hallmark"
    if not state.is_dir() and (state.exists() or state.is_symlink()):
        raise InputError(f"{state}: expected a folder, or nothing yet; move away what is there")
    return state


def make_private(state: Path, say: Callable[[str], None]) -> None:
    """Remove other users' permissions on the state folder.

    Raises:
        InputError: The folder belongs to another user, who could therefore replace its keys and its ledger.
    """
    if not state.is_dir():
        return
    if state.stat().st_uid != os.getuid():
        raise InputError(f"{state} belongs to another user ({state.stat().st_uid}); work as that user, or chown -R it")
    if state.stat().st_mode & STATE_UMASK:
        state.chmod(0o700)
        say(f"others could enter {state}; it is for its owner alone now (mode 0700)")
