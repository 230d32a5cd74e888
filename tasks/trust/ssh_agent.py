"""A running ssh-agent: which ed25519 keys it has, and what it signs with one. Its keys are never seen here.

https://datatracker.ietf.org/doc/draft-ietf-sshm-ssh-agent/ (messages), RFC 8709 (form of an ed25519 signature); of keys
in hardware hardware.py.
"""

import base64
import os
import socket
import struct

from cryptography.exceptions import InvalidSignature

from tasks.core.errors import InputError, Refused, Unavailable
from tasks.trust import hardware, keys
from tasks.trust.keys import Signer

SOCKET = "SSH_AUTH_SOCK"
KINDS = (b"ssh-ed25519", hardware.KIND.encode())
LIST, LISTED, SIGN, SIGNED = 11, 12, 13, 14
"""Numbers of messages: two requests and their answers."""
PATIENCE = 120.0
"""Seconds for an answer; an agent may ask its owner before it signs."""
MOST = 256 * 1024
"""Bytes of a message; OpenSSH's agent takes no more."""


def running() -> bool:
    return bool(os.environ.get(SOCKET))


def lines() -> list[str]:
    """Public key lines of its ed25519 keys that can be one of ours; none where it is locked.

    Raises Unavailable where it does not answer, or in no way that can be read.
    """
    answer = _ask(bytes([LIST]), LISTED)
    if answer is None:
        return []
    if len(answer) < 4:
        raise _cut_short()
    count, key_lines = struct.unpack_from(">I", answer)[0], []
    rest = answer[4:]
    for _ in range(count):
        blob, rest = _string(rest)
        comment, rest = _string(rest)
        if (kind := _string(blob)[0]) in KINDS:
            words = " ".join(comment.decode("utf-8", "replace").split())
            key_lines.append(f"{kind.decode()} {base64.b64encode(blob).decode()} {words}".rstrip())
    return [line for line in key_lines if _readable(line)]


def _readable(line: str) -> bool:
    """An agent holds others' keys too, say of an authenticator that signs in to a web site."""
    try:
        keys.fingerprint(line)
    except InputError:
        return False
    return True


def signer(line: str) -> Signer:
    return Signer(line, lambda data: sign(line, data))


def sign(line: str, data: bytes) -> bytes:
    """Its signature, verified. Raises Refused where it gives none, Unavailable where it does not answer."""
    message = bytes([SIGN]) + _packed(base64.b64decode(line.split()[1])) + _packed(data) + struct.pack(">I", 0)
    if len(message) > MOST:
        raise Refused(f"{len(data):,} bytes are more than an ssh-agent signs; sign with the key's file")
    answer = _ask(message, SIGNED)
    mark = keys.fingerprint(line)
    if answer is None:
        raise Refused(
            f"the ssh-agent does not sign with {mark}: it is locked, its owner said no, or the key is for logins alone "
            "(`ssh-add -l` shows what it has, `ssh-add -X` unlocks it)"
        )
    kind, rest = _string(_string(answer)[0])
    try:
        signature = hardware.from_wire(rest) if hardware.is_line(line) else _string(rest)[0]
        keys.verify(line, signature, data)
    except InvalidSignature:
        raise Refused(
            f"the ssh-agent gave a signature that is not one of {mark} ({kind.decode(errors='replace')})"
        ) from (None)
    return signature


def _ask(message: bytes, wanted: int) -> bytes | None:
    """What follows the number of the answer; None where it is another answer than wanted, so a refusal."""
    where = os.environ.get(SOCKET, "")
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as agent:
            agent.settimeout(PATIENCE)
            agent.connect(where)
            agent.sendall(_packed(message))
            length = struct.unpack(">I", _exactly(agent, 4))[0]
            answer = _exactly(agent, length) if 0 < length <= MOST else b"\0"
    except TimeoutError:
        raise Unavailable(f"the ssh-agent at {where} did not answer within {PATIENCE:g} s; ask it anew") from None
    except (OSError, struct.error) as error:
        raise Unavailable(
            f"the ssh-agent at {where} ({SOCKET}) does not answer ({error}); start one, or unset {SOCKET}"
        ) from None
    return answer[1:] if answer[0] == wanted else None


def _exactly(agent: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = agent.recv(size - len(data))
        if not part:
            raise OSError("it hung up")
        data += part
    return data


def _packed(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def _string(data: bytes) -> tuple[bytes, bytes]:
    """The string that data begins with, and what follows it. Raises Unavailable where it is cut short."""
    if len(data) < 4 or len(data) < 4 + (size := struct.unpack_from(">I", data)[0]):
        raise _cut_short()
    return data[4 : 4 + size], data[4 + size :]


def _cut_short() -> Unavailable:
    return Unavailable(
        f"the answer of the ssh-agent at {os.environ.get(SOCKET, '')} is cut short; it speaks another protocol: start "
        f"another, or unset {SOCKET}"
    )
