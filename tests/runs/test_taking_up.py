"""A run that one machine pushed is taken up on another, with its outputs, and stops on the first."""

import shutil
import socket
from pathlib import Path
from uuid import uuid4

import pytest

from flows import lifecycle
from flows.stages import require_continuable
from tasks.core.errors import InputError, Refused, Unavailable
from tasks.core.files import tree_digest, write_json
from tasks.core.layout import Layout
from tasks.ledger.ledger import open_ledger
from tasks.runs import journal, run_entries, takeover
from tasks.runs.outputs import dvc
from tasks.runs.request import RunRequest
from tasks.runs.run import GIT_REMOTE_VARIABLE, Run, is_on_this_machine, open_run, run_layout
from tasks.runs.takeover import TAKEOVER_KIND, is_on_other_machine, take_over_run
from tests import whole_run
from tests.checkouts import Checkouts
from tests.editing import changed, moved
from tests.object_store import in_bucket
from tests.tiny_project import create, dvc_remote, git

RUN = "20260101-000000-aaaa"


def copy_ledger(one: Path, other: Path) -> None:
    for file in (one / ".hallmark").glob("ledger.db*"):
        shutil.copy(file, other / ".hallmark")


@pytest.fixture(scope="module")
def pushed(tmp_path_factory: pytest.TempPathFactory, checkouts: Checkouts) -> Run:
    """Its first stage is done, and it lies in a git remote and a DVC remote beside the project."""
    folder = checkouts.warm(tmp_path_factory.mktemp("machines") / "first")
    git(folder, "init", "--quiet", "--bare", str(folder.with_name("git")))
    dvc_remote(folder, folder.with_name("store"))
    run = create(folder, RUN)
    run_entries.record_resolution(run.ledger(), run.layout, RUN)
    whole_run.bring(run, "ingest")
    run.commit_files("Ask at the data gate")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv(GIT_REMOTE_VARIABLE, str(folder.with_name("git")))
        run.push_to_remotes()
    return run


@pytest.fixture
def second(pushed: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone with the same keys and the same ledger, which here is a copy."""
    first = pushed.checkout.root
    git(tmp_path, "clone", "--quiet", str(first), "second")
    dvc_remote(tmp_path / "second", first.with_name("store"))
    shutil.copytree(first / ".hallmark" / "keys", tmp_path / "second" / ".hallmark" / "keys")
    copy_ledger(first, tmp_path / "second")
    monkeypatch.setenv(GIT_REMOTE_VARIABLE, str(first.with_name("git")))
    return tmp_path / "second"


@pytest.fixture
def without_outputs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is downloaded by DVC."""
    monkeypatch.setattr(dvc, "pull_outputs", lambda _: None)


def test_a_run_is_here_with_its_outputs_and_goes_on(pushed: Run, second: Path) -> None:
    take_over_run(second, RUN)
    here = open_run(second, RUN)
    assert tree_digest(here.layout.artefacts("ingest")) == tree_digest(pushed.layout.artefacts("ingest"))
    assert here.layout.root.is_relative_to(second) and here.signed_request == pushed.signed_request
    assert dvc.repro(here.layout, "ingest", print).cached
    assert git(second, "log", "-1", "--format=%s", here.ref) == "Ask at the data gate"


def test_what_was_half_removed_in_a_kill_is_never_put_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layout = Layout(tmp_path / ".hallmark" / "runs" / RUN)
    (layout.root / "old").mkdir(parents=True)
    removed = shutil.rmtree

    def killed(path: Path, **_: object) -> None:
        if (found := next(path.rglob("old"), None)) is not None:
            found.rmdir()
            raise KeyboardInterrupt("as SIGKILL: nothing is done after it")

    with monkeypatch.context() as kill, pytest.raises(KeyboardInterrupt), takeover._replacing_local_files(layout):
        (layout.root / "new").mkdir(parents=True)
        kill.setattr(takeover.shutil, "rmtree", killed)
    assert takeover.shutil.rmtree is removed
    with pytest.raises(Refused), takeover._replacing_local_files(layout):
        raise Refused("the remote is away")
    assert [path.name for path in layout.root.iterdir()] == ["new"], "what was taken up, whole"
    assert not list((layout.state / "replaced").iterdir())


def test_it_stops_on_the_machine_that_had_it(
    pushed: Run, second: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = tmp_path / "other"
    shutil.copytree(pushed.checkout.root, first, symlinks=True)
    with monkeypatch.context() as without_outputs:
        without_outputs.setattr(dvc, "pull_outputs", lambda _: None)
        take_over_run(second, RUN)
    assert not is_on_other_machine(open_ledger(second / ".hallmark"), second, RUN)
    copy_ledger(second, first)
    monkeypatch.setenv("HALLMARK_ROOT", str(first))
    stale = open_run(first, RUN)
    with (
        pytest.raises(Refused, match=f"run {RUN} was taken up on another machine"),
        lifecycle.run_lifecycle(RunRequest.from_signed(stale.request), stale.signed_request.envelope),
    ):
        require_continuable(stale)
    known = journal.read_journal(first / ".hallmark", RUN)
    assert known is not None and known.status == "failed" and "goes on there" in (known.error or "")
    assert not open_ledger(first / ".hallmark").entries("run.ended", RUN), "it has not ended"
    before = tree_digest(stale.layout.artefacts("ingest")), git(first, "rev-parse", stale.ref)
    store = pushed.checkout.root.with_name("store")
    shutil.rmtree(first / ".hallmark" / "cache")
    with moved(store, store.with_name("aside")), pytest.raises(Unavailable):
        take_over_run(first, RUN)
    assert is_on_this_machine(stale.layout), "what was here is here as before"
    assert (tree_digest(stale.layout.artefacts("ingest")), git(first, "rev-parse", stale.ref)) == before
    assert not git(stale.layout.root, "diff", "HEAD", "--stat", "--", "tasks")
    take_over_run(first, RUN)
    assert not is_on_other_machine(open_ledger(first / ".hallmark"), first, RUN)
    assert not list((first / ".hallmark" / "replaced").iterdir())


@pytest.mark.usefixtures("without_outputs")
def test_of_two_that_take_it_up_at_once_one_wins(second: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other is done while this one still downloads: its entry is there first."""
    ledger = open_ledger(second / ".hallmark")

    def slow(_: Layout) -> None:
        ledger.append(TAKEOVER_KIND, RUN, {"installation": "0ther000", "machine": "another"})

    with monkeypatch.context() as slowly:
        slowly.setattr(dvc, "pull_outputs", slow)
        with pytest.raises(Refused, match=r"meanwhile \(another, installation 0ther000, since 20.* UTC\); it goes on"):
            take_over_run(second, RUN)
    assert not is_on_this_machine(run_layout(second, RUN)) and is_on_other_machine(ledger, second, RUN)
    assert take_over_run(second, RUN) > 0, "who asks after that takes it over"
    assert not is_on_other_machine(ledger, second, RUN)
    assert ledger.entries(TAKEOVER_KIND, RUN)[-1].body["machine"] == socket.gethostname()


@pytest.mark.usefixtures("without_outputs")
def test_a_champion_whose_release_is_elsewhere_is_named(second: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    payload = "releases/tiny-1/payload"
    monkeypatch.setattr(
        Run,
        "require_unchanged",
        lambda run: write_json(run.layout.champion_path, {"release": "tiny-1", "payload": payload}),
    )
    with pytest.raises(
        Unavailable, match=r"compared with tiny-1, .* copy the folder .*\.hallmark/releases/tiny-1 from"
    ):
        take_over_run(second, RUN)
    assert not is_on_this_machine(run_layout(second, RUN))
    (second / ".hallmark" / payload).mkdir(parents=True)
    take_over_run(second, RUN)


@pytest.mark.s3
def test_outputs_come_from_an_object_store(
    pushed: Run, second: Path, object_store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_bucket(object_store, bucket := f"runs-{uuid4().hex}", monkeypatch)
    for project in (pushed.checkout.root, second):
        dvc_remote(project, f"s3://{bucket}/store")
    try:
        pushed.push_to_remotes()
        take_over_run(second, RUN)
    finally:
        dvc_remote(pushed.checkout.root, pushed.checkout.root.with_name("store"))
    here = open_run(second, RUN)
    assert tree_digest(here.layout.artefacts("ingest")) == tree_digest(pushed.layout.artefacts("ingest"))


def test_where_a_remote_is_away_nothing_is_left(pushed: Run, second: Path) -> None:
    for away in ("git", "store"):
        place = pushed.checkout.root.with_name(away)
        with moved(place, place.with_name("aside")), pytest.raises(Unavailable):
            take_over_run(second, RUN)
        assert not is_on_this_machine(run_layout(second, RUN))
    take_over_run(second, RUN)


def test_what_is_missing_is_told(second: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="there is no run 'another' here"):
        take_over_run(second, "another")
    (second / ".dvc" / "config.local").unlink()
    with pytest.raises(InputError, match="DVC has no default remote here"):
        take_over_run(second, RUN)
    monkeypatch.delenv(GIT_REMOTE_VARIABLE)
    with pytest.raises(InputError, match=GIT_REMOTE_VARIABLE):
        take_over_run(second, RUN)
    assert not is_on_this_machine(run_layout(second, RUN))


@pytest.mark.attack(rights="worker", stopped="a run's code, parameters and inputs are those on record")
@pytest.mark.parametrize(
    "changed", ["tasks/stages/data/clean/clean.py", "params.yaml", "inputs/sources.json", "dvc.lock"]
)
def test_a_ref_that_holds_something_else_is_not_taken_up(pushed: Run, second: Path, changed: str) -> None:
    """Whoever may push to the git remote."""
    clone, remote = second.with_name("clone"), pushed.checkout.root.with_name("git")
    git(second.parent, "init", "--quiet", str(clone))
    git(clone, "fetch", "--quiet", str(remote), pushed.ref)
    git(clone, "checkout", "--quiet", "FETCH_HEAD")
    before = git(clone, "rev-parse", "HEAD")
    if changed == "dvc.lock":  # outputs of another run, which anybody may have in the DVC remote
        digest = run_entries._lock_entry(Layout(clone), "ingest")["outs"][0]["md5"]
        text = (clone / changed).read_text()
        (clone / changed).write_text(text.replace(digest, f"{'0' * 32}.dir"))
    else:
        with (clone / changed).open("a") as file:
            file.write("\n")
    git(clone, "commit", "--quiet", "--all", "-m", "more")
    git(clone, "push", "--quiet", str(remote), f"HEAD:{pushed.ref}")
    try:
        with pytest.raises(Refused, match=changed):
            take_over_run(second, RUN)
    finally:
        git(clone, "push", "--quiet", "--force", str(remote), f"{before}:{pushed.ref}")
    assert not is_on_this_machine(run_layout(second, RUN))


@pytest.mark.attack(rights="worker", stopped="what comes from a remote is compared with its digest")
def test_an_output_that_was_exchanged_in_the_store_is_not_taken(pushed: Run, second: Path) -> None:
    """Whoever may write to the DVC remote. All runs of the second machine would share it."""
    store = pushed.checkout.root.with_name("store")
    result = max((path for path in store.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
    with changed(result, lambda honest: honest[::-1]), pytest.raises(Unavailable, match="dvc pull failed"):
        take_over_run(second, RUN)
    assert not is_on_this_machine(run_layout(second, RUN))
