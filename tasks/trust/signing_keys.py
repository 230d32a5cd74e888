"""Choice of the key that signs for a person or machine: a file, with or without a passphrase, or the ssh-agent.

The key of a person is searched for in this order: `.hallmark/keys/ID`, the file that HALLMARK_KEY names, the ssh-agent.
If the file is encrypted and the agent has its key, the agent signs, so that scripts need no passphrase. A hardware key
signs only through the agent, because its file contains only a handle.
"""

import getpass
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from tasks.core.errors import InputError, Unavailable
from tasks.core.files import read_bounded
from tasks.trust import hardware_key, keys, ssh_agent
from tasks.trust.keys import KeyInHardware, PassphraseRequired, Signer, WrongPassphrase

KEY_VARIABLE = "HALLMARK_KEY"
"""Environment variable with the path of a person's private key. It is used if `.hallmark/keys` has no key for the
person."""
MAX_PASSPHRASE_ATTEMPTS = 3
MAX_PUBLIC_KEY_BYTES = 1 << 16


def for_person(path: Path, lines: Sequence[str]) -> Signer | None:
    """Return the signer for a person, or None if no key is available.

    Args:
        path: File `.hallmark/keys/ID`, which may not exist.
        lines: The person's public key lines that are valid now.

    Raises:
        InputError: The key file cannot be used; see `signer_from_file`.
        Unavailable: The ssh-agent does not respond.
    """
    if path.exists():
        return signer_from_file(path, lines)
    if named := os.environ.get(KEY_VARIABLE):
        return signer_from_file(Path(named).expanduser(), lines)
    return signer_from_agent(lines) if ssh_agent.is_running() else None


def signer_for_machine(path: Path) -> Signer:
    """Return the signer for a machine. Its key must have no passphrase, because no person is there to enter one.

    Raises:
        InputError: The key file cannot be used or has a passphrase; see `keys.load_private_key`.
    """
    try:
        return keys.make_signer(keys.load_private_key(path))
    except PassphraseRequired as error:
        raise InputError(
            f"{error}, and a machine signs with nobody there to type it; take it off: `ssh-keygen -p -f {path}`"
        ) from None


def signer_from_agent(lines: Sequence[str]) -> Signer | None:
    """Return a signer for one of the given keys that the ssh-agent has, or None if it has none of them.

    Hardware keys are preferred.
    """
    wanted = {keys.fingerprint(line) for line in lines}
    held = sorted(ssh_agent.list_public_lines(), key=lambda line: not hardware_key.is_hardware_key_line(line))
    return next((ssh_agent.make_agent_signer(line) for line in held if keys.fingerprint(line) in wanted), None)


def signer_from_file(path: Path, lines: Sequence[str] = ()) -> Signer:
    """Return the signer for a key file, and ask for its passphrase if necessary.

    Args:
        path: Private key file.
        lines: Public key lines of keys in the ssh-agent that may sign instead, if the file is encrypted or contains
            only a handle.

    Raises:
        InputError: The file cannot be used (see `keys.load_private_key`), there is no terminal to ask for the
            passphrase, or a wrong passphrase was entered three times.
    """
    try:
        return keys.make_signer(keys.load_private_key(path))
    except KeyInHardware:
        if signer := _agent_signer(lines):
            return signer
        raise
    except PassphraseRequired:
        return _agent_signer(lines) or _signer_with_passphrase(path)


def signer_from_key_pair(path: Path) -> Signer:
    """Return the signer for a private key file. If its public half lies beside it, the ssh-agent may sign instead.

    Raises:
        InputError: The file cannot be used; see `signer_from_file`.
    """
    try:
        line = read_bounded(path.with_name(f"{path.name}.pub"), MAX_PUBLIC_KEY_BYTES).decode().strip()
        keys.fingerprint(line)
    except (OSError, ValueError, InputError):  # without the public half only the file itself can sign
        return signer_from_file(path)
    return signer_from_file(path, [line])


def _agent_signer(lines: Sequence[str]) -> Signer | None:
    try:
        return signer_from_agent(lines) if ssh_agent.is_running() else None
    except Unavailable:
        return None


def _signer_with_passphrase(path: Path) -> Signer:
    if not sys.stdin.isatty():
        raise InputError(
            f"{path}: this key wants a passphrase, which is asked for at a terminal alone; in a script let an "
            f"ssh-agent sign: `ssh-add {path}`, with {path.name}.pub beside it"
        )
    for left in reversed(range(MAX_PASSPHRASE_ATTEMPTS)):
        try:
            return keys.make_signer(keys.load_private_key(path, ask_passphrase(path)))
        except WrongPassphrase as error:
            if not left:
                raise
            print(f"hallmark: {error}", file=sys.stderr)
    raise AssertionError("unreachable")


def ask_passphrase(path: Path, confirm: bool = False) -> bytes:
    """Ask for a passphrase at the terminal.

    Args:
        path: Private key file, for the prompt.
        confirm: Whether the passphrase has to be entered twice, as for a new key.

    Raises:
        InputError: No passphrase was entered, or the two entries differ.
    """
    try:
        said = getpass.getpass(f"passphrase of {path}: ")
        if confirm and (not said or getpass.getpass("once more: ") != said):
            raise InputError("the two passphrases are empty or not the same; nothing was made")
    except (EOFError, KeyboardInterrupt):
        raise InputError(f"{path}: no passphrase was given") from None
    return said.encode()
