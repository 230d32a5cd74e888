"""OpenSSH ed25519 keys in files, either created by Hallmark or from `~/.ssh`.

For keys in hardware see hardware_key.py and passkey.py.
"""

import base64
import binascii
import contextlib
import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from tasks.core.errors import InputError
from tasks.core.files import create_private_file, open_regular_file, write_bytes
from tasks.trust import ed25519, hardware_key, passkey
from tasks.trust.hardware_key import HardwareKey
from tasks.trust.passkey import Passkey

KEY_TYPE = "ssh-ed25519"


class PassphraseRequired(InputError):
    pass


class WrongPassphrase(InputError):
    pass


class KeyInHardware(InputError):
    """Error for a key file that contains only the handle of a hardware key. Such a key signs through an ssh-agent."""


@dataclass(frozen=True)
class Signer:
    """Public key, and a function that signs with its private key. The private key is in memory or in an ssh-agent."""

    public_line: str
    sign: Callable[[bytes], bytes]
    """Function that signs a message. A signature has 64 bytes for an ed25519 key (RFC 8032), and more for a hardware
    key."""


def make_signer(key: Ed25519PrivateKey) -> Signer:
    return Signer(make_public_line(key), key.sign)


def create_key_pair(folder: Path, name: str) -> str:
    """Create the private key `folder/name` (mode 0600) and the public key `folder/name.pub`, unless they exist.

    Returns:
        The public key line.

    Raises:
        InputError: The public key exists, but its private key does not.
    """
    require_private_keys(folder, [name])
    path = folder / name
    if not path.exists():
        create_private_file(path, encode_private_key(Ed25519PrivateKey.generate()))
    line = make_public_line(load_private_key(path), name)
    public = path.with_name(f"{name}.pub")
    if not public.exists() or public.read_text() != line + "\n":
        write_bytes(public, f"{line}\n".encode())
    return line


def require_private_keys(folder: Path, key_names: Iterable[str]) -> None:
    """Check that no public key is in the folder without its private key.

    Args:
        folder: Folder with the key files.
        key_names: File names of the private keys.

    Raises:
        InputError: A private key is missing.
    """
    # The public key is looked for first, since another process may be creating both, the private key first.
    if lost := [name for name in key_names if (folder / f"{name}.pub").exists() and not (folder / name).exists()]:
        raise InputError(
            f"{folder} has the public keys of {', '.join(lost)} without their private keys; put the private keys back, "
            "or move each .pub away whose key is to be replaced by a new one"
        )


def encode_private_key(key: Ed25519PrivateKey, passphrase: bytes | None = None) -> bytes:
    how = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, how)


def load_private_key(path: Path, passphrase: bytes | None = None) -> Ed25519PrivateKey:
    """Load an OpenSSH private key.

    Raises:
        InputError: The file does not exist, other users can read it, or it is not an ed25519 key.
        KeyInHardware: The file contains only the handle of a hardware key.
        PassphraseRequired: The key is encrypted, and no passphrase was given.
        WrongPassphrase: The passphrase is wrong.
    """
    try:
        mode = path.stat().st_mode
        if mode & 0o077:
            told = f"others can read this private key (mode {mode & 0o777:04o}); run `chmod 600 {path}`"
            raise InputError(f"{path}: {told}")
        with open_regular_file(path) as file:
            data = file.read()
    except OSError as error:
        raise InputError(f"{path}: no private key can be read here ({error.strerror}); give the path of one") from None
    if _is_hardware_handle(data):
        raise KeyInHardware(f"{path}: this key is in hardware and signs through an ssh-agent alone: `ssh-add {path}`")
    try:
        key = serialization.load_ssh_private_key(data, password=passphrase)
    except TypeError:
        raise PassphraseRequired(f"{path}: this key wants a passphrase") from None
    except (ValueError, UnsupportedAlgorithm) as error:
        if passphrase is not None:
            raise WrongPassphrase(f"{path}: the passphrase is wrong") from None
        raise InputError(f"{path}: expected an OpenSSH private key, got something else ({error})") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise InputError(f"{path}: expected an ed25519 key, got another kind; make one with `ssh-keygen -t ed25519`")
    return key


def make_public_line(key: Ed25519PrivateKey, comment: str = "") -> str:
    line = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()
    return f"{line} {comment}".rstrip()


def _is_hardware_handle(data: bytes) -> bool:
    """Return whether a private key file belongs to a hardware key.

    The type of the key is in the public part of the file, which is never encrypted.
    """
    body = b"".join(line for line in data.splitlines() if not line.startswith(b"-----"))
    with contextlib.suppress(binascii.Error):
        return hardware_key.HARDWARE_KEY_TYPE.encode() in base64.b64decode(body)
    return False


def verify_signature(line: str, signature: bytes, data: bytes) -> None:
    """Verify a signature with a public key line.

    Raises:
        InvalidSignature: The signature is not valid.
        InputError: The line is not a public key.
    """
    _load_key(line).verify(signature, data)


def is_in_hardware(line: str) -> bool:
    return hardware_key.is_hardware_key_line(line) or passkey.is_passkey_line(line)


def _load_key(line: str) -> Ed25519PublicKey | HardwareKey | Passkey:
    if passkey.is_passkey_line(line):
        return passkey.load_passkey(line)
    return hardware_key.load_hardware_key(line) if hardware_key.is_hardware_key_line(line) else load_public_key(line)


@lru_cache(maxsize=1024)
def load_public_key(line: str) -> Ed25519PublicKey:
    """Load an ed25519 public key from its public key line.

    Raises:
        InputError: The text is not exactly one public key line of an ed25519 key, or the key is in hardware.
    """
    key = None
    # Certificates are refused: one contains a key that may also be used without it.
    if "\n" not in line.strip() and line.split()[:1] == [KEY_TYPE]:
        with contextlib.suppress(ValueError, UnsupportedAlgorithm):
            read = serialization.load_ssh_public_key(line.strip().encode())
            key = ed25519.load_public_key(read.public_bytes_raw()) if isinstance(read, Ed25519PublicKey) else None
    if key is None:
        shown = line if len(line) <= 60 else f"{line[:57]}…"
        raise InputError(f"expected one OpenSSH public key line `ssh-ed25519 AAAA… comment`, got {shown!r}")
    return key


@lru_cache(maxsize=1024)
def fingerprint(public_line: str) -> str:
    """Return the fingerprint of a public key line, `SHA256:…` as `ssh-keygen -lf` prints it.

    Raises:
        InputError: The line is not a public key.
    """
    _load_key(public_line)
    try:
        blob = base64.b64decode(public_line.split()[1], validate=True)
    except binascii.Error:
        raise InputError(f"expected base64 in the public key line, got {public_line!r}") from None
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def strip_comment(public_line: str) -> str:
    return " ".join(public_line.split()[:2])


def validate_fingerprint(text: str) -> str:
    """Validate a fingerprint that a user entered, and return it without surrounding white space.

    Raises:
        InputError: The text is not a fingerprint.
    """
    if not re.fullmatch(r"SHA256:[A-Za-z0-9+/]{43}", text.strip()):
        raise InputError(f"expected a fingerprint `SHA256:…` as `ssh-keygen -lf KEY.pub` prints it, got {text[:80]!r}")
    return text.strip()
