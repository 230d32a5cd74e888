"""Key with which an installation signs models. It is a NIST P-256 key, because OpenSSF Model Signing lacks ed25519.

The public key is part of the promotion statement, which is signed with the gate key. So the model key is trusted as
much as the gate key.
"""

from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tasks.core.errors import InputError
from tasks.core.files import create_private_file

FILE_NAME = "model-signing"


def create_model_key(folder: Path) -> None:
    """Create the private key `folder/model-signing` (PEM, mode 0600) unless it exists."""
    key = ec.generate_private_key(ec.SECP256R1())
    create_private_file(
        folder / FILE_NAME,
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    )


def private_key_path(folder: Path) -> Path:
    file = folder / FILE_NAME
    if not file.is_file():
        raise InputError(f"{file}: the key that signs models is wanted, and none is there; run `hallmark init`")
    if mode := file.stat().st_mode & 0o077:
        raise InputError(f"{file}: others can read this private key (mode bits {mode:03o}); run `chmod 600 {file}`")
    return file


def read_public_pem(folder: Path) -> bytes:
    """Return the public key in PEM, the format that `model_signing verify key --public_key` expects.

    Raises:
        InputError: The key does not exist, other users can read it, or it is not an elliptic-curve key.
    """
    file = private_key_path(folder)
    try:
        key = serialization.load_pem_private_key(file.read_bytes(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InputError(f"{file}: expected a PEM private key without passphrase ({error})") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise InputError(f"{file}: expected an elliptic-curve key, got another kind; move it away, `hallmark init`")
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
