"""OpenSSH ed25519 keys in a FIDO2 authenticator, created with `ssh-keygen -t ed25519-sk`. For WebAuthn see passkey.py.

Such a key does not sign the message itself. It signs the following bytes
(https://github.com/openssh/openssh-portable/blob/master/PROTOCOL.u2f):

    sha256(application) || flags || counter || sha256(message)

The owner has to touch the authenticator, which then sets a bit in the flags. A signature here is the concatenation of
the ed25519 signature, the flags and the counter. It has 69 bytes and only one encoding. No stored data proves that a
key is in hardware; the people who sign off people.yaml vouch for it.
"""

import base64
import binascii
import hashlib
import struct
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tasks.core.errors import InputError
from tasks.trust import ed25519

HARDWARE_KEY_TYPE = "sk-ssh-ed25519@openssh.com"
APPLICATION_PREFIX = b"ssh:"
"""Prefix of the application string of ssh keys. The authenticator can also contain keys for web sites, whose
application strings do not have this prefix."""
SIGNATURE_BYTES, COUNTER_BYTES = 64, 4
USER_PRESENT = 0x01
"""Flag "user present", which the authenticator sets if its owner touched it."""


@dataclass(frozen=True)
class HardwareKey:
    key: Ed25519PublicKey
    application: bytes

    def verify(self, signature: bytes, message: bytes) -> None:
        """Verify a signature.

        Raises:
            InvalidSignature: The signature is not valid, or the authenticator was not touched.
        """
        if len(signature) != SIGNATURE_BYTES + 1 + COUNTER_BYTES or not signature[SIGNATURE_BYTES] & USER_PRESENT:
            raise InvalidSignature
        stated = (
            hashlib.sha256(self.application).digest() + signature[SIGNATURE_BYTES:] + hashlib.sha256(message).digest()
        )
        self.key.verify(signature[:SIGNATURE_BYTES], stated)


def is_hardware_key_line(line: str) -> bool:
    return line.split()[:1] == [HARDWARE_KEY_TYPE]


def load_hardware_key(line: str) -> HardwareKey:
    """Load a hardware key from its public key line.

    Raises:
        InputError: The line is not the public key line of a hardware key for ssh.
    """
    try:
        kind, key, application = split_ssh_strings(base64.b64decode(line.split()[1], validate=True))
        if "\n" in line.strip() or kind != HARDWARE_KEY_TYPE.encode() or not application.startswith(APPLICATION_PREFIX):
            raise ValueError("of another kind, or for something else than ssh")
        return HardwareKey(ed25519.load_public_key(key), application)
    except (ValueError, IndexError, struct.error, binascii.Error) as error:
        shown = line if len(line) <= 60 else f"{line[:57]}…"
        raise InputError(
            f"expected one public key line `{HARDWARE_KEY_TYPE} AAAA… comment`, got {shown!r} ({error})"
        ) from None


def convert_ssh_signature(signature_fields: bytes) -> bytes:
    """Convert an OpenSSH signature to the 69 bytes of a signature here: ed25519 signature, flags and counter.

    Args:
        signature_fields: Bytes of the OpenSSH signature after its type.

    Raises:
        InvalidSignature: The signature does not have the expected format.
    """
    if (
        len(signature_fields) != 4 + SIGNATURE_BYTES + 1 + COUNTER_BYTES
        or struct.unpack_from(">I", signature_fields)[0] != SIGNATURE_BYTES
    ):
        raise InvalidSignature
    return signature_fields[4:]


def split_ssh_strings(blob: bytes) -> list[bytes]:
    """Split the binary form of an OpenSSH public key into its length-prefixed strings.

    Raises:
        ValueError: A string is shorter than its length prefix says.
        struct.error: A length prefix is truncated.
    """
    found = []
    while blob:
        size = struct.unpack_from(">I", blob)[0]
        if len(blob) < 4 + size:
            raise ValueError("cut short")
        found.append(blob[4 : 4 + size])
        blob = blob[4 + size :]
    return found
