"""Choice of the key that signs for a person or machine: a file, with or without a passphrase, or the ssh-agent.

The key of a person is searched for in this order: `.hallmark/keys/ID`, the file that HALLMARK_KEY names, the ssh-agent.
If the file is encrypted and the agent has its key, the agent signs, so that scripts need no passphrase. A hardware key
signs only through the agent, because its file is only a handle.
"""

import getpass
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from tasks.core.errors import InputError, Unavailable
from tasks.trust import hardware_key, keys, ssh_agent
from tasks.trust.keys import KeyInHardware, PassphraseRequired, Signer, WrongPassphrase

KEY_VARIABLE = "HALLMARK_KEY"
"""Environment variable with the path of a person's private key, which is used if `.hallmark/keys` has no key for the
person."""
MAX_PASSPHRASE_ATTEMPTS = 3


def for_person(path: Path, lines: Sequence[str]) -> Signer | None:
    """Return the signer for a person, or None if no key is available.

    Args:
        path: File `.hallmark/keys/ID`, which may not exist.
        lines: Public key lines of the person that are valid now.

    Raises:
        InputError: The key file cannot be used; see `from_file`.
        Unavailable: The ssh-agent does not respond.
    """
    if path.exists():
        return from_file(path, lines)
    if named := os.environ.get(KEY_VARIABLE):
        return from_file(Path(named).expanduser(), lines)
    return from_agent(lines) if ssh_agent.is_running() else None


def for_machine(path: Path) -> Signer:
    """Return the signer for a machine. Its key must have no passphrase, because no person is there to enter one.

    Raises:
        InputError: The key file cannot be used or has a passphrase; see `keys.load_private`.
    """
    try:
        return keys.signer_of(keys.load_private(path))
    except PassphraseRequired as error:
        raise InputError(
            f"{error}, and a machine signs with nobody there to type it; take it off: `ssh-keygen -p -f {path}`"
        ) from None


def from_agent(lines: Sequence[str]) -> Signer | None:
    """Return a signer for one of these keys in the ssh-agent, hardware keys first, or None if it has none of them."""
    wanted = {keys.fingerprint(line) for line in lines}
    held = sorted(ssh_agent.public_lines(), key=lambda line: not hardware_key.is_public_line(line))
    return next((ssh_agent.signer(line) for line in held if keys.fingerprint(line) in wanted), None)


def from_file(path: Path, lines: Sequence[str] = ()) -> Signer:
    """Return the signer for a key file, and ask for its passphrase if necessary.

    Args:
        path: Private key file.
        lines: Public key lines of keys in the ssh-agent that can sign instead if the file is encrypted or only a
            handle.

    Raises:
        InputError: The file cannot be used (see `keys.load_private`), there is no terminal to ask for the passphrase,
            or a wrong passphrase was entered three times.
    """
    try:
        return keys.signer_of(keys.load_private(path))
    except KeyInHardware:
        if signer := _agent_signer(lines):
            return signer
        raise
    except PassphraseRequired:
        return _agent_signer(lines) or _signer_with_passphrase(path)


def _agent_signer(lines: Sequence[str]) -> Signer | None:
    try:
        return from_agent(lines) if ssh_agent.is_running() else None
    except Unavailable:
        return None


def _signer_with_passphrase(path: Path) -> Signer:
    if not sys.stdin.isatty():
        raise InputError(
            f"{path}: this key wants a passphrase, which is asked for at a terminal alone; in a script let an "
            f"ssh-agent sign: `ssh-add {path}`"
        )
    for left in reversed(range(MAX_PASSPHRASE_ATTEMPTS)):
        try:
            return keys.signer_of(keys.load_private(path, ask_passphrase(path)))
        except WrongPassphrase as error:
            if not left:
                raise
            print(f"hallmark: {error}", file=sys.stderr)
    raise AssertionError("unreachable")


def ask_passphrase(path: Path, again: bool = False) -> bytes:
    """Ask for a passphrase at the terminal.

    Args:
        path: Private key file, for the prompt.
        again: Whether the passphrase has to be entered twice, for a new key.

    Raises:
        InputError: No passphrase was entered, or the two entries differ.
    """
    try:
        said = getpass.getpass(f"passphrase of {path}: ")
        if again and (not said or getpass.getpass("once more: ") != said):
            raise InputError("the two passphrases are empty or not the same; nothing was made")
    except (EOFError, KeyboardInterrupt):
        raise InputError(f"{path}: no passphrase was given") from None
    return said.encode()
