"""FIDO2 authenticators in software: one behind an agent that speaks ssh-agent's protocol on a socket of its own, and
one that signs as browsers have it.

What it signs is what OpenSSH's PROTOCOL.u2f says; `ssh-keygen -Y verify` judges that in test_hardware.py. It stands in
for a thing of metal: no test here has touched one.
"""

import base64
import hashlib
import json
import os
import socket
import struct
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tasks.trust import passkey
from tasks.trust.hardware_key import HARDWARE_KEY_TYPE

TOUCHED, VERIFIED = 0x01, 0x04


def packed(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


class Authenticator:
    """`flags` is what it says of its owner, `counter` how often it signed, `others` keys that are listed before it."""

    def __init__(self, application: bytes = b"ssh:") -> None:
        self.key, self.application, self.flags, self.counter = Ed25519PrivateKey.generate(), application, TOUCHED, 0
        self.others: list[bytes] = []
        raw = self.key.public_key().public_bytes_raw()
        self.blob = packed(HARDWARE_KEY_TYPE.encode()) + packed(raw) + packed(application)
        self.line = f"{HARDWARE_KEY_TYPE} {base64.b64encode(self.blob).decode()} token"

    def sign(self, message: bytes) -> bytes:
        """An ed25519 signature, flags and counter."""
        self.counter += 1
        after = bytes([self.flags]) + struct.pack(">I", self.counter)
        digests = [hashlib.sha256(part).digest() for part in (self.application, message)]
        return self.key.sign(digests[0] + after + digests[1]) + after

    def answer(self, message: bytes) -> bytes:
        if message[0] == 11:
            listed = b"".join(packed(blob) + packed(b"token") for blob in (*self.others, self.blob))
            return bytes([12]) + struct.pack(">I", 1 + len(self.others)) + listed
        size = struct.unpack_from(">I", message, 1)[0]
        blob, rest = message[5 : 5 + size], message[5 + size :]
        if message[0] != 13 or blob != self.blob:
            return bytes([5])
        signature = self.sign(rest[4 : 4 + struct.unpack_from(">I", rest)[0]])
        return bytes([14]) + packed(packed(HARDWARE_KEY_TYPE.encode()) + packed(signature[:64]) + signature[64:])


class Token:
    """A passkey in software, as a browser has one sign: `flags`, `counter` and `said` are what comes with it."""

    def __init__(self, rp_id: str = "hallmark.example.com") -> None:
        self.key, self.rp_id = ec.generate_private_key(ec.SECP256R1()), rp_id
        self.flags, self.counter = TOUCHED | VERIFIED, 0
        self.said: dict[str, object] = {"type": "webauthn.get", "origin": f"https://{rp_id}", "crossOrigin": False}
        point = self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        self.blob = b"".join(map(packed, (passkey.PASSKEY_TYPE.encode(), passkey.CURVE_NAME, point, rp_id.encode())))
        self.line = f"{passkey.PASSKEY_TYPE} {base64.b64encode(self.blob).decode()} token"

    def sign(self, message: bytes) -> bytes:
        self.counter += 1
        client_data = json.dumps({"challenge": passkey.webauthn_challenge(message)} | self.said).encode()
        after = bytes([self.flags]) + struct.pack(">I", self.counter)
        digests = [hashlib.sha256(part).digest() for part in (self.rp_id.encode(), client_data)]
        made = self.key.sign(digests[0] + after + digests[1], ec.ECDSA(hashes.SHA256()))
        r, s = decode_dss_signature(made)
        return self.halves(r, min(s, passkey.CURVE_ORDER - s)) + after + client_data

    @staticmethod
    def halves(r: int, s: int) -> bytes:
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


class Agent:
    """Answers at `path` until it is left."""

    def __init__(self, authenticator: Authenticator) -> None:
        self.authenticator, self.path = authenticator, Path(f"/tmp/hallmark-token-{os.getpid()}-{id(self)}")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)

    def __enter__(self) -> Self:
        self.socket.bind(str(self.path))
        self.socket.listen()
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.path.unlink()

    def _serve(self) -> None:
        while True:
            try:
                caller, _ = self.socket.accept()
            except OSError:  # closed
                return
            with caller:
                while size := caller.recv(4, socket.MSG_WAITALL):
                    message = caller.recv(struct.unpack(">I", size)[0], socket.MSG_WAITALL)
                    caller.sendall(packed(self.authenticator.answer(message)))
