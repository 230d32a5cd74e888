"""SIGKILL at each point of a promotion: the old champion stays, or the new one is complete. Never half of one."""

import itertools
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.ledger.ledger import open_ledger
from tasks.policy import governance
from tasks.registry.promote import intents, mlflow_mirror, promotion, releases
from tasks.registry.release import promotions
from tests import forking
from tests.forking import FOR_PROMOTION, Forking
from tests.registry.house import NAME, House
from tests.soaking import soak

CHILD = """
import os, signal, sys
from pathlib import Path
from tasks.policy import governance
from tasks.ledger.ledger import Ledger, open_ledger
from tasks.core.layout import Layout
from tasks.registry.promote import assembly, base_models, intents, mlflow_mirror, promotion, recovery
from tasks.registry.release import promotions
from tasks.registry.verify import verification

root, point, moment = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
module, name = {
    "intent": (intents, "record_intent"),
    "kept": (base_models, "copy_base_model"),
    "bundle": (assembly, "build_bundle"),
    "statement": (assembly, "add_promotion"),
    "verified": (verification, "require_valid_release"),
    "named": (assembly, "rename_to_final"),
    "made": (recovery, "record_promotion"),
    "appended": (Ledger, "append"),
    "registered": (mlflow_mirror, "_ensure_version"),
    "mirrored": (mlflow_mirror, "set_aliases"),
    "recorded": (mlflow_mirror, "_record_mirrored"),
    "undone": (recovery, "undo_promotion"),
}[point]
real = getattr(module, name)

def killed(*args, **kwargs):
    if point == "appended" and args[1] != promotions.PROMOTION_KIND:
        return real(*args, **kwargs)
    if moment == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    result = real(*args, **kwargs)
    os.kill(os.getpid(), signal.SIGKILL)
    return result

setattr(module, name, killed)
state = root / ".hallmark"
ledger, governed = open_ledger(state), governance.load_governance(root / "governance", state)
if sys.argv[4] == "promote":
    promotion.promote(Layout(state / "runs" / "run-2"), "run-2", "c" * 40, ledger, governed)
else:
    promotion.recover(ledger, governed)
"""
POINTS = [
    "intent",
    "kept",
    "bundle",
    "statement",
    "verified",
    "named",
    "made",
    "appended",
    "registered",
    "mirrored",
    "recorded",
]


@pytest.fixture(scope="module")
def processes() -> Iterator[Forking]:
    with forking.importing(*FOR_PROMOTION) as started:
        yield started


def kill(processes: Forking, house: House, point: str, moment: str, what: str = "promote") -> None:
    """Do `what` in a process that is killed before or after `point`."""
    done = processes.run(CHILD, house.root, point, moment, what)
    assert done.returncode == -signal.SIGKILL, done.stderr


def check(house: House) -> str:
    """Everything agrees on one champion, and nothing else is left. Returns its weights."""
    house.ledger = open_ledger(house.state)
    weights = house.served().decode()
    known = releases.list_releases(house.ledger, house.governance)
    (reigning,) = [release for release in known if "champion" in release.aliases]
    assert all(releases.verify_release(Path(release.bundle), house.governance).ok for release in known)
    folders = sorted(path.name for path in (house.state / "releases").iterdir())
    assert folders == sorted(str(release.label) for release in known)
    assert intents.pending_intents(house.ledger) == []
    with mlflow_mirror.RegistryClient(house.state) as client:
        versions = client.search_model_versions(f"name = '{NAME}'")
        assert sorted(version.tags[mlflow_mirror.RELEASE_TAG] for version in versions) == folders
        champion = client.get_model_version_by_alias(NAME, "champion")
        assert champion.tags[mlflow_mirror.RELEASE_TAG] == reigning.label
    return weights


OF_EACH_KIND = [
    ("intent", "after"),
    ("statement", "after"),
    ("named", "after"),
    ("appended", "after"),
    ("recorded", "before"),
]
"""Nothing but an intent is left; a bundle that lies aside; a whole one; a statement; a statement that MLflow shows."""
OTHERS = [each for each in itertools.product(POINTS, ("before", "after")) if each not in OF_EACH_KIND]


@pytest.mark.slow
@pytest.mark.parametrize(("point", "moment"), [*OF_EACH_KIND, *soak(OTHERS)])
def test_a_killed_promotion_leaves_the_old_champion_or_a_complete_new_one(
    challenged: House, processes: Forking, point: str, moment: str
) -> None:
    layout = challenged.run("run-2")
    kill(processes, challenged, point, moment)

    line = promotions.read_promotions(challenged.ledger, challenged.governance, NAME)
    made = POINTS.index(point) > POINTS.index("appended") or (point, moment) == ("made", "after")
    assert len(line.valid_statements) == (2 if made else 1), "the statement in the ledger is the point of no return"
    assert challenged.served() == (b"second" if made else b"adapter")

    promotion.recover(challenged.ledger, challenged.governance)
    weights = check(challenged)
    reached = POINTS.index(point) > POINTS.index("named") or (point, moment) == ("named", "after")
    assert weights == ("second" if reached else "adapter"), "a whole bundle is promoted, anything less is undone"
    assert promotion.recover(challenged.ledger, challenged.governance) == []

    assert challenged.promote(layout).label == "triage-2"
    assert check(challenged) == "second"
    assert len(challenged.ledger.entries(promotions.PROMOTION_KIND)) == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("left_at", "point", "moment"),
    [
        ("named", "made", "after"),
        ("statement", "undone", "before"),
        *soak([("named", "made", "before")]),
    ],
)
def test_recovery_that_is_killed_too_is_recovered_from(
    challenged: House, processes: Forking, left_at: str, point: str, moment: str
) -> None:
    kill(processes, challenged, left_at, "after")
    kill(processes, challenged, point, moment, "reconcile")
    promotion.recover(challenged.ledger, challenged.governance)
    assert check(challenged) == ("adapter" if left_at == "statement" else "second")


@pytest.mark.slow
def test_what_would_not_be_promoted_today_is_undone(challenged: House, processes: Forking) -> None:
    """A whole bundle was left, and meanwhile it came out that who let it through had left."""
    kill(processes, challenged, "named", "after")
    people = challenged.governance.folder / "people.yaml"
    text = people.read_text()
    people.write_text(
        text.replace("{id: risk-officer, name: Risk officer, roles: [risk]}",
                     "{id: risk-officer, name: Risk officer, roles: [{role: risk, valid_before: 2026-01-01}]}")
    )  # fmt: skip
    assert people.read_text() != text
    kill(processes, challenged, "undone", "before", "reconcile")
    challenged.governance = governance.load_governance(challenged.governance.folder, challenged.state)
    assert "is undone: gate release of run run-2" in " ".join(
        promotion.recover(challenged.ledger, challenged.governance)
    )
    assert check(challenged) == "adapter"
    people.write_text(text)
    challenged.governance = governance.load_governance(challenged.governance.folder, challenged.state)
    assert challenged.release("run-3", b"newer").label == "triage-3", "no number is given twice to a whole bundle"
    assert check(challenged) == "newer"


def test_what_is_unfinished_is_named_and_naming_it_writes_nothing(challenged: House, processes: Forking) -> None:
    assert promotion.interrupted_releases(challenged.ledger, challenged.governance) == []
    kill(processes, challenged, "named", "after")
    before = challenged.ledger.last_seq()
    assert promotion.interrupted_releases(challenged.ledger, challenged.governance) == ["triage-2"]
    with intents.hold_lock(challenged.state):
        assert promotion.interrupted_releases(challenged.ledger, challenged.governance) == [], (
            "another process is at it"
        )
    assert challenged.ledger.last_seq() == before
    promotion.recover(challenged.ledger, challenged.governance)
    assert (
        promotion.interrupted_releases(challenged.ledger, challenged.governance) == [] and check(challenged) == "second"
    )


def test_the_command_line_does_not_wait_for_a_promotion_under_way(challenged: House) -> None:
    with intents.hold_lock(challenged.state):
        assert promotion.recover(challenged.ledger, challenged.governance) == []
