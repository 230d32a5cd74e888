"""Passkeys: keys of an authenticator that browsers have sign by WebAuthn.

https://www.w3.org/TR/webauthn-3/#sctn-op-get-assertion: such a key signs not the message but

    sha256(rp id) || flags || counter || sha256(client data)

The rp id is the console's domain. Client data is JSON that the browser writes: that somebody signs in, where, and a
challenge, here the SHA-256 of the message. Flags say that somebody was there, that the authenticator knew them by PIN
or finger, and whether the key can be copied to other devices. Here the first two have to be so, and the last may not.

The public line is that of OpenSSH's ECDSA keys in hardware, whose application is the rp id, so that `ssh-keygen -l`
reads it. A signature here is r and s with 32 bytes each, flags, counter and client data, one after the other. Of the
two s that an ECDSA signature may have, the smaller one counts, so that there is one spelling of it.
"""

import base64
import binascii
import hashlib
import json
import re
import struct
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from tasks.core.errors import InputError
from tasks.trust.hardware import COUNTER, TOUCHED, strings

KIND = "sk-ecdsa-sha2-nistp256@openssh.com"
CURVE = b"nistp256"
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""Of the curve P-256 (FIPS 186)."""
HALF = 32
"""Bytes of r, and of s."""
FLAGS = 2 * HALF
"""Where they stand in a signature."""
VERIFIED = 0x04
"""The flag that the authenticator knew somebody. Others say that the key is copied or may be, or that more follows."""
LOCALHOST = "localhost"
"""The name that every page of one machine shares."""
MOST = 1024
"""Bytes of client data; browsers write some 130."""
DOMAIN = re.compile(rb"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")


@dataclass(frozen=True)
class Passkey:
    key: ec.EllipticCurvePublicKey
    rp_id: str

    def verify(self, signature: bytes, message: bytes) -> None:
        """Raises InvalidSignature, also where nobody touched it, or it can be copied."""
        start = FLAGS + 1 + COUNTER
        client_data = signature[start:]
        if len(signature) <= start or len(client_data) > MOST or not self._says(client_data, message):
            raise InvalidSignature
        if signature[FLAGS] != TOUCHED | VERIFIED:
            raise InvalidSignature
        r, s = (int.from_bytes(signature[at : at + HALF]) for at in (0, HALF))
        if s > ORDER // 2:
            raise InvalidSignature
        stated = hashlib.sha256(self.rp_id.encode()).digest() + signature[FLAGS:start]
        stated += hashlib.sha256(client_data).digest()
        self.key.verify(encode_dss_signature(r, s), stated, ec.ECDSA(hashes.SHA256()))

    def _says(self, client_data: bytes, message: bytes) -> bool:
        """Whether it is of this message, asked by a page of the domain that nobody had framed."""
        try:
            said = json.loads(client_data)
            return (
                (said["type"], said["challenge"]) == ("webauthn.get", challenge(message))
                and said.get("crossOrigin", False) is False
                and self._is_own(said["origin"])
            )
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            return False

    def _is_own(self, origin: Any) -> bool:
        place = urlsplit(origin)
        host = place.hostname or ""
        return (host == self.rp_id or host.endswith(f".{self.rp_id}")) and (
            place.scheme == "https" or (place.scheme, host) == ("http", LOCALHOST)
        )


def challenge(message: bytes) -> str:
    """What an authenticator is asked to sign for a message."""
    return base64.urlsafe_b64encode(hashlib.sha256(message).digest()).decode().rstrip("=")


def is_line(line: str) -> bool:
    """Whether a public key line says that it is of such a key."""
    return line.split()[:1] == [KIND]


def load(line: str) -> Passkey:
    """Read a public key line. Raises InputError where it is not one of such a key, made for a web site."""
    try:
        kind, curve, point, application = strings(base64.b64decode(line.split()[1], validate=True))
        if "\n" in line.strip() or (kind, curve) != (KIND.encode(), CURVE) or not DOMAIN.fullmatch(application):
            raise ValueError("of another kind, or for no web site")
        if len(point) != 1 + 2 * HALF:  # the other spelling of a point is shorter
            raise ValueError("its point is not written out")
        return Passkey(ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point), application.decode())
    except (ValueError, IndexError, struct.error, binascii.Error) as error:
        shown = line if len(line) <= 60 else f"{line[:57]}…"
        raise InputError(f"expected one public key line `{KIND} AAAA… comment`, got {shown!r} ({error})") from None
