"""The first and every later set-up of a vault on a real Postgres: one key is made for it, by whoever comes first."""

import shutil
from pathlib import Path

import pytest

from tasks.core.errors import InputError, Unavailable
from tasks.policy import governance
from tasks.sources import vault, vault_keys
from tests.governed.postgres import sql
from tests.sources.test_vault import OWNERS

pytestmark = pytest.mark.slow


@pytest.fixture
def url(cluster: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The cluster without a vault, and the setting that points at it."""
    sql(
        cluster,
        "DROP TABLE IF EXISTS hallmark_vault, hallmark_vault_key, hallmark_vault_schema, hallmark_vault_writers",
    )
    monkeypatch.setenv("HALLMARK_VAULT_URL", cluster)
    monkeypatch.delenv("HALLMARK_VAULT_KEY", raising=False)
    return cluster


def test_init_makes_the_key_of_a_vault_that_has_none_and_keeps_it(url: str, tmp_path: Path) -> None:
    assert not vault.vault_exists(tmp_path)
    governance.create_vault_and_keys(tmp_path, OWNERS)
    before = (tmp_path / vault_keys.KEY_FILE).read_bytes()
    assert vault.vault_exists(tmp_path)
    governance.create_vault_and_keys(tmp_path, OWNERS)
    assert (tmp_path / vault_keys.KEY_FILE).read_bytes() == before
    assert vault.open_vault(tmp_path).keys == vault_keys.load_keys(tmp_path)
    assert not (tmp_path / "vault").exists()


def test_another_machine_is_told_to_bring_the_key_and_makes_none(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    governance.create_vault_and_keys(one, OWNERS)
    with pytest.raises(InputError, match="the vault's key is wanted, and neither HALLMARK_VAULT_KEY nor"):
        governance.create_vault_and_keys(two, OWNERS)
    assert not (two / vault_keys.KEY_FILE).exists()
    monkeypatch.setenv("HALLMARK_VAULT_KEY", "A" * 43 + "=")
    with pytest.raises(InputError, match="the vault was made with the key"):
        governance.create_vault_and_keys(two, OWNERS)
    monkeypatch.delenv("HALLMARK_VAULT_KEY")
    (two / vault_keys.KEY_FILE).parent.mkdir(mode=0o700, parents=True)
    shutil.copy(one / vault_keys.KEY_FILE, two / vault_keys.KEY_FILE)
    governance.create_vault_and_keys(two, OWNERS)


def test_where_the_database_is_away_no_key_is_made(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HALLMARK_VAULT_URL", url.replace("s3cret", "gue55"))
    with pytest.raises(Unavailable, match="the vault cannot be used"):
        governance.create_vault_and_keys(tmp_path, OWNERS)
    assert not (tmp_path / vault_keys.KEY_FILE).exists()
