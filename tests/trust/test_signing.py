"""Which key signs: OpenSSH's own agent and key files, with and without a passphrase."""

import io
import os
import pty
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.core.errors import HallmarkError, InputError, Refused, Unavailable
from tasks.trust import keys, signing_keys, ssh_agent
from tests.governed.house import PEOPLE, House, reload

pytestmark = pytest.mark.skipif(shutil.which("ssh-agent") is None, reason="openssh-client is not installed")


def run(*command: str | Path, **more: str) -> str:
    done = subprocess.run([*map(str, command)], check=True, capture_output=True, text=True, env=os.environ | more)
    return done.stdout


def key_file(path: Path, passphrase: str = "", kind: str = "ed25519") -> str:
    run("ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", path.name, "-f", path)
    return path.with_name(f"{path.name}.pub").read_text().strip()


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    place = Path(f"/tmp/hallmark-agent-{os.getpid()}")
    process = subprocess.Popen(["ssh-agent", "-D", "-a", str(place)], stdout=subprocess.PIPE, text=True)
    process.stdout.readline()  # type: ignore[union-attr]  # it listens before it says where
    monkeypatch.setenv(ssh_agent.SOCKET_VARIABLE, str(place))
    yield place
    process.terminate()
    process.communicate()
    place.unlink(missing_ok=True)


@pytest.fixture
def brought(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    """The owner has a key of their own, at tmp_path/own, and none here."""
    monkeypatch.delenv(ssh_agent.SOCKET_VARIABLE, raising=False)
    line = key_file(tmp_path / "own")
    for name in ("owner", "owner.pub"):
        (house.state / "keys" / name).unlink()
    reload(house, people=PEOPLE.replace("id: owner,", f"id: owner, keys: [{line}],"))
    return house


def test_a_machine_asks_nobody_for_a_passphrase(house: House) -> None:
    gate = house.state / "keys" / "gate"
    run("ssh-keygen", "-q", "-p", "-P", "", "-N", "sesame", "-f", gate)
    with pytest.raises(InputError, match=r"nobody there to type it; take it off: `ssh-keygen -p -f .*/gate`"):
        house.governance.find_signer("gate")
    run("ssh-keygen", "-q", "-p", "-P", "sesame", "-N", "", "-f", gate)
    assert house.governance.find_signer("gate").public_line == keys.make_signer(keys.load_private_key(gate)).public_line


def test_an_agent_decides_at_a_gate(brought: House, agent: Path, tmp_path: Path) -> None:
    run("ssh-add", "-q", tmp_path / "own")
    asked = brought.ask()
    brought.decide(asked, "owner")
    assert brought.settle(asked).state == "passed"
    assert brought.governance.require_identity_proof("owner").id == "owner"


def test_an_agent_with_others_keys_or_locked_signs_nothing(
    brought: House, agent: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key_file(tmp_path / "other")
    key_file(tmp_path / "old", kind="ecdsa")
    run("ssh-add", "-q", tmp_path / "other", tmp_path / "old")
    assert len(ssh_agent.list_public_lines()) == 1
    with pytest.raises(InputError, match=r"owner is wanted.* ssh-agent, which has none of theirs"):
        brought.decide(brought.ask(), "owner")
    run("ssh-add", "-q", tmp_path / "own")
    (line,) = (line for line in ssh_agent.list_public_lines() if line.endswith(" own"))
    run("ssh-add", "-q", "-d", tmp_path / "own")
    with pytest.raises(Refused, match=r"does not sign with SHA256:\S+: it is locked, its owner said no"):
        ssh_agent.sign_with_agent(line, b"data")
    monkeypatch.setenv(ssh_agent.SOCKET_VARIABLE, str(tmp_path / "nowhere"))
    with pytest.raises(Unavailable, match="start one, or unset SSH_AUTH_SOCK"):
        brought.decide(brought.ask(), "owner")


def test_more_than_an_agent_signs_is_refused_before_it_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ssh_agent.SOCKET_VARIABLE, str(tmp_path / "nowhere"))
    with pytest.raises(Refused, match="262,144 bytes are more than an ssh-agent signs; sign with the key's file"):
        ssh_agent.sign_with_agent(key_file(tmp_path / "own"), bytes(ssh_agent.MAX_MESSAGE_BYTES))


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (None, r"did not answer within 0\.2 s"),
        (b"", "does not answer .it hung up"),
        (b"\0\0\0\x05\x0c\0\0\0\x01", "cut short"),
        (b"\0\0\0\x01\x0c", "cut short; it speaks another protocol: start another, or unset SSH_AUTH_SOCK"),
    ],
    ids=["silent", "hangs up", "cuts short", "lists nothing, not even how many"],
)
def test_an_agent_that_does_not_answer_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: bytes | None, told: str
) -> None:
    place = Path(f"/tmp/hallmark-deaf-{os.getpid()}")
    monkeypatch.setenv(ssh_agent.SOCKET_VARIABLE, str(place))
    monkeypatch.setattr(ssh_agent, "TIMEOUT_SECONDS", 0.2 if answer is None else 60)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(str(place))
        listening.listen()

        def serve() -> None:
            caller, _ = listening.accept()
            with caller:
                caller.recv(100)
                if answer is None:
                    caller.recv(1)  # until the other side gives up
                else:
                    caller.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            with pytest.raises(Unavailable, match=told):
                ssh_agent.list_public_lines()
        finally:
            thread.join()
            place.unlink()


def test_the_file_that_the_environment_names(brought: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = brought.ask()
    for name, kind, told in (
        ("none", "", "no private key can be read here"),
        ("dsa", "ecdsa", "expected an ed25519 key"),
        ("other", "ed25519", r"the key SHA256:\S+ is not one that owner can sign with"),
    ):
        monkeypatch.setenv(signing_keys.KEY_VARIABLE, str(tmp_path / name))
        if kind:
            key_file(tmp_path / name, kind=kind)
        with pytest.raises(HallmarkError, match=told):
            brought.decide(asked, "owner")
    monkeypatch.setenv(signing_keys.KEY_VARIABLE, str(tmp_path / "own"))
    (tmp_path / "own").chmod(0o644)
    with pytest.raises(InputError, match="chmod 600"):
        brought.decide(asked, "owner")
    (tmp_path / "own").chmod(0o600)
    brought.decide(asked, "owner")
    assert brought.judge(asked).state == "passed"


def test_the_key_of_the_project_goes_before_the_one_named_and_that_before_the_agent(
    tmp_path: Path, agent: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, named, held = (key_file(tmp_path / name) for name in ("here", "named", "held"))
    run("ssh-add", "-q", tmp_path / "held")
    monkeypatch.setenv(signing_keys.KEY_VARIABLE, str(tmp_path / "named"))

    def signs() -> str:
        signer = signing_keys.for_person(tmp_path / "here", [here, named, held])
        assert signer
        return keys.fingerprint(signer.public_line)

    assert signs() == keys.fingerprint(here)
    (tmp_path / "here").unlink()
    assert signs() == keys.fingerprint(named)
    monkeypatch.delenv(signing_keys.KEY_VARIABLE)
    assert signs() == keys.fingerprint(held)


def at_a_terminal(key: Path, *typed: str) -> tuple[int, str]:
    """Sign with a key whose passphrase is asked for; what comes out, and how it ends."""
    code = f"""
from pathlib import Path
from tasks.core.errors import HallmarkError
from tasks.trust import keys, signing_keys
try:
    print("signs:", keys.fingerprint(signing_keys.signer_from_file(Path({str(key)!r})).public_line))
except HallmarkError as error:
    raise SystemExit(f"{{error}} -> {{error.exit_code}}")
"""
    process, terminal = pty.fork()
    if process == 0:
        os.execve(sys.executable, [sys.executable, "-c", code], os.environ | {"PYTHONPATH": str(Path.cwd())})
    told, answers = "", list(typed)
    while True:
        try:
            told += os.read(terminal, 1000).decode()
        except OSError:  # the other side has ended
            break
        if answers and told.endswith(": ") and "passphrase of" in told.splitlines()[-1]:
            os.write(terminal, f"{answers.pop(0)}\n".encode())
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), told


def test_a_passphrase_is_asked_for_at_the_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ssh_agent.SOCKET_VARIABLE, raising=False)
    line = key_file(tmp_path / "locked", "open sesame")
    code, told = at_a_terminal(tmp_path / "locked", "wrong", "open sesame")
    assert code == 0 and f"signs: {keys.fingerprint(line)}" in told
    assert told.count("the passphrase is wrong") == 1 and "sesame" not in told
    code, told = at_a_terminal(tmp_path / "locked", "a", "b", "c")
    assert code == 1 and told.count("the passphrase is wrong") == 3 and told.rstrip().endswith("-> 2")


def test_in_a_script_a_key_with_a_passphrase_signs_through_the_agent_alone(
    tmp_path: Path, agent: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = key_file(tmp_path / "locked", "secret")
    monkeypatch.setattr("sys.stdin", io.StringIO())
    with pytest.raises(InputError, match="in a script let an ssh-agent sign: `ssh-add"):
        signing_keys.signer_from_file(tmp_path / "locked", [line])
    answer = tmp_path / "answer"
    answer.write_text("#!/bin/sh\necho secret\n")
    answer.chmod(0o700)
    run("ssh-add", "-q", tmp_path / "locked", SSH_ASKPASS=str(answer), SSH_ASKPASS_REQUIRE="force")
    signer = signing_keys.signer_from_file(tmp_path / "locked", [line])
    keys.load_public_key(line).verify(signer.sign(b"data"), b"data")
