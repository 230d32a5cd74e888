"""Passkeys: keys in an authenticator that browsers use to sign through WebAuthn.

Such a key does not sign the message itself. It signs the following bytes
(https://www.w3.org/TR/webauthn-3/#sctn-op-get-assertion):

    sha256(rp id) || flags || counter || sha256(client data)

The rp id is the domain of the console. Client data is JSON that the browser writes. It contains the type of the
operation, the origin of the page, and a challenge, which here is the SHA-256 of the message. The flags state whether a
user was present, whether the authenticator verified the user by PIN or fingerprint, and whether the key can be copied
to other devices. The first two flags must be set here, and no others.

The public key line has the format of OpenSSH's ECDSA keys in hardware, with the rp id as the application, so that
`ssh-keygen -l` can read it. A signature here is the concatenation of r and s (32 bytes each), the flags, the counter
and the client data. For each ECDSA signature, two values of s are valid. Only the smaller one is accepted, so that a
signature has only one encoding.
"""

import base64
import binascii
import hashlib
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
from tasks.core.json_text import parse
from tasks.trust.hardware_key import COUNTER_BYTES, USER_PRESENT, split_ssh_strings

PASSKEY_TYPE = "sk-ecdsa-sha2-nistp256@openssh.com"
CURVE_NAME = b"nistp256"
CURVE_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
SCALAR_BYTES = 32
FLAGS_OFFSET = 2 * SCALAR_BYTES
USER_VERIFIED = 0x04
"""Flag "user verified". Signatures with flags other than this one and USER_PRESENT are refused: such flags mean that
the key can be copied or that more data follows."""
LOCALHOST = "localhost"
"""Domain for which WebAuthn permits pages without TLS. All servers on a machine share this domain."""
MAX_CLIENT_DATA_BYTES = 1024
"""Maximum size of the client data in bytes. Browsers write about 130 bytes."""
DOMAIN_PATTERN = re.compile(rb"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")


@dataclass(frozen=True)
class Passkey:
    key: ec.EllipticCurvePublicKey
    rp_id: str

    def verify(self, signature: bytes, message: bytes) -> None:
        """Verify a signature.

        Raises:
            InvalidSignature: The signature is not valid, no user was present and verified, or the key can be copied.
        """
        start = FLAGS_OFFSET + 1 + COUNTER_BYTES
        client_data = signature[start:]
        if (
            len(signature) <= start
            or len(client_data) > MAX_CLIENT_DATA_BYTES
            or not self._is_valid_client_data(client_data, message)
        ):
            raise InvalidSignature
        if signature[FLAGS_OFFSET] != USER_PRESENT | USER_VERIFIED:
            raise InvalidSignature
        r, s = (int.from_bytes(signature[at : at + SCALAR_BYTES]) for at in (0, SCALAR_BYTES))
        if s > CURVE_ORDER // 2:
            raise InvalidSignature
        stated = hashlib.sha256(self.rp_id.encode()).digest() + signature[FLAGS_OFFSET:start]
        stated += hashlib.sha256(client_data).digest()
        self.key.verify(encode_dss_signature(r, s), stated, ec.ECDSA(hashes.SHA256()))

    def _is_valid_client_data(self, client_data: bytes, message: bytes) -> bool:
        """Return whether client data is for this message, and from a page of this domain.

        Client data from a page that another site embeds is not valid.
        """
        try:
            said = parse(client_data)
            return (
                (said["type"], said["challenge"]) == ("webauthn.get", webauthn_challenge(message))
                and said.get("crossOrigin", False) is False
                and self._is_own_origin(said["origin"])
            )
        except (ValueError, LookupError, TypeError, AttributeError):
            return False

    def _is_own_origin(self, origin: Any) -> bool:
        place = urlsplit(origin)
        host = place.hostname or ""
        return (host == self.rp_id or host.endswith(f".{self.rp_id}")) and (
            place.scheme == "https" or (place.scheme, host) == ("http", LOCALHOST)
        )


def webauthn_challenge(message: bytes) -> str:
    """Return the WebAuthn challenge for a message: its SHA-256 in base64url."""
    return base64.urlsafe_b64encode(hashlib.sha256(message).digest()).decode().rstrip("=")


def is_passkey_line(line: str) -> bool:
    return line.split()[:1] == [PASSKEY_TYPE]


def load_passkey(line: str) -> Passkey:
    """Load a passkey from its public key line.

    Raises:
        InputError: The line is not the public key line of a passkey.
    """
    try:
        kind, curve, point, application = split_ssh_strings(base64.b64decode(line.split()[1], validate=True))
        if (
            "\n" in line.strip()
            or (kind, curve) != (PASSKEY_TYPE.encode(), CURVE_NAME)
            or not DOMAIN_PATTERN.fullmatch(application)
        ):
            raise ValueError("of another kind, or for no web site")
        if len(point) != 1 + 2 * SCALAR_BYTES:  # the compressed encoding of a point is shorter
            raise ValueError("its point is not written out")
        return Passkey(ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point), application.decode())
    except (ValueError, IndexError, struct.error, binascii.Error) as error:
        shown = line if len(line) <= 60 else f"{line[:57]}…"
        raise InputError(
            f"expected one public key line `{PASSKEY_TYPE} AAAA… comment`, got {shown!r} ({error})"
        ) from None
