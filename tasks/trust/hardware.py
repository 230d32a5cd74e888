"""OpenSSH ed25519 keys that live in a FIDO2 authenticator: `ssh-keygen -t ed25519-sk`. Those of web pages: passkey.py.

https://github.com/openssh/openssh-portable/blob/master/PROTOCOL.u2f: such a key signs not the message but

    sha256(application) || flags || counter || sha256(message)

and its owner has to touch it, which is a bit of the flags. A signature here is those of ed25519, the flags and the
counter, 69 bytes one after the other, so that there is one spelling of it. That a key lies in hardware indeed nothing
shows that is kept here: whoever signs off people.yaml vouches for it.
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

KIND = "sk-ssh-ed25519@openssh.com"
APPLICATION = b"ssh:"
"""How its application begins; those of web sites, which the same authenticator signs in to, don't."""
SIGNATURE, COUNTER = 64, 4
"""Bytes."""
TOUCHED = 0x01
"""The flag that somebody was there."""


@dataclass(frozen=True)
class HardwareKey:
    key: Ed25519PublicKey
    application: bytes

    def verify(self, signature: bytes, message: bytes) -> None:
        """Raises InvalidSignature, also where nobody touched it."""
        if len(signature) != SIGNATURE + 1 + COUNTER or not signature[SIGNATURE] & TOUCHED:
            raise InvalidSignature
        stated = hashlib.sha256(self.application).digest() + signature[SIGNATURE:] + hashlib.sha256(message).digest()
        self.key.verify(signature[:SIGNATURE], stated)


def is_line(line: str) -> bool:
    """Whether a public key line says that it is of such a key."""
    return line.split()[:1] == [KIND]


def load(line: str) -> HardwareKey:
    """Read a public key line. Raises InputError where it is not one of such a key, made for ssh."""
    try:
        kind, key, application = strings(base64.b64decode(line.split()[1], validate=True))
        if "\n" in line.strip() or kind != KIND.encode() or not application.startswith(APPLICATION):
            raise ValueError("of another kind, or for something else than ssh")
        return HardwareKey(ed25519.public_key(key), application)
    except (ValueError, IndexError, struct.error, binascii.Error) as error:
        shown = line if len(line) <= 60 else f"{line[:57]}…"
        raise InputError(f"expected one public key line `{KIND} AAAA… comment`, got {shown!r} ({error})") from None


def from_wire(rest: bytes) -> bytes:
    """The signature as it stands here, from what follows its kind in OpenSSH's form. Raises InvalidSignature."""
    if len(rest) != 4 + SIGNATURE + 1 + COUNTER or struct.unpack_from(">I", rest)[0] != SIGNATURE:
        raise InvalidSignature
    return rest[4:]


def strings(blob: bytes) -> list[bytes]:
    """What a public key holds. Raises ValueError or struct.error where it is cut short."""
    found = []
    while blob:
        size = struct.unpack_from(">I", blob)[0]
        if len(blob) < 4 + size:
            raise ValueError("cut short")
        found.append(blob[4 : 4 + size])
        blob = blob[4 + size :]
    return found
