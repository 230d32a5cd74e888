"""Files that no run names: they are removed if that was decided, and nobody uses them."""

from pathlib import Path
from typing import Any

import pytest

from tasks.core.layout import Layout
from tasks.erase import leftovers
from tasks.erase.subject import Subject
from tasks.runs.checkout import Checkout
from tasks.runs.outputs import dvc
from tasks.runs.run_lock import hold_run_lock
from tests import whole_run
from tests.checkouts import Checkouts
from tests.erase.test_erasure import ADA, UNTIL, decide, decide_all, request
from tests.in_process import hallmark, hallmark_json
from tests.tiny_project import dvc_remote

ANOTHER = "20260101-000000-ffff"
SUBJECT = Subject(values=[ADA], tokens=[], records=[])


@pytest.fixture
def project(checkouts: Checkouts, tmp_path: Path) -> Path:
    return checkouts.released(tmp_path / "project")


@pytest.fixture
def ready(checkouts: Checkouts, tmp_path: Path) -> Checkout:
    """Return a checkout without any run."""
    return Checkout(checkouts.ready(tmp_path / "project"))


def put(path: Path, text: str = f"ask {ADA}") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def execute(project: Path, erasure: str) -> list[dict[str, Any]]:
    remaining = hallmark_json(project, "erase", "execute", erasure, code=1)["remaining"]
    return [place for place in remaining if place["kind"] != "source"]


def test_files_of_others_are_removed_by_a_decision_alone(project: Path) -> None:
    state = project / ".hallmark"
    train = (state / "runs" / whole_run.RUN / "artefacts" / "split" / "train.parquet").read_bytes()
    cached = put(state / "cache" / "files" / "md5" / "00" / "stray")
    cached.write_bytes(train)
    notes, by_hand = put(state / "notes.txt"), put(project / "artefacts" / "ingest" / "rows.csv")
    model, labels = put(state / "models" / "base" / "tokenizer.json"), put(state / "labels" / "answers.jsonl")
    others = ["../artefacts/ingest/rows.csv", "labels/answers.jsonl", "models/base/tokenizer.json", "notes.txt"]
    erasure = request(project)["erasure"]
    decide_all(project, erasure)
    left = execute(project, erasure)
    assert sorted(place["path"] for place in left) == others and {place["kind"] for place in left} == {"other"}
    assert not cached.exists() and all(path.exists() for path in (notes, by_hand, model, labels))
    told = hallmark(project, "erase", "execute", erasure, code=1)
    assert f"hallmark erase decide {erasure} other --delete or --keep" in " ".join(told.split())
    decide(project, erasure, "other")
    assert [place["path"] for place in execute(project, erasure)] == others[1:3]
    assert not notes.exists() and not by_hand.exists() and model.exists() and labels.exists()
    decide(project, erasure, "other", how=("--keep", "--until", UNTIL))
    assert execute(project, erasure) == []


def test_files_of_a_run_that_executes_stay(ready: Checkout) -> None:
    path = put(ready.state / "runs" / ANOTHER / "artefacts" / "ingest" / "rows.csv")
    with hold_run_lock(ready.state, ANOTHER):
        left = leftovers.remove_leftovers(ready, SUBJECT, {})
        assert [place.path for place in left] == [path.relative_to(ready.state).as_posix()] and path.exists()
    assert leftovers.remove_leftovers(ready, SUBJECT, {}) == [] and not path.exists()


def test_folders_and_links_that_are_called_after_the_person_are_removed(ready: Checkout, tmp_path: Path) -> None:
    state, store = ready.state, tmp_path / ADA
    stray = put(state / "cache" / "files" / ADA / "inner" / "stray")
    model = put(state / "checkpoints" / ADA / "model.db")
    (state / "cache" / "files" / "link").symlink_to(f"../{ADA}")
    store.mkdir()
    (state / "records").symlink_to(store)
    left = leftovers.remove_leftovers(ready, SUBJECT, {})
    kept = ["records", f"checkpoints/{ADA}/model.db", f"checkpoints/{ADA}"]
    assert [place.path for place in left] == kept and model.exists() and (state / "records").is_symlink()
    assert stray.parents[2].is_dir() and list(stray.parents[2].iterdir()) == []
    model.unlink()
    assert [place.path for place in leftovers.remove_leftovers(ready, SUBJECT, {})] == ["records"]


def test_what_holds_a_short_value_alone_is_listed_and_stays(ready: Checkout) -> None:
    path = put(ready.state / "cache" / "files" / "md5" / "00" / "stray", "Zoqe was here")
    put(ready.state / "models" / "base" / "tokenizer.json", '{"zoqe": 1}')
    (left,) = leftovers.remove_leftovers(ready, Subject(values=["Zoqe"], tokens=[], records=[]), {"other": "delete"})
    assert (left.kind, left.what) == ("cache", ["short value"]) and path.exists()


def test_in_a_remote_others_objects_of_the_same_run_stay(project: Path, tmp_path: Path) -> None:
    """Another checkout may share the remote, and have runs that need them."""
    dvc_remote(project, tmp_path / "store")
    dvc.push_outputs(Layout(project / ".hallmark" / "runs" / whole_run.RUN))
    before = {path for path in (tmp_path / "store").rglob("*") if path.is_file()}
    erasure = request(project)["erasure"]
    count = hallmark_json(project, "erase", "plan", erasure)["places"]["remote"]["count"]
    decide_all(project, erasure)
    assert execute(project, erasure) == []
    gone = {path for path in before if not path.exists()}
    assert len(gone) == count and 0 < count < len(before)
