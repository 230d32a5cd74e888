"""The fixtures of tests/governed, for this room, and a ledger whose heads are published."""

from pathlib import Path

import pytest

from tasks.ledger.heads import publication
from tasks.ledger.ledger import Ledger, open_ledger
from tests.governed.fixtures import cluster, folder, house, made
from tests.governed.house import House
from tests.ledger.publishing import append, published

__all__ = ["away", "cluster", "folder", "house", "kept", "made"]


@pytest.fixture(autouse=True)
def own_ledger(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test opens a ledger that the environment names."""
    monkeypatch.delenv("HALLMARK_LEDGER_URL", raising=False)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return open_ledger(tmp_path)


@pytest.fixture
def away(tmp_path: Path) -> Path:
    """A folder that the ledger's owner cannot write, let us say."""
    return tmp_path / "mounted" / "heads"


@pytest.fixture
def kept(house: House, away: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    """A ledger of 8 entries with heads of 3 and 6, published."""
    away.parent.mkdir()
    monkeypatch.setenv(publication.PLACES_VARIABLE, str(away))
    for _ in range(2):
        append(house, 3)
        published(house)
    append(house, 2)
    return house
