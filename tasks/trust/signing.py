"""Which key signs for somebody: a file, with a passphrase or without, or a running ssh-agent.

A person's is looked for in this order: `.hallmark/keys/ID`, the file that HALLMARK_KEY names, the ssh-agent. A file
that wants a passphrase is left alone where the agent has its key, so that scripts can sign too; a key in hardware signs
through the agent alone, its file is a handle.
"""

import getpass
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from tasks.core.errors import InputError, Unavailable
from tasks.trust import hardware, keys, ssh_agent
from tasks.trust.keys import InHardware, Signer, WantsPassphrase, WrongPassphrase

VARIABLE = "HALLMARK_KEY"
"""Environment variable: path of the private key that a person signs with, where none is in `.hallmark/keys`."""
TRIES = 3


def of_person(path: Path, lines: Sequence[str]) -> Signer | None:
    """Whose public key lines count now are `lines`; None where no key is at hand. Raises as `from_file` and
    `ssh_agent.lines`."""
    if path.exists():
        return from_file(path, lines)
    if named := os.environ.get(VARIABLE):
        return from_file(Path(named).expanduser(), lines)
    return from_agent(lines) if ssh_agent.running() else None


def of_machine(path: Path) -> Signer:
    """Read the key of a machine. It has no passphrase: nobody is there to type it, and others wait for the ledger.

    Raises InputError as `keys.load_private`, and for a key with a passphrase.
    """
    try:
        return keys.signer(keys.load_private(path))
    except WantsPassphrase as error:
        raise InputError(
            f"{error}, and a machine signs with nobody there to type it; take it off: `ssh-keygen -p -f {path}`"
        ) from None


def from_agent(lines: Sequence[str]) -> Signer | None:
    """The agent, for the first of the keys that it has, one in hardware before others."""
    wanted = {keys.fingerprint(line) for line in lines}
    held = sorted(ssh_agent.lines(), key=lambda line: not hardware.is_line(line))
    return next((ssh_agent.signer(line) for line in held if keys.fingerprint(line) in wanted), None)


def from_file(path: Path, lines: Sequence[str] = ()) -> Signer:
    """The key of a file. Raises InputError as `keys.load_private`, where there is no terminal to ask for a passphrase
    at, and after three wrong ones."""
    try:
        return keys.signer(keys.load_private(path))
    except InHardware:
        if signer := _by_the_agent(lines):
            return signer
        raise
    except WantsPassphrase:
        return _by_the_agent(lines) or _asked(path)


def _by_the_agent(lines: Sequence[str]) -> Signer | None:
    try:
        return from_agent(lines) if ssh_agent.running() else None
    except Unavailable:
        return None


def _asked(path: Path) -> Signer:
    if not sys.stdin.isatty():
        raise InputError(
            f"{path}: this key wants a passphrase, which is asked for at a terminal alone; in a script let an "
            f"ssh-agent sign: `ssh-add {path}`"
        )
    for left in reversed(range(TRIES)):
        try:
            return keys.signer(keys.load_private(path, passphrase(path)))
        except WrongPassphrase as error:
            if not left:
                raise
            print(f"hallmark: {error}", file=sys.stderr)
    raise AssertionError("unreachable")


def passphrase(path: Path, again: bool = False) -> bytes:
    """A passphrase, asked for at the terminal. Raises InputError where none comes, or not the same `again`."""
    try:
        said = getpass.getpass(f"passphrase of {path}: ")
        if again and (not said or getpass.getpass("once more: ") != said):
            raise InputError("the two passphrases are empty or not the same; nothing was made")
    except (EOFError, KeyboardInterrupt):
        raise InputError(f"{path}: no passphrase was given") from None
    return said.encode()
