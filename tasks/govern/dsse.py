"""Signed statements: in-toto Statement v1 in a DSSE envelope with exactly one spelling.

https://github.com/secure-systems-lab/dsse/blob/master/protocol.md
https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md

DSSE lets an envelope be written in many ways that all verify (other base64, other key order, extra signatures).
Digests of envelopes and replays would then be ambiguous, so here only the canonical one verifies.
"""

import copy
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import CryptoSigner, SSlibKey  # type: ignore[attr-defined]  # no __all__ there

from tasks.errors import Refused
from tasks.files import canonical_json, sha256_bytes, write_bytes
from tasks.govern import keys

STATEMENT = "https://in-toto.io/Statement/v1"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
OWN = re.compile(r"urn:hallmark:[a-z0-9-]+(:[a-z0-9-]+)*:v[1-9][0-9]*")
STANDARD = (
    "https://slsa.dev/provenance/v1",
    "https://in-toto.io/attestation/test-result/v0.1",
    "https://slsa.dev/verification_summary/v1",
)
"""Types of predicates that others defined and other tools read."""


def statement(predicate_type: str, subject: Mapping[str, str], predicate: Mapping[str, Any]) -> dict[str, Any]:
    """An in-toto Statement about `subject` (name to SHA-256). Predicate types: `urn:hallmark:…:v1`, or in STANDARD."""
    if not OWN.fullmatch(predicate_type) and predicate_type not in STANDARD:
        raise ValueError(f"predicate type {predicate_type!r} is neither urn:hallmark:NAME:v1 nor a known standard's")
    if not subject:
        raise ValueError("a statement is about at least one subject")
    return {
        "_type": STATEMENT,
        "subject": [{"name": name, "digest": {"sha256": digest}} for name, digest in sorted(subject.items())],
        "predicateType": predicate_type,
        "predicate": dict(predicate),
    }


def subjects(statement: Mapping[str, Any]) -> dict[str, str]:
    """Name to SHA-256 of a verified statement's subjects."""
    return {item["name"]: item["digest"]["sha256"] for item in statement["subject"]}


def sign(statement: Mapping[str, Any], key: Ed25519PrivateKey) -> dict[str, Any]:
    """A DSSE envelope over the canonical JSON of `statement`; its keyid is the key's fingerprint."""
    line = keys.public_line(key)
    envelope = Envelope(canonical_json(statement), PAYLOAD_TYPE, {})
    envelope.sign(CryptoSigner(key, _public(line)))
    return envelope.to_dict()


def verify(envelope: Mapping[str, Any], public_line: str) -> dict[str, Any]:
    """The statement that the key of `public_line` signed. Raises Refused with the reason where it did not."""
    parsed = _parse(envelope)
    if parsed.payload_type != PAYLOAD_TYPE:
        raise Refused(f"the envelope holds {parsed.payload_type!r}, expected {PAYLOAD_TYPE}")
    key = _public(public_line)
    if list(parsed.signatures) != [key.keyid]:
        signers = ", ".join(parsed.signatures) or "nobody"
        raise Refused(f"the envelope is signed by {signers}, expected {key.keyid} alone")
    try:
        parsed.verify([key], 1)
    except VerificationError:
        raise Refused(f"the signature does not match what was signed, or was not made by {key.keyid}") from None
    return _statement(parsed.payload)


def peek(envelope: Mapping[str, Any]) -> dict[str, Any]:
    """The statement of an envelope whose signature nobody has checked: only to learn whose key to verify with."""
    return _statement(_parse(envelope).payload)


def digest(envelope: Mapping[str, Any]) -> str:
    """SHA-256 of an envelope, as decisions refer to each other."""
    return sha256_bytes(canonical_json(envelope))


def write(path: Path, envelope: Mapping[str, Any]) -> None:
    """Write an envelope to a file in its one spelling."""
    write_bytes(path, canonical_json(envelope))


def read(path: Path) -> dict[str, Any]:
    """Read an envelope file, unverified. Raises Refused where it is absent or in another spelling."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise Refused(f"{path}: no signed statement can be read here ({error})") from None
    return parse(data, str(path))


def parse(data: bytes, name: str) -> dict[str, Any]:
    """An envelope from the bytes of the file `name`, unverified. Raises Refused where it is in another spelling."""
    try:
        envelope = json.loads(data)
        same = canonical_json(envelope) == data
    except (ValueError, RecursionError) as error:
        raise Refused(f"{name}: no signed statement can be read here ({error})") from None
    if not isinstance(envelope, dict) or not same:
        raise Refused(f"{name}: not in canonical form; the file was changed after it was signed")
    return envelope


def _public(line: str) -> SSlibKey:
    return SSlibKey.from_crypto(keys.load_public(line), keyid=keys.fingerprint(line))


def _parse(envelope: Mapping[str, Any]) -> Envelope:
    try:
        parsed = Envelope.from_dict(copy.deepcopy(dict(envelope)))
        same = canonical_json(parsed.to_dict()) == canonical_json(envelope)
        # The library keeps fields that it does not know, and nobody has signed those.
        same = same and all(set(signature) == {"keyid", "sig"} for signature in envelope["signatures"])
    except Exception as error:  # the library documents no complete list of what malformed input raises
        raise Refused(f"not a DSSE envelope ({type(error).__name__}: {error})") from None
    if not same:
        raise Refused("the envelope is not in its canonical spelling")
    return parsed


def _statement(payload: bytes) -> dict[str, Any]:
    try:
        value = json.loads(payload)
        same = canonical_json(value) == payload
    except (ValueError, RecursionError) as error:
        raise Refused(f"the envelope's payload is not JSON ({error})") from None
    if not same:
        raise Refused("the envelope's payload is not canonical JSON")
    try:
        rebuilt = statement(value["predicateType"], subjects(value), value["predicate"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Refused(f"the payload is not an in-toto statement of Hallmark's ({error})") from None
    if rebuilt != value:
        raise Refused("the payload is not an in-toto Statement v1 with sorted SHA-256 subjects")
    return rebuilt
