"""Key of the vault, and the keys derived from it.

The key is one secret of 32 bytes, from which HKDF (RFC 5869) derives six values:

encryption   key that encrypts values
tokens       key from which tokens are computed
seals        key that seals files that only `ingest` may write
records      key from which the ids of records are computed
annotators   key from which the pseudonyms of annotators are computed
fingerprint  public identifier of the vault's key
"""

import base64
import binascii
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tasks.core.errors import InputError
from tasks.core.files import create_private_file
from tasks.core.layout import is_experiments_state

KEY_VARIABLE = "HALLMARK_VAULT_KEY"
"""Environment variable with the vault's key, 32 bytes in base64. If it is not set, the key is read from KEY_FILE."""
KEY_FILE = Path("keys") / "vault"
"""Path of the file with the vault's key, relative to `.hallmark`. Only the owner of the file is allowed to read it."""
VAULT_FOLDER = "vault"
"""Folder of the vault's database, relative to `.hallmark`. SQLite also writes its journals to this folder."""
KEY_BYTES = 32


@dataclass(frozen=True, kw_only=True)
class WriterKeys:
    """Keys that stage `ingest` receives. None of them can decrypt a value."""

    tokens: bytes
    seals: bytes
    """HMAC-SHA256 key for the seals on files that `ingest` keeps between runs, 32 bytes."""
    records: bytes
    fingerprint: str
    """Identifier of the vault's key, 32 hex digits. It reveals nothing about the key."""


@dataclass(frozen=True, kw_only=True)
class VaultKeys(WriterKeys):
    encryption_key: bytes
    annotators: bytes
    """HMAC-SHA256 key for the pseudonyms of annotators and the item ids of rounds (tasks/labels), 32 bytes."""


def load_keys(state: Path) -> VaultKeys:
    """Read the key from HALLMARK_VAULT_KEY or, if that is not set, from its file, and derive the other keys.

    Raises:
        InputError: There is no key, the key is not 32 bytes in base64, or other users can read the key file.
    """
    if (spelled := os.environ.get(KEY_VARIABLE)) and not is_experiments_state(state):
        return derive_keys(_decode_key(spelled, KEY_VARIABLE))
    path = state / KEY_FILE
    try:
        mode, spelled = path.stat().st_mode, path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        raise InputError(
            f"the vault's key is wanted, and neither {KEY_VARIABLE} nor {path} gives it; restore it (`hallmark init` "
            "makes one where there is no vault yet)"
        ) from None
    if mode & 0o077:
        raise InputError(f"{path}: others can read the vault's key (mode {mode & 0o777:04o}); run `chmod 600 {path}`")
    return derive_keys(_decode_key(spelled, str(path)))


def create_key(state: Path) -> None:
    """Write a new key to the key file, unless the file exists or KEY_VARIABLE is set."""
    given = os.environ.get(KEY_VARIABLE) and not is_experiments_state(state)
    if not given and not (state / KEY_FILE).exists():
        create_private_file(state / KEY_FILE, base64.b64encode(secrets.token_bytes(KEY_BYTES)) + b"\n")


def derive_keys(secret: bytes) -> VaultKeys:
    encryption, tokens, seals, records, annotators, fingerprint = (
        _derive_key(secret, purpose)
        for purpose in ("encryption", "tokens", "seals", "records", "annotators", "fingerprint")
    )
    return VaultKeys(
        encryption_key=encryption,
        tokens=tokens,
        seals=seals,
        records=records,
        annotators=annotators,
        fingerprint=fingerprint[:16].hex(),
    )


def _derive_key(secret: bytes, purpose: str) -> bytes:
    return HKDF(hashes.SHA256(), KEY_BYTES, salt=None, info=f"hallmark vault {purpose}".encode()).derive(secret)


def _decode_key(encoded: str, origin: str) -> bytes:
    try:
        secret = base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        secret = b""
    if len(secret) != KEY_BYTES:
        raise InputError(
            f"{origin}: expected the vault's key as base64 of {KEY_BYTES} bytes; what stands there is not that"
        )
    return secret
