"""Whose signatures count in a release, and from what that follows."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tasks.errors import InputError, Refused
from tasks.govern import keys
from tasks.govern.validity import Key
from tasks.registry import bundle, contents
from tasks.registry.report import Check


@dataclass(frozen=True)
class Trust:
    gate: tuple[Key, ...]
    """Of the installation that asks gates and promotes."""
    root: str
    """Fingerprint of the key that they follow from."""
    checks: tuple[Check, ...]


def own(gate: Sequence[Key]) -> Trust:
    """An installation trusts its own keys."""
    root = ", ".join(key.fingerprint for key in gate)
    check = Check(about="root of trust", state="ok", text=f"this installation's own gate key, {root}")
    return Trust(tuple(gate), root, (check,))


def from_root(folder: Path, root: str) -> Trust:
    """The gate's key, as the release tells it, if it follows from `root`. Raises Refused where it doesn't."""
    line = contents.read_one(folder, bundle.GATE_KEY).decode("utf-8", "replace").strip()
    try:
        found = keys.fingerprint(line)
    except InputError as error:
        raise Refused(f"{bundle.GATE_KEY} is no public key: {error}") from None
    if found != root:
        raise Refused(f"the release was promoted under the key {found}, and the root of trust is {root}")
    check = Check(about="root of trust", state="ok", text=f"the gate's key in the release is {root}, as was told")
    return Trust((Key(public_key=line),), root, (check,))
