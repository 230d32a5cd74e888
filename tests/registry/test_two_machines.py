"""Two machines with one ledger and one registry on Postgres promote at once: one wins, the other is told why."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.ledger import ledger_verification as ledger_check
from tasks.registry.promote import intents, mlflow_mirror, promotion, releases
from tasks.registry.release import promotions
from tests import forking
from tests.forking import FOR_PROMOTION, Forked, Forking
from tests.governed.postgres import new_database
from tests.registry.house import NAME, House, found, open_house
from tests.soaking import soak

pytestmark = pytest.mark.slow

CHILD = """
import sys
from pathlib import Path
from tasks.core.errors import HallmarkError
from tasks.registry.promote import intents, promotion, recovery
from tests.registry.house import open_house

house, run, stop_at = open_house(Path(sys.argv[1])), sys.argv[2], sys.argv[3]
module = recovery if stop_at == "record_promotion" else intents
real = getattr(module, stop_at)


def waits(*args):
    print("ready", flush=True)
    sys.stdin.readline()
    return real(*args)


setattr(module, stop_at, waits)
try:
    print(house.promote(house.run(run)).label)
except HallmarkError as error:
    print(error, file=sys.stderr)
    sys.exit(error.exit_code)
"""
"""Promotes a run, and waits to be told to go on where it would do a step that others see."""


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory, postgres: str) -> tuple[Path, str]:
    """Two checkouts with the same keys, a champion that both have, and a candidate each, behind its gates; and the URL
    of their database, to be copied."""
    folder, url = tmp_path_factory.mktemp("machines"), new_database(postgres)
    with pytest.MonkeyPatch.context() as environment:
        use(environment, url)
        one = found(folder / "one")
        shutil.copytree(one.root, folder / "two")
        two = open_house(folder / "two")
        one.release("run-1", b"old")
        shutil.copytree(one.state / "releases", two.state / "releases")
        one.ready("run-2", b"two")
        two.ready("run-3", b"three")
    return folder, url


@pytest.fixture
def machines(tmp_path: Path, prepared: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> tuple[House, House]:
    folder, url = prepared
    use(monkeypatch, new_database(url, template=url.rpartition("/")[2]))
    for name in ("one", "two"):
        shutil.copytree(folder / name, tmp_path / name)
    return open_house(tmp_path / "one"), open_house(tmp_path / "two")


def use(environment: pytest.MonkeyPatch, url: str) -> None:
    """Ledger and registry are in that database."""
    environment.setenv("HALLMARK_LEDGER_URL", url)
    environment.setenv("MLFLOW_REGISTRY_URI", url.replace("postgresql:", "postgresql+pg8000:"))


@pytest.fixture(scope="module")
def processes() -> Iterator[Forking]:
    with forking.importing("tests.registry.house", "pg8000", *FOR_PROMOTION) as started:
        yield started


def begin(processes: Forking, house: House, run: str, stop_at: str) -> Forked:
    """Promote in a process of its own; it has come to `stop_at`."""
    process = processes.start(CHILD, house.root, run, stop_at)
    assert process.stdout.readline() == "ready\n"
    return process


def go(*processes: Forked) -> list[tuple[int, str]]:
    """Let them all go on at once; exit code and last line of each."""
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    ended = [process.communicate() for process in processes]
    return [
        (process.returncode, (told + error).splitlines()[-1])
        for process, (told, error) in zip(processes, ended, strict=True)
    ]


def check(winner: House, loser: House, label: str, weights: bytes) -> None:
    """One new champion, the same for ledger and MLflow; the other machine keeps nothing of what it tried."""
    line = promotions.read_promotions(winner.ledger, winner.governance, NAME)
    assert [signed.promotion.label for signed in line.valid_statements] == ["triage-1", label] and line.problems == ()
    assert winner.served() == weights
    with mlflow_mirror.RegistryClient(winner.state) as client:
        versions = {v.tags[mlflow_mirror.RELEASE_TAG]: v for v in client.search_model_versions(f"name = '{NAME}'")}
        assert sorted(versions) == ["triage-1", label]
        assert client.get_model_version_by_alias(NAME, "champion").version == versions[label].version
    assert sorted(path.name for path in (winner.state / "releases").iterdir()) == ["triage-1", label]
    assert [path.name for path in (loser.state / "releases").iterdir()] == ["triage-1"]
    assert releases.verify_release(winner.bundle(label), winner.governance).ok
    assert intents.pending_intents(winner.ledger) == []
    assert ledger_check.verify_ledger(winner.ledger, winner.governance).verdict == "holds"


@pytest.mark.parametrize("stop_at", ["record_intent", *soak(["record_promotion"])])
def test_two_promotions_at_once_between_machines_have_one_winner(
    machines: tuple[House, House], processes: Forking, stop_at: str
) -> None:
    """Both are let go where they take a number, and where nothing is left but to be champion."""
    first, second = (
        begin(processes, house, run, stop_at) for house, run in zip(machines, ("run-2", "run-3"), strict=True)
    )
    ended = go(first, second)
    assert sorted(code for code, _ in ended) == [0, 1], ended
    won = 0 if ended[0][0] == 0 else 1
    label = ended[won][1]
    told = ended[1 - won][1]
    assert f"{label} (statement 2), which was promoted in the meantime; run again to be compared with it" in told
    check(machines[won], machines[1 - won], label, (b"two", b"three")[won])


def test_a_promotion_under_way_on_another_machine_is_left_alone(
    machines: tuple[House, House], processes: Forking
) -> None:
    """Its lock is not seen from here. Recovery undoes no intent of a machine that may be at work on it."""
    one, two = machines
    under_way = begin(processes, one, "run-2", "record_promotion")
    assert promotion.recover(two.ledger, two.governance) == []
    assert two.promote(two.run("run-3")).label == "triage-3", "number 2 is taken"
    ((code, told),) = go(under_way)
    assert code == 1 and "which was promoted in the meantime" in told
    check(two, one, "triage-3", b"three")
