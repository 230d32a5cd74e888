"""The fixtures of this room; what they are made of is in house.py."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.core.layout import Layout
from tasks.core.params.params import Params
from tasks.ledger.ledger import open_ledger
from tasks.policy import governance
from tests.govern.datasets import dataset, origin, put
from tests.govern.house import PARAMS, PEOPLE, POLICY, House, put_result
from tests.govern.postgres import started


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "governance"
    place.mkdir()
    (place / "policy.yaml").write_text(POLICY)
    (place / "people.yaml").write_text(PEOPLE)
    return place


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder as `hallmark init` makes it; made once, since every key is flushed to disk."""
    base = tmp_path_factory.mktemp("made")
    (base / "policy.yaml").write_text(POLICY)
    (base / "people.yaml").write_text(PEOPLE)
    governance.initialise(base / "state", governance.load(base, base / "state").people)
    return base / "state"


@pytest.fixture
def house(tmp_path: Path, folder: Path, made: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    monkeypatch.delenv("HALLMARK_LEDGER_URL", raising=False)
    state = tmp_path / ".hallmark"
    shutil.copytree(made, state)
    loaded = governance.load(folder, state)
    layout = Layout(tmp_path / "run")
    put_result(layout.stage("ingest"), rows=210)
    put_result(layout.stage("split"), train_rows=200)
    (layout.stage("split") / "train.txt").write_text("rows")
    put(layout, dataset({"a": origin(222)}))
    put_result(layout.stage("evaluate"), exact_match={"value": 0.8, "low": 0.75, "high": 0.85})
    put_result(layout.measured("predict/candidate"), latency_p95_ms=300)
    put_result(layout.stage("package"))
    return House(layout, Params.model_validate(PARAMS), loaded, open_ledger(state), state)


@pytest.fixture(scope="session")
def cluster() -> Iterator[str]:
    """URL of a fresh Postgres."""
    with started() as url:
        yield url
