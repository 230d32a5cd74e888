"""Signed statements: in-toto Statement v1 in a DSSE envelope, in canonical form.

https://github.com/secure-systems-lab/dsse/blob/master/protocol.md
https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md

DSSE permits several encodings of the same envelope, which can differ in base64 alphabet, key order or extra signatures.
All of them would verify, so the digest of an envelope would be ambiguous, and a replayed envelope could look new.
Therefore only the canonical encoding is accepted here.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from cryptography.exceptions import InvalidSignature
from securesystemslib.dsse import Envelope
from securesystemslib.signer import Signature  # type: ignore[attr-defined]  # no __all__ there

from tasks.core.documents.document import Document, document_error_message, newer_version_hint
from tasks.core.errors import Refused
from tasks.core.files import read_bounded, sha256_bytes, write_bytes
from tasks.core.json_text import NotCanonical, canonical_json, parse_canonical
from tasks.core.json_text import parse as parse_json
from tasks.core.utc import to_utc
from tasks.trust import keys
from tasks.trust.keys import Signer

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
MAX_ENVELOPE_BYTES = 16 * 2**20
OWN_TYPE_PATTERN = re.compile(r"urn:hallmark:[a-z0-9-]+(:[a-z0-9-]+)*:v[1-9][0-9]*")
STANDARD_TYPES = (
    "https://slsa.dev/provenance/v1",
    "https://in-toto.io/attestation/test-result/v0.1",
    "https://in-toto.io/attestation/link/v0.3",
    "https://slsa.dev/verification_summary/v1",
)
"""Predicate types that are defined by standards and read by other tools."""
DocumentT = TypeVar("DocumentT", bound=Document)


def make_statement(predicate_type: str, subject: Mapping[str, str], predicate: Mapping[str, Any]) -> dict[str, Any]:
    """Create an in-toto statement.

    Args:
        predicate_type: `urn:hallmark:…:v1`, or one of STANDARD_TYPES.
        subject: SHA-256 of each subject, by name.
        predicate: Content of the statement.

    Raises:
        ValueError: The predicate type is not one of these, or there is no subject.
    """
    if not OWN_TYPE_PATTERN.fullmatch(predicate_type) and predicate_type not in STANDARD_TYPES:
        raise ValueError(f"predicate type {predicate_type!r} is neither urn:hallmark:NAME:v1 nor a known standard's")
    if not subject:
        raise ValueError("a statement is about at least one subject")
    return {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": name, "digest": {"sha256": digest}} for name, digest in sorted(subject.items())],
        "predicateType": predicate_type,
        "predicate": dict(predicate),
    }


def subject_digests(statement: Mapping[str, Any]) -> dict[str, str]:
    return {item["name"]: item["digest"]["sha256"] for item in statement["subject"]}


def read_predicate(
    statement: Mapping[str, Any], predicate_type: str, model: type[DocumentT], document_name: str
) -> DocumentT:
    """Parse the predicate of a statement.

    Args:
        statement: Statement whose signature was verified.
        predicate_type: Expected type.
        model: Document class to parse the predicate into.
        document_name: Name of the document with its article, for error messages, such as "a gate statement".

    Raises:
        Refused: The statement has another type or does not fit the model, or one of its times cannot be converted to
            UTC.
    """
    if statement["predicateType"] != predicate_type:
        came = statement["predicateType"]
        raise Refused(f"the statement is a {came}, not {document_name}{newer_version_hint(came, predicate_type)}")
    try:
        said = model.from_value(statement["predicate"])
        for _, value in said:
            if isinstance(value, datetime):
                to_utc(value)
    except ValueError as error:
        raise Refused(f"the statement is not {document_name} ({document_error_message(error)})") from None
    return said


def sign_statement(statement: Mapping[str, Any], signer: Signer) -> dict[str, Any]:
    """Sign a statement and return its DSSE envelope. The keyid in the envelope is the fingerprint of the key."""
    unsigned = Envelope(canonical_json(statement), PAYLOAD_TYPE, {})
    return make_unverified_envelope(unsigned.payload, signer.public_line, signer.sign(unsigned.pae()))


def make_unverified_envelope(payload: bytes, public_line: str, signature: bytes) -> dict[str, Any]:
    """Create an envelope from a payload and a signature that was made elsewhere. The signature is not verified."""
    keyid = keys.fingerprint(public_line)
    return Envelope(payload, PAYLOAD_TYPE, {keyid: Signature(keyid, signature.hex())}).to_dict()


def verify_envelope(envelope: Mapping[str, Any], public_lines: Sequence[str]) -> dict[str, Any]:
    """Verify an envelope, and return its statement.

    Args:
        envelope: DSSE envelope with exactly one signature.
        public_lines: Public key lines. The signature must be from one of these keys.

    Raises:
        Refused: The signature is not from any of these keys, or the envelope is not in canonical form.
    """
    parsed = _parse_dsse(envelope)
    if parsed.payload_type != PAYLOAD_TYPE:
        raise Refused(f"the envelope holds {parsed.payload_type!r}, expected {PAYLOAD_TYPE}")
    known = {keys.fingerprint(line): line for line in public_lines}
    keyid = next(iter(parsed.signatures), "")
    if keyid not in known or len(parsed.signatures) != 1:
        by = ", ".join(parsed.signatures) or "nobody"
        raise Refused(f"the envelope is signed by {by}, expected {' or '.join(known) or 'no key at all'} alone")
    try:
        keys.verify_signature(known[keyid], bytes.fromhex(parsed.signatures[keyid].signature), parsed.pae())
    except InvalidSignature:
        raise Refused(f"the signature does not match what was signed, or was not made by {keyid}") from None
    return _parse_statement(parsed.payload)


def unverified_signers(envelope: Mapping[str, Any]) -> list[str]:
    """Return the fingerprints of the keys that an envelope names as its signers. The signatures are not verified."""
    return list(_parse_dsse(envelope).signatures)


def unverified_statement(envelope: Mapping[str, Any]) -> dict[str, Any]:
    """Return the statement in an envelope without verifying the signature.

    This is needed, for example, to find out with which key to verify it.
    """
    return _parse_statement(_parse_dsse(envelope).payload)


def envelope_digest(envelope: Mapping[str, Any]) -> str:
    return sha256_bytes(canonical_json(envelope))


def write_envelope(path: Path, envelope: Mapping[str, Any]) -> None:
    write_bytes(path, canonical_json(envelope))


def read_envelope(path: Path) -> dict[str, Any]:
    """Read an envelope file, without verifying the signature.

    Raises:
        Refused: The file cannot be read, or is not in canonical form.
    """
    try:
        data = read_bounded(path, MAX_ENVELOPE_BYTES)
    except (OSError, ValueError) as error:
        raise Refused(f"{path}: no signed statement can be read here ({error})") from None
    return parse_envelope(data, str(path))


def parse_envelope(data: bytes, name: str) -> dict[str, Any]:
    """Parse an envelope, without verifying the signature.

    Args:
        data: Content of an envelope file.
        name: Name of the file, for error messages.

    Raises:
        Refused: The content is not an envelope in canonical form.
    """
    try:
        envelope = parse_canonical(data)
    except NotCanonical:
        envelope = None
    except ValueError as error:
        raise Refused(f"{name}: no signed statement can be read here ({error})") from None
    if not isinstance(envelope, dict):
        raise Refused(f"{name}: not in canonical form; the file was changed after it was signed")
    return envelope


def _parse_dsse(envelope: Mapping[str, Any]) -> Envelope:
    try:
        spelled = canonical_json(envelope)
    except (TypeError, ValueError, RecursionError) as error:
        raise Refused(f"not a DSSE envelope ({type(error).__name__}: {error})") from None
    return _parse_cached(spelled)


@lru_cache(maxsize=64)
def _parse_cached(canonical_bytes: bytes) -> Envelope:
    """Parse an envelope. The result is cached, because callers parse the same envelope more than once."""
    try:
        parsed = Envelope.from_dict(parse_json(canonical_bytes))  # from_dict modifies its argument
        same = canonical_json(parsed.to_dict()) == canonical_bytes
        # The library accepts unknown fields, which are not covered by the signature, and any value as a keyid.
        same = same and all(map(_is_signature_object, parse_json(canonical_bytes)["signatures"]))
    except Exception as error:  # the library does not document all exceptions that malformed input causes
        raise Refused(f"not a DSSE envelope ({type(error).__name__}: {error})") from None
    if not same:
        raise Refused("the envelope is not in its canonical spelling")
    return parsed


def _is_signature_object(value: Mapping[str, Any]) -> bool:
    return set(value) == {"keyid", "sig"} and all(isinstance(text, str) for text in value.values())


def _parse_statement(payload: bytes) -> dict[str, Any]:
    try:
        value = parse_canonical(payload)
    except NotCanonical:
        raise Refused("the envelope's payload is not canonical JSON") from None
    except ValueError as error:
        raise Refused(f"the envelope's payload is not JSON ({error})") from None
    try:
        about = subject_digests(value)
        if not all(isinstance(text, str) for text in (*about, *about.values())):
            raise TypeError("a subject's name and digest are texts")
        rebuilt = make_statement(value["predicateType"], about, value["predicate"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Refused(f"the payload is not an in-toto statement of Hallmark's ({error})") from None
    if rebuilt != value:
        raise Refused("the payload is not an in-toto Statement v1 with sorted SHA-256 subjects")
    return rebuilt
