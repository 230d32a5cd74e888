"""A FIDO2 authenticator in software, behind an agent that speaks ssh-agent's protocol on a socket of its own.

What it signs is what OpenSSH's PROTOCOL.u2f says; `ssh-keygen -Y verify` judges that in test_hardware.py. It stands in
for a thing of metal: no test here has touched one.
"""

import base64
import hashlib
import os
import socket
import struct
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tasks.trust.hardware import KIND

TOUCHED, VERIFIED = 0x01, 0x04


def packed(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


class Authenticator:
    """`flags` is what it says of its owner, `counter` how often it signed, `others` keys that are listed before it."""

    def __init__(self, application: bytes = b"ssh:") -> None:
        self.key, self.application, self.flags, self.counter = Ed25519PrivateKey.generate(), application, TOUCHED, 0
        self.others: list[bytes] = []
        raw = self.key.public_key().public_bytes_raw()
        self.blob = packed(KIND.encode()) + packed(raw) + packed(application)
        self.line = f"{KIND} {base64.b64encode(self.blob).decode()} token"

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
        return bytes([14]) + packed(packed(KIND.encode()) + packed(signature[:64]) + signature[64:])


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
