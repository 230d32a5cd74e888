"""The vault's key and what is derived from it.

One secret of 32 bytes; HKDF (RFC 5869) makes of it a key that encrypts values, one that makes tokens, one that seals
what only `ingest` may write, one that makes the ids of records, and a fingerprint that may be told to anybody.
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
from tasks.core.files import write_new
from tasks.core.layout import is_of_experiments

VARIABLE = "HALLMARK_VAULT_KEY"
"""Environment variable with the key, base64 of 32 bytes; else it is read from the file."""
FILE = Path("keys") / "vault"
"""Below `.hallmark/`, readable by its owner alone."""
DATABASE = "HALLMARK_VAULT_URL"
"""Environment variable: the Postgres URL of the vault itself."""
FOLDER = "vault"
"""Of the vault's file, below `.hallmark/`: SQLite writes beside it as well."""
BYTES = 32


@dataclass(frozen=True, kw_only=True)
class WriterKeys:
    """What `ingest` is given. None of it opens a value."""

    tokens: bytes
    """32 bytes for HMAC-SHA256."""
    seals: bytes
    """32 bytes for HMAC-SHA256 over what `ingest` keeps between runs."""
    records: bytes
    """32 bytes for HMAC-SHA256 over where a record comes from, which is its id."""
    fingerprint: str
    """32 hex digits; says which key it is and nothing about it."""


@dataclass(frozen=True, kw_only=True)
class VaultKeys(WriterKeys):
    encryption: bytes
    """32 bytes for AES-256-GCM."""


def load(state: Path) -> VaultKeys:
    """The key of HALLMARK_VAULT_KEY, else of the file. Raises InputError where there is none or it is not one."""
    if (spelled := os.environ.get(VARIABLE)) and not is_of_experiments(state):
        return derive(_decode(spelled, VARIABLE))
    path = state / FILE
    try:
        mode, spelled = path.stat().st_mode, path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        raise InputError(
            f"the vault's key is wanted, and neither {VARIABLE} nor {path} gives it; restore it (`hallmark init` makes "
            "one where there is no vault yet)"
        ) from None
    if mode & 0o077:
        raise InputError(f"{path}: others can read the vault's key (mode {mode & 0o777:04o}); run `chmod 600 {path}`")
    return derive(_decode(spelled, str(path)))


def create(state: Path) -> None:
    """Make the key's file, unless there is one or the environment gives the key."""
    given = os.environ.get(VARIABLE) and not is_of_experiments(state)
    if not given and not (state / FILE).exists():
        write_new(state / FILE, base64.b64encode(secrets.token_bytes(BYTES)) + b"\n")


def derive(secret: bytes) -> VaultKeys:
    encryption, tokens, seals, records, fingerprint = (
        _hkdf(secret, purpose) for purpose in ("encryption", "tokens", "seals", "records", "fingerprint")
    )
    return VaultKeys(
        encryption=encryption, tokens=tokens, seals=seals, records=records, fingerprint=fingerprint[:16].hex()
    )


def _hkdf(secret: bytes, purpose: str) -> bytes:
    return HKDF(hashes.SHA256(), BYTES, salt=None, info=f"hallmark vault {purpose}".encode()).derive(secret)


def _decode(spelled: str, where: str) -> bytes:
    try:
        secret = base64.b64decode(spelled.strip(), validate=True)
    except (binascii.Error, ValueError):
        secret = b""
    if len(secret) != BYTES:
        raise InputError(f"{where}: expected the vault's key as base64 of {BYTES} bytes; what stands there is not that")
    return secret
