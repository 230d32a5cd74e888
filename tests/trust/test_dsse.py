"""Envelopes: other people's tools read them, and nothing but the one spelling by the one key verifies."""

import base64
import copy
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from google.protobuf import json_format
from in_toto_attestation.v1.statement import Statement
from in_toto_attestation.v1.statement_pb2 import Statement as StatementProto

from tasks.core.documents.document import Document
from tasks.core.errors import Refused
from tasks.core.json_text import canonical_json
from tasks.trust import dsse, keys

SHA256 = "ab" * 32
ORDER = 2**252 + 27742317777372353535851937790883648493
"""Of the group that ed25519 signatures live in."""


@pytest.fixture
def key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


@pytest.fixture
def line(key: Ed25519PrivateKey) -> str:
    return keys.make_public_line(key)


@pytest.fixture
def statement() -> dict[str, Any]:
    return dsse.make_statement("urn:hallmark:test:v1", {"b": SHA256, "a": "cd" * 32}, {"n": 1, "s": "ä"})


def test_what_is_signed_verifies_and_is_deterministic(key, line, statement) -> None:
    envelope = dsse.sign_statement(statement, keys.make_signer(key))
    assert dsse.verify_envelope(envelope, [line]) == statement
    assert dsse.verify_envelope(envelope, [line + " with a comment"]) == statement
    assert dsse.sign_statement(statement, keys.make_signer(key)) == envelope
    assert dsse.subject_digests(statement) == {"a": "cd" * 32, "b": SHA256}


def test_the_signature_is_over_the_pre_authentication_encoding_of_the_specification(key, line, statement) -> None:
    """Verified with the primitive alone, as any other DSSE implementation would."""
    envelope = dsse.sign_statement(statement, keys.make_signer(key))
    payload = base64.b64decode(envelope["payload"])
    kind = envelope["payloadType"].encode()
    encoded = b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)
    key.public_key().verify(base64.b64decode(envelope["signatures"][0]["sig"]), encoded)
    assert envelope["signatures"][0]["keyid"] == keys.fingerprint(line)


def test_in_toto_reads_the_statement(key, statement) -> None:
    payload = base64.b64decode(dsse.sign_statement(statement, keys.make_signer(key))["payload"])
    parsed = Statement.copy_from_pb(json_format.Parse(payload, StatementProto()))
    parsed.validate()
    assert parsed.pb.predicate_type == "urn:hallmark:test:v1"


def test_another_key_does_not_verify_even_under_the_right_key_id(key, line, statement) -> None:
    other = Ed25519PrivateKey.generate()
    envelope = dsse.sign_statement(statement, keys.make_signer(other))
    with pytest.raises(Refused, match="is signed by"):
        dsse.verify_envelope(envelope, [line])
    envelope["signatures"][0]["keyid"] = keys.fingerprint(line)
    with pytest.raises(Refused, match="does not match"):
        dsse.verify_envelope(envelope, [line])


def test_every_changed_byte_is_noticed(key, line, statement) -> None:
    """Each byte of payload and signature flipped in turn, in correct base64."""
    envelope = dsse.sign_statement(statement, keys.make_signer(key))
    places = {"payload": envelope, "sig": envelope["signatures"][0]}
    for field, holder in places.items():
        original = holder[field]
        for position in range(len(base64.b64decode(original))):
            data = bytearray(base64.b64decode(original))
            data[position] ^= 1
            holder[field] = base64.b64encode(data).decode()
            with pytest.raises(Refused):
                dsse.verify_envelope(envelope, [line])
        holder[field] = original
    assert dsse.verify_envelope(envelope, [line])


def test_a_malleated_signature_does_not_verify(key, line, statement) -> None:
    """(R, S + L) solves the same equation as (R, S); it would be a second spelling."""
    envelope = dsse.sign_statement(statement, keys.make_signer(key))
    signature = base64.b64decode(envelope["signatures"][0]["sig"])
    moved = (int.from_bytes(signature[32:], "little") + ORDER).to_bytes(32, "little")
    envelope["signatures"][0]["sig"] = base64.b64encode(signature[:32] + moved).decode()
    with pytest.raises(Refused):
        dsse.verify_envelope(envelope, [line])


def other_spellings(envelope: dict[str, Any]) -> dict[str, Any]:
    """Envelopes that a lenient DSSE verifier would accept for the same statement."""

    def change(**fields: Any) -> dict[str, Any]:
        return copy.deepcopy(envelope) | fields

    signature = envelope["signatures"][0]
    return {
        "extra field": change(note="hello"),
        "extra field in signature": change(signatures=[signature | {"note": "hello"}]),
        "urlsafe base64": change(payload=envelope["payload"].replace("+", "-").replace("/", "_")),
        "base64 with a line break": change(payload=envelope["payload"][:4] + "\n" + envelope["payload"][4:]),
        "unpadded base64": change(payload=envelope["payload"].rstrip("=")),
        "signature twice": change(signatures=[signature, signature]),
        "second signer": change(signatures=[signature, signature | {"keyid": "SHA256:other"}]),
        "no signature": change(signatures=[]),
        "a number for a key id": change(signatures=[signature | {"keyid": 1}]),
        "nothing for a key id": change(signatures=[signature | {"keyid": None}]),
        "false for a key id": change(signatures=[signature | {"keyid": False}]),
        "a number for a signature": change(signatures=[signature | {"sig": 1}]),
        "signature without key id": change(signatures=[{"sig": signature["sig"]}]),
        "signatures as a mapping": change(signatures={"0": signature}),
        "payload as a list": change(payload=[envelope["payload"]]),
        "no payload type": {key: value for key, value in envelope.items() if key != "payloadType"},
        "empty": {},
    }


def test_a_second_spelling_of_an_envelope_is_refused(key, line) -> None:
    # This predicate makes base64 with + and /, and with padding.
    statement = dsse.make_statement("urn:hallmark:test:v1", {"a": SHA256}, {"n": "~~~???>>>ÿÿÿ", "m": "x"})
    envelope = dsse.sign_statement(statement, keys.make_signer(key))
    assert {"+", "/", "="} <= set(envelope["payload"])
    for name, spelled in other_spellings(envelope).items():
        with pytest.raises(Refused):
            dsse.verify_envelope(spelled, [line])
            pytest.fail(name)
    assert dsse.verify_envelope(envelope, [line]) == statement


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (b'{"_type": "spaced"}', "not canonical JSON"),
        (b'{"a":1,"a":2}', "not canonical JSON"),
        (b'{"b":1,"a":2}', "not canonical JSON"),
        (b"\xff", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "not an in-toto statement"),
        (b'{"predicate":{},"predicateType":"urn:hallmark:x:v1"}', "not an in-toto statement"),
        (b'{"predicate":{},"predicateType":"https://other/v1","subject":[]}', "not an in-toto statement"),
    ],
)
def test_a_payload_that_is_no_statement_of_ours_is_refused_whoever_signed_it(key, line, payload, message) -> None:
    from securesystemslib.dsse import Envelope
    from securesystemslib.signer import CryptoSigner, SSlibKey

    envelope = Envelope(payload, dsse.PAYLOAD_TYPE, {})
    public = SSlibKey.from_crypto(key.public_key(), keyid=keys.fingerprint(line))
    envelope.sign(CryptoSigner(key, public))
    with pytest.raises(Refused, match=message):
        dsse.verify_envelope(envelope.to_dict(), [line])


def test_statements_about_other_digests_or_of_unsorted_subjects_are_refused(key, line, statement) -> None:
    for changed in (
        statement | {"subject": statement["subject"][::-1]},
        statement | {"subject": [{"name": "a", "digest": {"sha1": "ab"}}]},
        statement | {"subject": [{"name": "a", "digest": {"sha256": SHA256, "sha512": "cd"}}]},
        statement | {"subject": [{"name": 1, "digest": {"sha256": SHA256}}]},
        statement | {"subject": [{"name": "a", "digest": {"sha256": 1}}]},
        statement | {"subject": [{"name": "a", "digest": {"sha256": None}}]},
        statement | {"_type": "https://in-toto.io/Statement/v0.1"},
        statement | {"note": 1},
    ):
        with pytest.raises(Refused):
            dsse.verify_envelope(dsse.sign_statement(changed, keys.make_signer(key)), [line])


class Timed(Document):
    time: datetime
    ends: datetime | None = None


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"time": "0001-01-01T00:00:00+14:00"}, "expected a time in the years 1 to 9999"),
        (
            {"time": "2026-03-01T00:00:00Z", "ends": "9999-12-31T23:59:59-14:00"},
            "expected a time in the years 1 to 9999",
        ),
        ({"time": "2026-03-01T00:00:00"}, "a time needs its zone"),
    ],
)
def test_a_time_that_utc_has_none_of_is_refused_in_words(said: dict[str, str], told: str) -> None:
    kind = "urn:hallmark:timed:v1"
    with pytest.raises(Refused, match=f"not a timed one.*{told}"):
        dsse.read_predicate(dsse.make_statement(kind, {"a": SHA256}, said), kind, Timed, "a timed one")


def test_another_payload_type_is_refused(key, line, statement) -> None:
    envelope = dsse.sign_statement(statement, keys.make_signer(key)) | {"payloadType": "text/plain"}
    with pytest.raises(Refused, match="text/plain"):
        dsse.verify_envelope(envelope, [line])


def test_files_have_one_spelling_too(tmp_path: Path, key, line, statement) -> None:
    path = tmp_path / "gates" / "data.json"
    envelope = dsse.sign_statement(statement, keys.make_signer(key))
    dsse.write_envelope(path, envelope)
    assert dsse.read_envelope(path) == envelope
    assert path.read_bytes() == canonical_json(envelope)
    for spelled in (json.dumps(envelope, indent=2), json.dumps(envelope) + "\n", "[]", "{", "[" * 100_000):
        path.write_text(spelled)
        with pytest.raises(Refused):
            dsse.read_envelope(path)
    path.unlink()
    with pytest.raises(Refused, match="no signed statement"):
        dsse.read_envelope(path)


def test_only_our_predicate_types_and_real_subjects_can_be_stated() -> None:
    for kind in ("https://slsa.dev/v1", "urn:hallmark:x", "urn:hallmark:X:v1", "urn:hallmark:x:v0"):
        with pytest.raises(ValueError, match="predicate type"):
            dsse.make_statement(kind, {"a": SHA256}, {})
    with pytest.raises(ValueError, match="at least one subject"):
        dsse.make_statement("urn:hallmark:x:v1", {}, {})
