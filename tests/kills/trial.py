"""One kill: a process of its own does a deed and is killed, somebody does it again, and everything is looked at."""

import contextlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event

from tasks.core.errors import HallmarkError
from tasks.ledger import ledger_verification as ledger_check
from tasks.ledger.heads import publication
from tasks.registry.admit import admission
from tasks.registry.promote import intents, mlflow_mirror, promotion, releases
from tasks.registry.release import promotions
from tests.kills.deeds import Deed
from tests.kills.project import WEIGHTS, open_house
from tests.registry.house import NAME, House

STEPS = ("os.rename", "os.link", "os.remove", "os.rmdir")
"""What changes names on the disk, as Python's audit hooks call it; a database's commit is a step too."""


@dataclass
class Ended:
    """A process that ended."""

    code: int
    """Negative: the signal that killed it."""
    told: str
    seconds: float


@dataclass
class Outcome:
    deed: str
    at: str
    """When it was killed, in words."""
    midway: bool
    """Some of what the deed changes was there, and some was not."""
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    half: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Ends:
    """A deed undisturbed."""

    seconds: float
    """The median of so many as were measured."""
    before: list[Any]
    """`shape` of what it starts from."""
    after: list[Any]


def process(folder: Path, act: Callable[[], object], after: float | None = None, step: int | None = None) -> Ended:
    """Do something in `folder`, in a process that is killed `after` seconds, unless it ends sooner, or before a step,
    where it has none of that number at its end."""
    with tempfile.TemporaryFile() as told:
        began = time.perf_counter()
        pid = os.fork()
        if not pid:
            _child(folder, act, told.fileno(), step)
        if after is not None:
            time.sleep(max(0.0, began + after - time.perf_counter()))
            os.kill(pid, signal.SIGKILL)  # it is not waited for yet, so the number is still its own
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        seconds = time.perf_counter() - began
        told.seek(0)
        return Ended(status, told.read().decode(), seconds)


def _child(folder: Path, act: Callable[[], object], told: int, step: int | None) -> None:
    code = 1
    try:
        os.chdir(folder)
        os.dup2(told, 1)
        os.dup2(told, 2)
        sys.stdout, sys.stderr = (os.fdopen(number, "w", buffering=1, closefd=False) for number in (1, 2))
        if step is not None:
            count_steps(step)
        act()
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 0 if error.code is None else 1
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        if step is not None:  # the one after the last
            os.kill(os.getpid(), signal.SIGKILL)
        os._exit(code)


def count_steps(until: int) -> list[str]:
    """Note each step; before the one of that number (from 0) the process is killed."""
    done: list[str] = []

    def note(step: str) -> None:
        if len(done) == until:
            os.kill(os.getpid(), signal.SIGKILL)
        done.append(step)

    sys.addaudithook(lambda name, _: note(name) if name in STEPS else None)
    event.listen(Engine, "commit", lambda _: note("commit"))
    return done


def answer(folder: Path, ask: Callable[[], Any]) -> Any:
    """What a process of its own answers, in JSON; SQLite bears no fork with a file open, so this one opens none."""
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "answer.json"
        ended = process(folder, lambda: path.write_text(json.dumps(ask())))
        if ended.code:
            raise AssertionError(f"looking at {folder} failed ({ended.code}): {ended.told}")
        return json.loads(path.read_bytes())


def steps(deed: Deed, states: Path, copies: Path) -> list[str]:
    """Every step that the deed takes undisturbed."""

    def ask() -> list[str]:
        done = count_steps(-1)
        with contextlib.suppress(SystemExit):
            deed.act()
        return done

    with copied(states / deed.state, copies) as folder:
        found: list[str] = answer(folder, ask)
    return found


def undisturbed(deed: Deed, states: Path, copies: Path, times: int) -> Ends:
    taken = []
    with copied(states / deed.state, copies) as folder:
        before = answer(folder, lambda: shape(Path.cwd()))
    for _ in range(times):
        with copied(states / deed.state, copies) as folder:
            ended = process(folder, deed.act)
            if ended.code or deed.said not in ended.told:
                raise AssertionError(f"{deed.name} undisturbed ended with {ended.code}: {ended.told}")
            taken.append(ended.seconds)
            after = answer(folder, lambda: shape(Path.cwd()))
    return Ends(sorted(taken)[len(taken) // 2], before, after)


@contextlib.contextmanager
def copied(state: Path, copies: Path) -> Any:
    with tempfile.TemporaryDirectory(dir=copies) as name:
        folder = Path(name) / "project"
        shutil.copytree(state, folder)
        yield folder


def shape(folder: Path) -> list[Any]:
    """What is there: entries of the ledger, and files by name, those that lie aside too; databases' own not."""
    state = folder / ".hallmark"
    names = [str(path.relative_to(state)) for path in state.rglob("*") if path.is_file() and ".db" not in path.name]
    return [len(open_house(folder).ledger.entries()), sorted(name for name in names if not name.endswith("lock"))]


def kill(
    deed: Deed, states: Path, copies: Path, ends: Ends, rng: random.Random, after: float | None = None,
    step: int | None = None,
) -> Outcome | None:  # fmt: skip
    """Kill, do again, look. None where the deed was over before."""
    with copied(states / deed.state, copies) as folder:
        killed = process(folder, deed.act, after, step)
        if killed.code != -signal.SIGKILL:
            return None
        left, times, torn = answer(folder, lambda: first_look(deed))
        at = f"after {after:.3f} s" if after is not None else f"before step {step}"
        found = Outcome(deed.name, at, midway=left not in (ends.before, ends.after))
        found.half += torn
        _count(found, times, "after the kill", may_lack=deed.said not in killed.told)
        meanwhile = [look for look in (served, watched) if rng.random() < 0.5]
        if meanwhile:
            found.half += answer(folder, lambda: [text for look in meanwhile for text in look()])
        again = process(folder, deed.act)
        fine = again.code == 0 and deed.said in again.told
        told_so = again.code == 1 and bool(deed.already) and deed.already in again.told and min(times) == 1
        if not (fine or told_so):
            found.half.append(f"done again it ended with {again.code}: {again.told[-2000:]}")
        try:
            times, wrong = answer(folder, lambda: (deed.times(open_house(Path.cwd())), whole(deed)))
        except AssertionError as error:  # what lies there breaks even that
            found.half.append(str(error))
        else:
            _count(found, times, "done again", may_lack=False)
            found.half += wrong
    return found


def first_look(deed: Deed) -> tuple[list[Any], list[int], list[str]]:
    house = open_house(Path.cwd())
    return shape(house.root), deed.times(house), _files(house)


def _count(found: Outcome, times: list[int], when: str, may_lack: bool) -> None:
    if min(times) < 1 and not may_lack:
        found.lost.append(f"{when}: {times}")
    if max(times) > 1:
        found.doubled.append(f"{when}: {times}")


def served() -> list[str]:
    """A server that starts gets what the newest statement names, whole; what is wrong with that, in words."""
    house = open_house(Path.cwd())
    newest = promotions.read_promotions(house.ledger, house.governance, NAME).newest_statement
    admitted = admission.admit_in_checkout(house.root, NAME)
    weights = (admitted.model / "adapter_model.safetensors").read_bytes()
    if newest is None or (admitted.label, weights) != (newest.promotion.label, WEIGHTS.get(newest.promotion.label)):
        return [f"{admitted.label} is served with {weights!r}, the newest statement is {newest and newest.promotion}"]
    return []


def watched() -> list[str]:
    """The runner's monitor looks."""
    house = open_house(Path.cwd())
    promotion.recover(house.ledger, house.governance)
    promotion.restore_aliases(house.ledger, house.governance)
    return []


def whole(deed: Deed) -> list[str]:
    """What is wrong after all."""
    house = open_house(Path.cwd())
    newest = promotions.read_promotions(house.ledger, house.governance, NAME)
    wrong = [*newest.problems, *served(), *_ledger(house), *_releases(house), *_files(house)]
    assert newest.newest_statement is not None
    if newest.newest_statement.promotion.label != deed.champion:
        wrong.append(f"{newest.newest_statement.promotion.label} is champion, {deed.champion} was to be")
    if pending := intents.pending_intents(house.ledger):
        wrong.append(f"still pending: {pending}")
    try:
        if not deed.settled(house):
            wrong.append("what follows from it is not so")
    except HallmarkError as error:
        wrong.append(str(error))
    return wrong + _mirror(house, deed.champion)


def _ledger(house: House) -> list[str]:
    publication.publish(house.ledger, house.governance)
    report = ledger_check.verify_ledger(house.ledger, house.governance)
    return [finding.text for finding in report.findings if finding.verdict == "wrong"]


def _releases(house: House) -> list[str]:
    """Every release verifies, and nothing else lies under a release's name."""
    known = releases.list_releases(house.ledger, house.governance)
    champions = [r.label for r in known if releases.CHAMPION in r.aliases]
    wrong = [] if len(champions) == 1 else [f"champions: {champions}"]
    for release in known:
        verified = releases.verify_release(Path(release.bundle), house.governance)
        wrong += [] if verified.ok else [f"{release.label} does not verify: {verified.against}"]
    there = sorted(p.name for p in (house.state / "releases").iterdir() if not p.name.startswith("."))
    return wrong + ([] if there == sorted(str(r.label) for r in known) else [f"releases/ holds {there}"])


def _files(house: House) -> list[str]:
    """No half of a JSON file stands under its own name."""
    wrong = []
    for path in house.state.rglob("*.json"):
        if path.name.startswith("."):
            continue
        try:
            json.loads(path.read_bytes())
        except ValueError as error:
            wrong.append(f"{path}: {error}")
    return wrong


def _mirror(house: House, champion: str) -> list[str]:
    """Each release has one version in MLflow for each place that it was copied to."""
    with mlflow_mirror.RegistryClient(house.state) as client:
        versions = [
            (version.tags[mlflow_mirror.RELEASE_TAG], version.source)
            for version in client.search_model_versions(f"name = '{NAME}'")
        ]
        shown = client.get_model_version_by_alias(NAME, releases.CHAMPION).tags[mlflow_mirror.RELEASE_TAG]
    known = {str(r.label) for r in releases.list_releases(house.ledger, house.governance)}
    whole = len(versions) == len(set(versions)) and {release for release, _ in versions} == known
    wrong = [] if whole else [f"MLflow has versions of {sorted(versions)}, released are {sorted(known)}"]
    return wrong + ([] if shown == champion else [f"MLflow shows {shown} as champion"])
