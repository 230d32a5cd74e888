"""The fixtures of this room; what they are made of is in house.py."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.core.layout import Layout
from tasks.gates.evidence import Evidence
from tasks.ledger.ledger import open_ledger
from tasks.policy import governance
from tests.asking_agent import AskingAgent, started
from tests.governed.datasets import dataset, origin, put, put_rows
from tests.governed.house import STATE, House, copied, put_result, write_governance
from tests.governed.postgres import new_database


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "governance"
    write_governance(place)
    return place


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A house as every test finds it; made once, since every key and the ledger are flushed to disk."""
    root = tmp_path_factory.mktemp("made")
    write_governance(root / "governance")
    governance.create_vault_and_keys(root / STATE, governance.load_governance(root / "governance", root / STATE).people)
    open_ledger(root / STATE).close()
    layout = Layout(root / "run")
    put_result(layout.artefacts("ingest"), rows=210)
    put_result(layout.artefacts("split"), train_rows=200)
    (layout.artefacts("split") / "train.txt").write_text("rows")
    put(layout, dataset({"a": origin(222)}))
    put_rows(layout)
    put_result(layout.artefacts("evaluate"), exact_match={"value": 0.8, "low": 0.75, "high": 0.85})
    put_result(layout.measurements("predict/candidate"), latency_p95_ms=300)
    put_result(layout.artefacts("package"))
    return root


@pytest.fixture
def house(tmp_path: Path, made: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    monkeypatch.delenv("HALLMARK_LEDGER_URL", raising=False)
    return copied(made, tmp_path)


@pytest.fixture
def asked(house: House) -> Evidence:
    """The evidence that the data gate of run-1 asks about."""
    return house.ask()


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AskingAgent]:
    """The agent that the environment names, whose owner is asked about each use of a key."""
    with started(tmp_path / "agent") as agent:
        for name, value in agent.environment.items():
            monkeypatch.setenv(name, value)
        yield agent


@pytest.fixture(scope="session")
def cluster(postgres: str) -> str:
    """URL of a database that no other process uses."""
    return new_database(postgres)
