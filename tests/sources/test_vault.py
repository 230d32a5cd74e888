"""The vault: what it keeps, who it opens for, and that it is nothing without its key."""

import base64
import sqlite3
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tasks.core.errors import InputError, Refused, Unavailable
from tasks.inquiry import access_entries
from tasks.ledger.ledger import open_ledger
from tasks.policy import governance
from tasks.policy.people import People, Person
from tasks.sources import vault, vault_keys
from tasks.sources.vault import Vault, open_vault
from tasks.sources.vault_writer import TokenValue

OWNERS = People(people=[Person(id="owner", name="Owner", roles=["data_owner"])])
ANNA = TokenValue("name:aaaabbbbcccc", "Anna Schmidt")
MAIL = TokenValue("email:ddddeeeeffff", "anna@example.org")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    vault_keys.create_key(tmp_path)
    return tmp_path


@pytest.fixture
def opened(state: Path) -> Vault:
    """A vault that keeps Anna's name."""
    found = open_vault(state)
    found.add_values([ANNA])
    return found


def stored(state: Path) -> bytes:
    return b"".join(path.read_bytes() for path in (state / "vault").glob("vault.db*"))


def reveal(opened: Vault, state: Path, *tokens: str, reason: str = "asked by the person") -> dict[str, str]:
    return opened.reveal(tokens, access_entries.token_recorder(open_ledger(state), "record 1", "data-owner", reason))


def test_values_come_back_and_lie_nowhere_readable(state: Path) -> None:
    assert open_vault(state).add_values([ANNA, MAIL]) == 2
    told = reveal(open_vault(state), state, ANNA.token, MAIL.token, "phone:unknown")
    assert told == {ANNA.token: ANNA.value, MAIL.token: MAIL.value}
    assert b"Anna" not in stored(state) and b"example.org" not in stored(state)
    assert stat.S_IMODE((state / "vault" / "vault.db").stat().st_mode) == 0o600


def test_writing_again_changes_nothing(opened: Vault, state: Path) -> None:
    before = stored(state)
    assert opened.add_values([ANNA, ANNA]) == 0
    assert stored(state) == before


def test_what_is_missing_is_told(opened: Vault) -> None:
    assert opened.find_missing_tokens([ANNA.token, MAIL.token, "a:b"]) == ["a:b", MAIL.token]


def test_every_reading_is_on_the_ledger_with_its_reason(opened: Vault, state: Path) -> None:
    reveal(opened, state, ANNA.token)
    (entry,) = open_ledger(state).entries(access_entries.TOKENS_READ)
    assert entry.subject == "record 1"
    assert entry.body == {"person": "data-owner", "reason": "asked by the person", "tokens": [ANNA.token]}
    assert ANNA.value not in str(entry)


@pytest.mark.parametrize("reason", ["", "  "])
def test_it_opens_for_a_reason_only(opened: Vault, state: Path, reason: str) -> None:
    with pytest.raises(InputError, match="say in words why"):
        reveal(opened, state, ANNA.token, reason=reason)
    assert open_ledger(state).entries(access_entries.TOKENS_READ) == []


def test_what_cannot_be_recorded_is_not_shown(opened: Vault, state: Path) -> None:
    ledger = open_ledger(state)
    with sqlite3.connect(state / "ledger.db") as connection:
        connection.execute("DROP TABLE hallmark_ledger")
    with pytest.raises(Unavailable):
        opened.reveal([ANNA.token], access_entries.token_recorder(ledger, "record 1", "data-owner", "why not"))


@pytest.mark.usefixtures("opened")
def test_another_key_opens_nothing_and_writes_nothing(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = stored(state)
    monkeypatch.setenv(vault_keys.KEY_VARIABLE, base64.b64encode(bytes(32)).decode())
    with pytest.raises(InputError, match=r"was made with the key .*Nothing was written"):
        open_vault(state)
    assert stored(state) == before


@pytest.mark.usefixtures("opened")
def test_a_lost_key_is_not_replaced(state: Path) -> None:
    (state / vault_keys.KEY_FILE).unlink()
    with pytest.raises(InputError, match="restore it"):
        open_vault(state)
    with pytest.raises(InputError, match="restore it"):
        governance.create_vault_and_keys(state, OWNERS)
    assert not (state / vault_keys.KEY_FILE).exists(), "`hallmark init` makes no other"


def test_a_file_that_was_never_made_a_vault_of_does_not_keep_a_key_from_being_made(tmp_path: Path) -> None:
    (tmp_path / "vault.db").touch()
    governance.create_vault_and_keys(tmp_path, OWNERS)
    assert open_vault(tmp_path).add_values([ANNA]) == 1


def test_a_setting_that_is_empty_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(vault_keys.KEY_VARIABLE, "")
    governance.create_vault_and_keys(tmp_path, OWNERS)
    assert open_vault(tmp_path).add_values([ANNA]) == 1


@pytest.mark.parametrize("spelled", ["", "short", base64.b64encode(bytes(31)).decode(), "ä" * 44])
def test_what_is_no_key_is_refused(tmp_path: Path, spelled: str) -> None:
    path = tmp_path / vault_keys.KEY_FILE
    path.parent.mkdir()
    path.write_text(spelled)
    path.chmod(0o600)
    with pytest.raises(InputError, match="key"):
        vault_keys.load_keys(tmp_path)


def test_a_key_that_others_can_read_is_refused(state: Path) -> None:
    (state / vault_keys.KEY_FILE).chmod(0o644)
    with pytest.raises(InputError, match="chmod 600"):
        vault_keys.load_keys(state)


def test_a_value_moved_to_another_token_does_not_open(opened: Vault, state: Path) -> None:
    opened.add_values([MAIL])
    with sqlite3.connect(state / "vault" / "vault.db") as connection:
        connection.execute("DELETE FROM hallmark_vault WHERE token = ?", (MAIL.token,))
        connection.execute("UPDATE hallmark_vault SET token = ?", (MAIL.token,))
    with pytest.raises(Refused, match="was changed"):
        reveal(opened, state, MAIL.token)


def test_two_runs_at_once_take_turns(state: Path) -> None:
    every = [TokenValue(f"name:{number:012}", f"person {number}") for number in range(300)]
    parts = [every[start : start + 160] for start in range(0, 160, 20)]
    with ThreadPoolExecutor(len(parts)) as pool:
        new = list(pool.map(lambda part: open_vault(state).add_values(part), parts))
    assert sum(new) == 300, "each was put in once"
    assert open_vault(state).find_missing_tokens([secret.token for secret in every]) == []


def test_a_vault_of_an_earlier_version_moves_to_its_folder_with_all_that_it_holds(state: Path) -> None:
    open_vault(state).add_values([ANNA])
    for file in (state / "vault").iterdir():
        file.rename(state / file.name)
    (state / "vault").rmdir()
    assert vault.vault_exists(state)
    assert open_vault(state).find_missing_tokens([ANNA.token]) == []
    assert not list(state.glob("vault.db*"))
