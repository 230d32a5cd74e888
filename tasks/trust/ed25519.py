"""Ed25519 public keys that nobody can sign for without the private key.

`cryptography` takes any 32 bytes. For a point of small order one signature fits every message, and a point has several
spellings, so that one key would have several fingerprints.
https://www.rfc-editor.org/rfc/rfc8032#section-5.1.3, https://eprint.iacr.org/2020/1244
"""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from nacl.bindings import crypto_core_ed25519_is_valid_point


def public_key(raw: bytes) -> Ed25519PublicKey:
    """Read 32 bytes. Raises ValueError where they are no point of the main subgroup in its one spelling."""
    key = Ed25519PublicKey.from_public_bytes(raw)
    if not crypto_core_ed25519_is_valid_point(raw):
        raise ValueError("no point that a private key belongs to, or not in its one spelling")
    return key
