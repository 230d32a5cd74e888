"""Passkeys: what a browser has an authenticator sign, and gates that ask for a key in hardware.

That browsers sign what is taken here, tests/console/test_passkey.py shows with Chromium and its own authenticator.
"""

import base64
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature

from tasks.core.errors import InputError, Refused
from tasks.core.files import read_json
from tasks.trust import dsse, keys, passkey
from tasks.trust.keys import Signer
from tests.gates.test_attacks import plant
from tests.governed.authenticator import TOUCHED, VERIFIED, Token, packed
from tests.governed.house import PEOPLE, POLICY, House, reload
from tests.trust.test_hardware import HARD, STATEMENT


@pytest.fixture
def token() -> Token:
    return Token()


def signed_by(token: Token) -> dict[str, Any]:
    return dsse.sign_statement(STATEMENT, Signer(token.line, token.sign))


def refused(token: Token) -> bool:
    try:
        keys.verify_signature(token.line, token.sign(b"data"), b"data")
    except InvalidSignature:
        return True
    return False


def test_it_signs_envelopes(token: Token) -> None:
    assert dsse.verify_envelope(signed_by(token), [token.line]) == STATEMENT
    token.said |= {"origin": "https://console.hallmark.example.com:8443", "other_keys_can_be_added_here": "x"}
    del token.said["crossOrigin"]
    assert dsse.verify_envelope(signed_by(token), [token.line]) == STATEMENT
    with pytest.raises(Refused, match="does not match"):
        dsse.verify_envelope(dsse.make_unverified_envelope(b"{}", token.line, token.sign(b"other")), [token.line])


def test_what_chromium_signed_once_is_read_for_ever() -> None:
    """A decision of 2026-11, by an authenticator of Chromium's."""
    kept = read_json(Path(__file__).with_name("passkey_of_chromium.json"))
    said = dsse.verify_envelope(kept["envelope"], [kept["line"]])["predicate"]
    assert (said["person"], said["verb"], said["reason"]) == ("data-owner", "approve", "touched")


def test_at_localhost_no_tls_is_needed() -> None:
    token = Token("localhost")
    token.said["origin"] = "http://localhost:4220"
    assert not refused(token)


@pytest.mark.attack(rights="approver", stopped="the browser says, and the authenticator signs, for which page it was")
@pytest.mark.parametrize(
    "said",
    [
        {"type": "webauthn.create"}, {"challenge": "AAAA"}, {"crossOrigin": True}, {"crossOrigin": None},
        {"origin": "https://example.com"}, {"origin": "https://evil-hallmark.example.com"}, {"origin": 7},
        {"origin": "http://hallmark.example.com"}, {"origin": "https://[hallmark.example.com"}, {"more": "x" * 1024},
        {"origin": "https://hallmark.example.com@evil.example"}, {"origin": "data:hallmark.example.com"},
    ],
    ids=repr,
)  # fmt: skip
def test_what_was_signed_for_something_else_does_not_count(token: Token, said: dict[str, object]) -> None:
    token.said |= said
    assert refused(token)


@pytest.mark.attack(rights="approver", stopped="who was there and what kind of key it is are signed")
@pytest.mark.parametrize("flags", [0, TOUCHED, VERIFIED, 0x0D, 0x1D, 0x15, 0x07, 0x25, 0x45, 0x85])
def test_a_key_that_nobody_touched_or_that_can_be_copied_does_not_count(token: Token, flags: int) -> None:
    token.flags = flags
    assert refused(token)


@pytest.mark.attack(rights="approver", stopped="every byte of a signature is signed, and stands at one place")
def test_no_byte_of_a_signature_can_be_another(token: Token) -> None:
    raw = token.sign(b"data")
    keys.verify_signature(token.line, raw, b"data")
    r, s = (int.from_bytes(raw[at : at + 32], "big") for at in (0, 32))
    others = [raw[:i] + bytes([raw[i] ^ bit]) + raw[i + 1 :] for i in range(len(raw)) for bit in (1, 4, 128)]
    others += [token.halves(r, passkey.CURVE_ORDER - s) + raw[64:], raw + b" ", raw[:-1], raw[:69], raw[:3], b""]
    others += [token.halves(0, 0) + raw[64:], raw[:69] + b"[" * 1000, raw[:69] + b"null", raw[:69] + b"\xff"]
    for other in others:
        with pytest.raises(InvalidSignature):
            keys.verify_signature(token.line, other, b"data")


def test_a_line_is_of_one_form(token: Token) -> None:
    kind, curve, point, domain = map(packed, (passkey.PASSKEY_TYPE.encode(), b"nistp256", b"", b"a.example"))
    good = token.blob[len(kind + curve) : len(kind + curve) + 69]
    wrong: list[bytes] = [
        b"", kind, kind + curve + point + domain, kind + packed(b"nistp384") + good + domain, kind + curve + good,
        kind + curve + good + packed(b"ssh:"), kind + curve + good + packed(b"A.example"), token.blob + packed(b"x"),
        kind + curve + packed(b"\x02" + good[5:37]) + domain, kind + curve + packed(b"\x04" + b"\1" * 64) + domain,
        struct.pack(">I", 2**31), packed(b"ssh-ed25519") + curve + good + domain,
    ]  # fmt: skip
    for line in (
        *(f"{passkey.PASSKEY_TYPE} {base64.b64encode(blob).decode()}" for blob in wrong),
        passkey.PASSKEY_TYPE,
    ):
        with pytest.raises(InputError, match=r"expected one public key line `sk-ecdsa-sha2-nistp256@openssh\.com"):
            keys.fingerprint(line)
    with pytest.raises(InputError):
        keys.load_public_key(token.line)


def test_a_passkey_decides_where_policy_asks_for_hardware(house: House, token: Token) -> None:
    soft = (house.state / "keys" / "owner.pub").read_text().strip()
    reload(house, HARD, PEOPLE.replace("id: owner,", f"id: owner, keys: ['{token.line}', '{soft}'],"))
    asked, other = house.ask(), keys.make_signer(keys.load_private_key(house.state / "keys" / "owner"))
    plant(house, asked, "owner", key=other)
    assert house.judge(asked).state == "waiting" and "which is none" in house.why_not(asked)
    house.decide(asked, "owner", signer=Signer(keys.strip_comment(token.line), token.sign))
    assert house.settle(asked).state == "passed"


def with_keys(house: House, *lines: str, policy: str = HARD) -> None:
    reload(house, policy, PEOPLE.replace("id: owner,", f"id: owner, keys: {list(lines)},"))


def test_who_has_passkeys_alone_signs_by_no_command(house: House, token: Token) -> None:
    with_keys(house, token.line)
    (house.state / "keys" / "owner").unlink()
    with pytest.raises(InputError, match="their keys are passkeys, which sign in the console"):
        house.governance.require_identity_proof("owner")


def test_changes_want_somebody_who_signs_by_commands(house: House, token: Token) -> None:
    """Releaser is the only one with the role."""
    policy = f"{POLICY.partition('changes:')[0]}changes: {{people: [{{role: release-manager}}]}}\n"
    (house.state / "keys" / "releaser.pub").rename(house.state / "soft.pub")
    soft = (house.state / "soft.pub").read_text().strip()
    people = [
        PEOPLE.replace("id: releaser,", f"id: releaser, keys: {lines},") for lines in ([token.line, soft], [token.line])
    ]
    reload(house, policy, people[0])
    with pytest.raises(InputError, match="passkeys sign no changes, and releaser has nothing else"):
        reload(house, policy, people[1])


@pytest.mark.attack(rights="visitor", stopped="every page of a machine shares localhost, so its passkeys stay local")
def test_a_passkey_of_localhost_counts_in_environment_local_alone(house: House) -> None:
    soft = (house.state / "keys" / "owner.pub").read_text().strip()
    with_keys(house, Token("localhost").line, soft)
    with pytest.raises(InputError, match=r"people\.1\.keys\.0: a passkey of localhost counts in environment local"):
        with_keys(house, Token("localhost").line, soft, policy=HARD.replace("environment: local", "environment: test"))


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="openssh-client is not installed")
def test_openssh_reads_its_line(token: Token, tmp_path: Path) -> None:
    (tmp_path / "key.pub").write_text(token.line + "\n")
    told = subprocess.run(["ssh-keygen", "-lf", "key.pub"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert told.stdout.split()[1] == keys.fingerprint(token.line)
