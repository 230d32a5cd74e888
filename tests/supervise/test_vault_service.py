"""The vault as stage `ingest` has it: it adds values by their tokens, and is told only which tokens are there."""

import json
import os
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from tasks.core.errors import InputError, Refused, Unavailable
from tasks.sources import vault_keys
from tasks.sources.vault import open_vault
from tasks.sources.vault_writer import SOCKET_VARIABLE, TokenValue, VaultClient, connect_to_vault
from tasks.stages.data.protect.tokens import make_token
from tasks.supervise.vault_service import MAX_VALUE_LENGTH, REQUEST_HANDLERS, serve_vault


@pytest.fixture
def state(tmp_path: Path) -> Path:
    vault_keys.create_key(tmp_path)
    return tmp_path


@contextmanager
def asking(state: Path) -> Iterator[Connection]:
    """The end that a stage has."""
    with serve_vault(state) as given, Connection(os.dup(int(given.variables[SOCKET_VARIABLE]))) as end:
        yield end


@contextmanager
def writing(state: Path) -> Iterator[VaultClient]:
    with serve_vault(state) as given:
        writer = VaultClient(os.dup(int(given.variables[SOCKET_VARIABLE])))
        yield writer
        writer.close()


def named(state: Path, name: str) -> TokenValue:
    return TokenValue(make_token("name", name, vault_keys.load_keys(state).tokens), name)


def values(state: Path, *secrets: TokenValue) -> dict[str, str]:
    return open_vault(state).reveal([secret.token for secret in secrets], lambda _: None)


def test_values_are_kept_and_what_is_not_there_is_told(state: Path) -> None:
    people = [named(state, f"Anna {number}") for number in range(500)]
    with writing(state) as writer:
        assert writer.add_values(people) == 500
        assert writer.add_values(iter(people)) == 0
        assert writer.find_missing_tokens([people[0].token, "name:aaaaaaaaaaaa"]) == ["name:aaaaaaaaaaaa"]
    assert values(state, *people) == {secret.token: secret.value for secret in people}


def test_a_stage_is_given_the_keys_that_open_no_value(state: Path) -> None:
    keys = vault_keys.load_keys(state)
    with writing(state) as writer:
        assert (writer.keys.tokens, writer.keys.seals, writer.keys.records) == (keys.tokens, keys.seals, keys.records)
        assert writer.keys.fingerprint == keys.fingerprint
        assert keys.encryption_key not in vars(writer.keys).values()


def test_a_stage_by_hand_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SOCKET_VARIABLE, raising=False)
    assert connect_to_vault() is None


@pytest.mark.attack(rights="stage", stopped="a value stands in the vault under its own token and no other")
@pytest.mark.parametrize("another", ["Anna's", "no class", "no token"])
def test_a_value_is_kept_under_no_other_token(state: Path, another: str) -> None:
    anna, keys = named(state, "Anna"), vault_keys.load_keys(state)
    made = {"Anna's": anna.token, "no class": make_token("x", "Eve", keys.tokens), "no token": "Eve"}[another]  # type: ignore[arg-type]
    with writing(state) as writer:
        with pytest.raises(Refused, match="which is not its token"):
            writer.add_values([anna, TokenValue(made, "Eve")])
        assert writer.find_missing_tokens([anna.token]) == [anna.token], "of one request all is kept, or nothing"
        assert writer.add_values([anna]) == 1, "it goes on"


@pytest.mark.attack(rights="stage", stopped="what stands in the vault stays, whatever a stage asks")
def test_a_token_keeps_the_value_that_it_has(state: Path) -> None:
    anna, also = named(state, "Anna"), named(state, "ANNA")
    assert anna.token == also.token
    with writing(state) as writer:
        writer.add_values([anna])
        assert writer.add_values([also]) == 0
    assert values(state, anna) == {anna.token: "Anna"}


@pytest.mark.attack(rights="stage", stopped="no answer of the vault's service holds a value")
def test_no_request_gives_a_value_back(state: Path) -> None:
    anna = named(state, "Anna Schmidt")
    open_vault(state).add_values([anna])
    for do in (*REQUEST_HANDLERS, "reveal", "open", "_open", "keys", "__class__"):
        with asking(state) as stage:
            stage.send_bytes(json.dumps({"do": do, "tokens": [anna.token], "values": [[anna.token, "x"]]}).encode())
            told = received(stage)
            assert b"Schmidt" not in told and vault_keys.load_keys(state).encryption_key.hex().encode() not in told
    assert values(state, anna) == {anna.token: "Anna Schmidt"}


HOSTILE: list[bytes] = [
    b"", b"\xff", b"[]", b"{}", b"1", b'{"do": []}', b'{"do": "keep"}', b'{"do": "keep", "values": [1]}',
    b'{"do": "keep", "values": [[1, 2]]}', b'{"do": "keep", "values": [["name:a"]]}', b'{"do": "missing", "tokens": 1}',
    b'{"do": "missing", "tokens": [[]]}', b"[" * 100_000, pickle.dumps(Path), b'{"do": NaN}',
]  # fmt: skip


@pytest.mark.attack(rights="stage", stopped="what is no request of the vault's service ends the service")
@pytest.mark.parametrize("sent", HOSTILE)
def test_what_is_no_request_ends_it(state: Path, sent: bytes) -> None:
    with asking(state) as stage:
        stage.send_bytes(sent)
        assert received(stage) == b""
    assert not open_vault(state).find_missing_tokens([])


@pytest.mark.attack(rights="stage", stopped="a request without end is not read")
def test_a_request_without_end_is_not_read(state: Path) -> None:
    with asking(state) as stage:
        os.write(stage.fileno(), b"\xff\xff\xff\xff" + (2**62).to_bytes(8, "big"))
        assert received(stage) == b""


@pytest.mark.attack(
    rights="stage", stopped="a stage that reads no answer holds its supervisor up no longer than it runs"
)
def test_one_that_reads_no_answer_ends_nothing(state: Path) -> None:
    asked = json.dumps({"do": "missing", "tokens": [f"name:{number:012}" for number in range(20_000)]}).encode()
    with asking(state) as stage:
        stage.send_bytes(asked)


@pytest.mark.attack(rights="stage", stopped="the supervisor ends its end, whoever else has the other")
def test_a_socket_that_somebody_else_has_holds_nobody_up(state: Path) -> None:
    """A stage may hand it on to another one, which goes on."""
    with serve_vault(state) as given:
        kept = os.dup(int(given.variables[SOCKET_VARIABLE]))
    with Connection(kept) as elsewhere:
        assert received(elsewhere) == b""


@pytest.mark.attack(rights="stage", stopped="a value in the vault is no longer than what recognisers find")
def test_a_value_without_end_is_not_kept(state: Path) -> None:
    phone = make_token("phone", "+49 30 1234567", vault_keys.load_keys(state).tokens)
    with writing(state) as writer:
        with pytest.raises(Refused, match="would keep a value of"):
            writer.add_values([TokenValue(phone, "+49 30" + " " * MAX_VALUE_LENGTH + "1234567")])
        assert writer.find_missing_tokens([phone]) == [phone]


def test_what_the_vault_says_is_said_in_the_stage(tmp_path: Path) -> None:
    with serve_vault(tmp_path) as given, pytest.raises(InputError, match="the vault's key is wanted"):
        VaultClient(os.dup(int(given.variables[SOCKET_VARIABLE])))


def test_a_supervisor_that_is_gone_is_told(state: Path) -> None:
    with serve_vault(state) as given:
        writer = VaultClient(os.dup(int(given.variables[SOCKET_VARIABLE])))
        writer._supervisor.send_bytes(b"no request")
        with pytest.raises(Unavailable, match="the supervisor of this stage, which has the vault, is gone"):
            writer.find_missing_tokens(["name:a"])
        writer.close()


def received(answers: Connection) -> bytes:
    """An answer; nothing where the service has ended."""
    try:
        told: Any = answers.recv_bytes()
    except (EOFError, OSError):
        return b""
    return bytes(told)
