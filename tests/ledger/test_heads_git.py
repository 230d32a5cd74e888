"""Heads in a git repository: a commit each, on a ref of their own."""

import shutil
from pathlib import Path

import pytest

from tasks.core.errors import Refused
from tasks.ledger.heads import heads, publication
from tests.governed.house import House
from tests.ledger.publishing import append, edit, published, said, verified
from tests.tiny_project import git


@pytest.fixture
def remote(tmp_path: Path, house: House, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "remote.git"
    git(tmp_path, "init", "--quiet", "--bare", str(folder))
    monkeypatch.setenv(publication.PLACES_VARIABLE, str(folder))
    append(house, 3)
    published(house)
    append(house, 2)
    return folder


def test_each_head_is_a_commit(house: House, remote: Path) -> None:
    assert published(house).delivered == {str(remote): 1}
    assert git(remote, "log", "--format=%s", "refs/hallmark/ledger") == "Ledger of 5 entries\nLedger of 3 entries"
    head = git(remote, "show", "refs/hallmark/ledger:head.json")
    assert heads.parse_head(head.encode(), publication.ledger_keys(house.governance))[0].size == 5
    assert published(house).delivered == {str(remote): 0} and verified(house).anchored == 5


def test_what_is_changed_shows(house: House, remote: Path) -> None:
    published(house)
    shutil.rmtree(house.state / "heads")
    edit(house, "UPDATE hallmark_ledger SET subject = 'other' WHERE seq = 1")
    assert verified(house).verdict == "wrong"


def test_another_machine_that_pushed_meanwhile_is_taken_up(
    house: House, remote: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tasks.ledger.heads.places.git import GitPlace

    fetch, calls = GitPlace._update_clone, []

    def late(self: GitPlace) -> None:
        fetch(self)
        calls.append(1)
        if len(calls) == 2:  # after the place was looked at and fetched for the push
            tree = git(remote, "rev-parse", "refs/hallmark/ledger^{tree}")
            commit = git(remote, "commit-tree", tree, "-p", "refs/hallmark/ledger", "-m", "Ledger of 4 entries")
            git(remote, "update-ref", "refs/hallmark/ledger", commit)

    monkeypatch.setattr(GitPlace, "_update_clone", late)
    assert published(house).delivered == {str(remote): 1}
    assert git(remote, "log", "--format=%s", "refs/hallmark/ledger").splitlines()[:2] == [
        "Ledger of 5 entries", "Ledger of 4 entries",
    ]  # fmt: skip


def test_a_history_that_was_rewritten_is_refused(house: House, remote: Path) -> None:
    published(house)
    git(remote, "update-ref", "refs/hallmark/ledger", "refs/hallmark/ledger^")
    assert "was rewritten" in said(house, "wrong")
    tree = git(remote, "rev-parse", "refs/hallmark/ledger^{tree}")
    git(remote, "update-ref", "refs/hallmark/ledger", git(remote, "commit-tree", tree, "-m", "anew"))
    append(house, 1)
    with pytest.raises(Refused, match="was rewritten"):
        published(house)
    git(remote, "update-ref", "-d", "refs/hallmark/ledger")
    with pytest.raises(Refused, match="is gone"):
        published(house)


def test_a_remote_that_is_away_is_retried(house: House, remote: Path, tmp_path: Path) -> None:
    remote.rename(tmp_path / "gone.git")
    assert "git ls-remote failed" in published(house).unavailable[0]
    (tmp_path / "gone.git").rename(remote)
    assert published(house).delivered == {str(remote): 1}


def test_a_password_in_a_url_stays_secret(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(publication.PLACES_VARIABLE, "http://anna:s3cret@127.0.0.1:9/heads")
    append(house, 1)
    (told,) = published(house).unavailable
    assert "127.0.0.1:9/heads" in told and "s3cret" not in told
