"""Validation of ed25519 public keys.

`cryptography` accepts any 32 bytes as a public key. If they encode a point of small order, one signature is valid for
every message. Some points also have more than one encoding, so the same key could have several fingerprints.
https://www.rfc-editor.org/rfc/rfc8032#section-5.1.3, https://eprint.iacr.org/2020/1244
"""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from nacl.bindings import crypto_core_ed25519_is_valid_point


def load_public_key(raw: bytes) -> Ed25519PublicKey:
    """Load an ed25519 public key from its 32 bytes.

    Raises:
        ValueError: The bytes are not the canonical encoding of a point in the main subgroup.
    """
    key = Ed25519PublicKey.from_public_bytes(raw)
    if not crypto_core_ed25519_is_valid_point(raw):
        raise ValueError("no point that a private key belongs to, or not in its one spelling")
    return key
