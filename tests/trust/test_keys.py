"""Keys as OpenSSH has them: its own tools read ours, we read theirs."""

import base64
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tasks.core.errors import InputError
from tasks.trust import hardware_key, keys

needs_ssh_keygen = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed")


def ssh_keygen(*args: str | Path) -> str:
    return subprocess.run(["ssh-keygen", *map(str, args)], check=True, capture_output=True, text=True).stdout


@needs_ssh_keygen
def test_ssh_keygen_reads_our_keys_and_prints_the_same_fingerprint(tmp_path: Path) -> None:
    line = keys.create_key_pair(tmp_path / "keys", "anna")
    assert ssh_keygen("-y", "-f", tmp_path / "keys" / "anna").split()[:2] == line.split()[:2]
    assert ssh_keygen("-lf", tmp_path / "keys" / "anna.pub").split()[1:3] == [keys.fingerprint(line), "anna"]


@needs_ssh_keygen
def test_a_key_that_openssh_made_signs_here(tmp_path: Path) -> None:
    ssh_keygen("-q", "-t", "ed25519", "-N", "", "-C", "ben@office", "-f", tmp_path / "id")
    key = keys.load_private_key(tmp_path / "id")
    assert keys.make_public_line(key, "ben@office") == (tmp_path / "id.pub").read_text().strip()


@needs_ssh_keygen
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["-t", "ed25519", "-N", "secret"], "this key wants a passphrase"),
        (["-t", "ecdsa", "-N", ""], "expected an ed25519 key"),
    ],
)
def test_keys_that_cannot_sign_say_why(tmp_path: Path, options: list[str], message: str) -> None:
    ssh_keygen("-q", *options, "-f", tmp_path / "id")
    with pytest.raises(InputError, match=message):
        keys.load_private_key(tmp_path / "id")


def test_an_existing_key_is_kept_and_its_public_half_mended(tmp_path: Path) -> None:
    line = keys.create_key_pair(tmp_path, "anna")
    private = (tmp_path / "anna").read_bytes()
    for other in (keys.create_key_pair(tmp_path / "other", "mallory"), "", "~"):
        (tmp_path / "anna.pub").write_text(other)
        assert keys.create_key_pair(tmp_path, "anna") == line
        assert (tmp_path / "anna").read_bytes() == private
        assert (tmp_path / "anna.pub").read_text() == line + "\n"


def test_a_public_key_without_its_private_key_is_not_replaced(tmp_path: Path) -> None:
    line = keys.create_key_pair(tmp_path, "anna")
    (tmp_path / "anna").unlink()
    with pytest.raises(InputError, match="public keys of anna without their private keys; put the private keys back"):
        keys.create_key_pair(tmp_path, "anna")
    assert [path.name for path in tmp_path.iterdir()] == ["anna.pub"]
    assert (tmp_path / "anna.pub").read_text() == f"{line}\n"


def test_of_many_that_make_a_key_at_once_one_wins(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        lines = set(pool.map(lambda _: keys.create_key_pair(tmp_path, "anna"), range(8)))
    assert len(lines) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["anna", "anna.pub"]


def test_private_keys_are_private(tmp_path: Path) -> None:
    keys.create_key_pair(tmp_path / "keys", "anna")
    path = tmp_path / "keys" / "anna"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    for mode in (0o640, 0o604):
        path.chmod(mode)
        with pytest.raises(InputError, match="chmod 600"):
            keys.load_private_key(path)


def test_what_is_no_private_key_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no private key can be read here"):
        keys.load_private_key(tmp_path / "absent")
    with pytest.raises(InputError, match="no private key can be read here"):
        keys.load_private_key(tmp_path)
    for content in (b"", b"hello", b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n"):
        (tmp_path / "id").write_bytes(content)
        (tmp_path / "id").chmod(0o600)
        with pytest.raises(InputError, match="expected an OpenSSH private key"):
            keys.load_private_key(tmp_path / "id")


@pytest.mark.parametrize(
    "line",
    [
        "",
        "ssh-ed25519",
        "ssh-ed25519 AAAA",
        "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQC7",
        "ssh-ed25519 !!!! anna",
        "-----BEGIN OPENSSH PRIVATE KEY-----",
    ],
)
def test_what_is_no_public_key_line_is_said(line: str) -> None:
    with pytest.raises(InputError, match="expected one OpenSSH public key line"):
        keys.fingerprint(line)


PRIME = 2**255 - 19
POINTS = {"the neutral one": 1, "order 2": PRIME - 1, "order 4": 0, "no canonical y": PRIME + 1, "off the curve": 2}
"""y coordinates (RFC 8032, 5.1.2). The last byte's highest bit says which x."""


@pytest.mark.attack(
    rights="approver", stopped="a public key is a point that a private key belongs to, in its one spelling"
)
@pytest.mark.parametrize("sign", [0, 1])
@pytest.mark.parametrize("point", POINTS)
def test_a_point_for_which_anybody_can_sign_is_no_key(point: str, sign: int) -> None:
    raw = (POINTS[point] | sign << 255).to_bytes(32, "little")
    for kind, application in ((keys.KEY_TYPE, b""), (hardware_key.HARDWARE_KEY_TYPE, b"ssh:")):
        parts = [part for part in (kind.encode(), raw, application) if part]
        blob = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
        with pytest.raises(InputError, match="expected one"):
            keys.fingerprint(f"{kind} {base64.b64encode(blob).decode()} anna")


def test_two_lines_are_not_one_key(tmp_path: Path) -> None:
    line = keys.create_key_pair(tmp_path, "anna")
    with pytest.raises(InputError, match="expected one OpenSSH public key line"):
        keys.load_public_key(f"{line}\n{line}")


@needs_ssh_keygen
@pytest.mark.attack(rights="approver", stopped="a certificate holds a key that may stand elsewhere, and is no key line")
def test_a_certificate_is_no_second_line_of_a_key(tmp_path: Path) -> None:
    keys.create_key_pair(tmp_path, "authority")
    line = keys.create_key_pair(tmp_path, "anna")
    ssh_keygen("-q", "-s", tmp_path / "authority", "-I", "anna", tmp_path / "anna.pub")
    certificate = (tmp_path / "anna-cert.pub").read_text().strip()
    assert keys.fingerprint(line) and certificate.startswith("ssh-ed25519-cert-v01@openssh.com ")
    with pytest.raises(InputError, match="expected one OpenSSH public key line `ssh-ed25519"):
        keys.fingerprint(certificate)
