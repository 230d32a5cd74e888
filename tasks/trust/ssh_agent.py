"""Client of a running ssh-agent. It lists the agent's ed25519 keys and has the agent sign with them.

Private keys never leave the agent. The format of messages is specified in
https://datatracker.ietf.org/doc/draft-ietf-sshm-ssh-agent/, and that of ed25519 signatures in RFC 8709. For signatures
of keys in hardware see hardware_key.py.
"""

import base64
import os
import socket
import struct

from cryptography.exceptions import InvalidSignature

from tasks.core.errors import InputError, Refused, Unavailable
from tasks.trust import hardware_key, keys
from tasks.trust.keys import Signer

SOCKET_VARIABLE = "SSH_AUTH_SOCK"
KEY_TYPES = (b"ssh-ed25519", hardware_key.HARDWARE_KEY_TYPE.encode())
LIST_REQUEST, LIST_RESPONSE, SIGN_REQUEST, SIGN_RESPONSE = 11, 12, 13, 14
"""Message types of the two requests and their responses."""
TIMEOUT_SECONDS = 120.0
"""Timeout for a response in seconds. An agent may ask its owner for confirmation before it signs."""
MAX_MESSAGE_BYTES = 256 * 1024
"""Maximum size of a message in bytes, the same as in OpenSSH."""


def is_running() -> bool:
    return bool(os.environ.get(SOCKET_VARIABLE))


def list_public_lines() -> list[str]:
    """Return the public key lines of the agent's keys that Hallmark supports. The list is empty if the agent is locked.

    Raises:
        Unavailable: The agent does not respond, or its response cannot be parsed.
    """
    answer = _send_request(bytes([LIST_REQUEST]), LIST_RESPONSE)
    if answer is None:
        return []
    if len(answer) < 4:
        raise _truncation_error()
    count, key_lines = struct.unpack_from(">I", answer)[0], []
    rest = answer[4:]
    for _ in range(count):
        blob, rest = _split_string(rest)
        comment, rest = _split_string(rest)
        if (kind := _split_string(blob)[0]) in KEY_TYPES:
            words = " ".join(comment.decode("utf-8", "replace").split())
            key_lines.append(f"{kind.decode()} {base64.b64encode(blob).decode()} {words}".rstrip())
    return [line for line in key_lines if _is_supported(line)]


def _is_supported(line: str) -> bool:
    """Return whether Hallmark supports a key. An agent can have other keys, for example for logins to web sites."""
    try:
        keys.fingerprint(line)
    except InputError:
        return False
    return True


def make_agent_signer(line: str) -> Signer:
    return Signer(line, lambda data: sign_with_agent(line, data))


def sign_with_agent(line: str, data: bytes) -> bytes:
    """Have the agent sign data with a key, and verify the signature.

    Raises:
        Refused: The agent does not sign, or the signature is not valid.
        Unavailable: The agent does not respond.
    """
    message = (
        bytes([SIGN_REQUEST])
        + _length_prefixed(base64.b64decode(line.split()[1]))
        + _length_prefixed(data)
        + struct.pack(">I", 0)
    )
    if len(message) > MAX_MESSAGE_BYTES:
        raise Refused(f"{len(data):,} bytes are more than an ssh-agent signs; sign with the key's file")
    answer = _send_request(message, SIGN_RESPONSE)
    mark = keys.fingerprint(line)
    if answer is None:
        raise Refused(
            f"the ssh-agent does not sign with {mark}: it is locked, its owner said no, or the key is for logins alone "
            "(`ssh-add -l` shows what it has, `ssh-add -X` unlocks it)"
        )
    kind, rest = _split_string(_split_string(answer)[0])
    try:
        signature = (
            hardware_key.convert_ssh_signature(rest)
            if hardware_key.is_hardware_key_line(line)
            else _split_string(rest)[0]
        )
        keys.verify_signature(line, signature, data)
    except InvalidSignature:
        raise Refused(
            f"the ssh-agent gave a signature that is not one of {mark} ({kind.decode(errors='replace')})"
        ) from (None)
    return signature


def _send_request(message: bytes, expected_type: int) -> bytes | None:
    """Send a message to the agent, and return its response without the type byte.

    Return None if the response does not have the type `expected_type`, which means that the agent refuses the request.
    """
    where = os.environ.get(SOCKET_VARIABLE, "")
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as agent:
            agent.settimeout(TIMEOUT_SECONDS)
            agent.connect(where)
            agent.sendall(_length_prefixed(message))
            length = struct.unpack(">I", _receive_exactly(agent, 4))[0]
            answer = _receive_exactly(agent, length) if 0 < length <= MAX_MESSAGE_BYTES else b"\0"
    except TimeoutError:
        raise Unavailable(
            f"the ssh-agent at {where} did not answer within {TIMEOUT_SECONDS:g} s; ask it anew"
        ) from None
    except (OSError, struct.error) as error:
        raise Unavailable(
            f"the ssh-agent at {where} ({SOCKET_VARIABLE}) does not answer ({error}); start one, or unset "
            f"{SOCKET_VARIABLE}"
        ) from None
    return answer[1:] if answer[0] == expected_type else None


def _receive_exactly(agent: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = agent.recv(size - len(data))
        if not part:
            raise OSError("it hung up")
        data += part
    return data


def _length_prefixed(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def _split_string(data: bytes) -> tuple[bytes, bytes]:
    if len(data) < 4 or len(data) < 4 + (size := struct.unpack_from(">I", data)[0]):
        raise _truncation_error()
    return data[4 : 4 + size], data[4 + size :]


def _truncation_error() -> Unavailable:
    return Unavailable(
        f"the answer of the ssh-agent at {os.environ.get(SOCKET_VARIABLE, '')} is cut short; it speaks another "
        f"protocol: start another, or unset {SOCKET_VARIABLE}"
    )
