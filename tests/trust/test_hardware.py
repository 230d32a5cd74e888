"""Keys of FIDO2 authenticators: what they sign, that OpenSSH agrees, and gates that ask for them."""

import base64
import hashlib
import shutil
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature

from tasks.core.errors import InputError, Refused
from tasks.gates import policy_tests
from tasks.trust import dsse, hardware_key, keys, signing_keys, ssh_agent
from tests.gates.test_attacks import plant
from tests.governed.authenticator import VERIFIED, Agent, Authenticator, packed
from tests.governed.house import PEOPLE, POLICY, House, reload

HARD = POLICY.replace(
    "        decisions: [{role: data-owner}]\n",
    "        decisions: [{role: data-owner}]\n        signature: hardware\n",
)
STATEMENT = dsse.make_statement("urn:hallmark:test:v1", {"a": "0" * 64}, {"says": 1})


@pytest.fixture
def token(monkeypatch: pytest.MonkeyPatch) -> Iterator[Authenticator]:
    with Agent(Authenticator()) as agent:
        monkeypatch.setenv(ssh_agent.SOCKET_VARIABLE, str(agent.path))
        yield agent.authenticator


@pytest.fixture
def owned(house: House, token: Authenticator) -> House:
    """The owner has a key of hardware and one in a file, at gate data the first is asked for."""
    (house.state / "keys" / "owner").rename(house.state / "soft")
    soft = (house.state / "keys" / "owner.pub").read_text().strip()
    reload(house, HARD, PEOPLE.replace("id: owner,", f"id: owner, keys: ['{token.line}', '{soft}'],"))
    return house


def test_a_touched_authenticator_decides_where_policy_asks_for_one(owned: House) -> None:
    asked = owned.ask()
    with pytest.raises(Refused, match=r"asks for a key in hardware .* and both has none there"):
        owned.decide(asked, "both", role="data-owner")
    entry = owned.decide(asked, "owner")
    assert owned.decide(asked, "owner").seq == entry.seq, "the same decision is one, though it would count on"
    assert owned.settle(asked).state == "passed"
    assert owned.governance.require_identity_proof("owner").id == "owner"


@pytest.mark.attack(
    rights="approver", stopped="policy asks for a key in hardware, and each signature is judged by its key"
)
def test_a_persons_other_key_does_not_do_where_hardware_is_asked(owned: House) -> None:
    asked, soft = owned.ask(), keys.make_signer(keys.load_private_key(owned.state / "soft"))
    with pytest.raises(Refused, match=r"owner signs with SHA256:\S+, which is none"):
        owned.decide(asked, "owner", signer=soft)
    plant(owned, asked, "owner", key=soft)
    assert owned.judge(asked).state == "waiting" and "which is none" in owned.why_not(asked)


@pytest.mark.parametrize(("person", "state"), [("owner", "passed"), ("both", "refused")])
def test_cases_of_a_policy_wait_for_no_touch(owned: House, token: Authenticator, person: str, state: str) -> None:
    told = {"name": "c", "tier": "low", "gate": "data", "requester": "asker", "owners": ["owner"], "expect": state,
            "facts": {"split.train_rows": 100}, "decisions": [{"person": person, "role": "data-owner"}]}  # fmt: skip
    (result,) = policy_tests.run_cases(
        [policy_tests.PolicyTestCase.model_validate(told)], owned.governance.policy, owned.governance.people
    )
    assert result.ok, result.text
    assert token.counter == 0


@pytest.mark.attack(rights="approver", stopped="an authenticator that nobody touched has signed nothing")
@pytest.mark.parametrize("flags", [0, VERIFIED])
def test_untouched_it_signs_nothing(token: Authenticator, flags: int) -> None:
    token.flags = flags
    with pytest.raises(Refused, match="gave a signature that is not one of"):
        ssh_agent.sign_with_agent(token.line, b"data")
    with pytest.raises(InvalidSignature):
        keys.verify_signature(token.line, token.sign(b"data"), b"data")
    token.flags = hardware_key.USER_PRESENT | VERIFIED
    assert len(ssh_agent.sign_with_agent(token.line, b"data")) == 69


@pytest.mark.attack(rights="approver", stopped="flags and counter are signed, and stand at one place")
def test_no_byte_of_a_signature_can_be_another(token: Authenticator) -> None:
    envelope = dsse.sign_statement(STATEMENT, ssh_agent.make_agent_signer(token.line))
    assert dsse.verify_envelope(envelope, [token.line]) == STATEMENT
    raw = base64.b64decode(envelope["signatures"][0]["sig"])
    others = [raw[:i] + bytes([raw[i] ^ bit]) + raw[i + 1 :] for i in range(len(raw)) for bit in (1, 4, 128)]
    wire = packed(hardware_key.HARDWARE_KEY_TYPE.encode()) + packed(raw[:64]) + raw[64:]
    for other in (*others, raw[:64], raw[:-1], raw + b"\0", wire):
        changed = {"keyid": envelope["signatures"][0]["keyid"], "sig": base64.b64encode(other).decode()}
        with pytest.raises(Refused, match="does not match"):
            dsse.verify_envelope(envelope | {"signatures": [changed]}, [token.line])


@pytest.mark.attack(rights="approver", stopped="the kind of key is part of it")
def test_a_plain_signature_with_its_key_is_none(token: Authenticator) -> None:
    """Nor is what it signs one of a plain key with the same number."""
    plain = keys.make_public_line(token.key)
    as_plain = dsse.sign_statement(STATEMENT, keys.Signer(token.line, token.key.sign))
    with pytest.raises(Refused, match="does not match"):
        dsse.verify_envelope(as_plain, [token.line])
    with pytest.raises(Refused, match="does not match"):
        dsse.verify_envelope(dsse.sign_statement(STATEMENT, keys.Signer(plain, token.sign)), [plain])
    with pytest.raises(InputError):
        keys.load_public_key(token.line)


def test_what_was_signed_for_something_else_than_ssh_does_not_count() -> None:
    site = Authenticator(b"https://example.org")
    for line in (
        site.line,
        f"{hardware_key.HARDWARE_KEY_TYPE} AAAA",
        hardware_key.HARDWARE_KEY_TYPE,
        f"{hardware_key.HARDWARE_KEY_TYPE} {'A' * 200}",
    ):
        with pytest.raises(InputError, match=r"expected one public key line `sk-ssh-ed25519@openssh\.com"):
            keys.fingerprint(line)


def test_an_agents_keys_that_cannot_be_one_of_ours_are_passed_over(token: Authenticator) -> None:
    token.others = [Authenticator(b"https://example.org").blob, packed(b"ssh-ed25519") + packed(b"short"), token.blob]
    assert ssh_agent.list_public_lines() == [token.line, token.line]
    found = signing_keys.signer_from_agent([token.line])
    assert found and found.public_line == token.line


def test_a_machine_has_none(house: House, token: Authenticator) -> None:
    with pytest.raises(InputError, match="a machine signs by itself"):
        reload(house, people=PEOPLE + f"machines: {{gate: {{keys: ['{token.line}']}}}}\n")


def test_its_file_is_a_handle_and_the_agent_signs(
    token: Authenticator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As ssh-keygen writes it: openssh-key-v1 begins with the public half, also where a passphrase is on it."""
    path = tmp_path / "id_ed25519_sk"
    body = base64.b64encode(b"openssh-key-v1\0" + packed(b"none") * 2 + packed(b"") + packed(token.blob)).decode()
    path.write_text(f"-----BEGIN OPENSSH PRIVATE KEY-----\n{body}\n-----END OPENSSH PRIVATE KEY-----\n")
    path.chmod(0o600)
    assert signing_keys.signer_from_file(path, [token.line]).public_line == token.line
    monkeypatch.delenv(ssh_agent.SOCKET_VARIABLE)
    with pytest.raises(InputError, match="in hardware and signs through an ssh-agent alone: `ssh-add"):
        signing_keys.signer_from_file(path, [token.line])


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="openssh-client is not installed")
def test_openssh_agrees(token: Authenticator, tmp_path: Path) -> None:
    """Its fingerprint, its verdict on what is signed here, and ours on what it had signed."""
    (tmp_path / "key.pub").write_text(token.line + "\n")
    (tmp_path / "allowed").write_text(f"ada {token.line}\n")
    (tmp_path / "said").write_bytes(b"data")

    def keygen(*args: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(["ssh-keygen", *args], cwd=tmp_path, input=stdin, capture_output=True)

    assert keys.fingerprint(token.line) in keygen("-lf", "key.pub").stdout.decode()

    def verified(said: bytes = b"data") -> bool:
        told = ("-Y", "verify", "-f", "allowed", "-I", "ada", "-n", "file", "-s", "said.sig")
        return keygen(*told, stdin=said).returncode == 0

    form = packed(b"file") + packed(b"") + packed(b"sha512")
    signed = b"SSHSIG" + form + packed(hashlib.sha512(b"data").digest())
    ours = ssh_agent.sign_with_agent(token.line, signed)
    wire = packed(hardware_key.HARDWARE_KEY_TYPE.encode()) + packed(ours[:64]) + ours[64:]
    armoured = b"SSHSIG" + struct.pack(">I", 1) + packed(token.blob) + form + packed(wire)
    lines = base64.encodebytes(armoured).decode()
    (tmp_path / "said.sig").write_text(f"-----BEGIN SSH SIGNATURE-----\n{lines}-----END SSH SIGNATURE-----\n")
    assert verified() and not verified(b"other")

    (tmp_path / "said.sig").unlink()
    assert keygen("-Y", "sign", "-f", "key.pub", "-n", "file", "said").returncode == 0
    assert verified()
    theirs = base64.b64decode("".join((tmp_path / "said.sig").read_text().splitlines()[1:-1]))
    wire = theirs[-73:]
    keys.verify_signature(token.line, hardware_key.convert_ssh_signature(wire), signed)
    for other in (wire + b"0", wire[:-1], struct.pack(">I", 63) + wire[4:]):
        with pytest.raises(InvalidSignature):
            hardware_key.convert_ssh_signature(other)
