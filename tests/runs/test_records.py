"""What runs do is on the ledger: each stage with what it read, once, whatever is killed, resumed or away."""

import re
from pathlib import Path

import pytest

from flows import lifecycle
from flows import stages as flow
from tasks.core.errors import Refused, Unavailable
from tasks.core.files import write_json
from tasks.core.layout import Layout
from tasks.core.version import VERSION
from tasks.ledger.ledger import Entry, Ledger, open_ledger
from tasks.runs import journal, run_entries
from tasks.runs import stage as made
from tasks.runs.journal import Journal
from tasks.runs.outputs import dvc
from tasks.runs.outputs.dvc import StageOutcome
from tasks.runs.request import RunRequest
from tasks.runs.run import Run
from tests.checkouts import Checkouts
from tests.dvc_stages import run_of
from tests.in_process import hallmark, hallmark_json
from tests.tiny_project import create

AWAY = "postgresql+pg8000://nobody:secret@127.0.0.1:1/ledger"
STAGES = """
stages:
  clean:
    cmd: python -c "import pathlib; pathlib.Path('artefacts/clean').mkdir(parents=True);
      pathlib.Path('artefacts/clean/rows').write_text(pathlib.Path('inputs/a.json').read_text())"
    deps: [inputs/a.json, .dvcignore]
    outs: [artefacts/clean]
"""


def away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HALLMARK_LEDGER_URL", AWAY)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    found = run_of(tmp_path, STAGES)
    write_json(found.inputs_folder / "a.json", {"a": 1})
    return found


@pytest.fixture
def ledger(layout: Layout) -> Ledger:
    return open_ledger(layout.state)


def step(layout: Layout, ledger: Ledger) -> Entry:
    return run_entries.record_stage(ledger, layout, "r1", dvc.repro(layout, "clean", print))


def test_a_stage_is_recorded_with_what_it_read_and_left(layout: Layout, ledger: Ledger) -> None:
    entry = step(layout, ledger)
    assert (entry.kind, entry.subject, entry.body["stage"], entry.body["cached"]) == ("run.stage", "r1", "clean", False)
    assert list(entry.body["read"]) == ["inputs/a.json"], "code and parameters are in the commit"
    assert step(layout, ledger) == entry, "nothing was computed and nothing is new"
    write_json(layout.inputs_folder / "a.json", {"a": 2})
    other = step(layout, ledger)
    assert other.seq > entry.seq
    assert other.body["outputs"] != entry.body["outputs"] and other.body["read"] != entry.body["read"]
    write_json(layout.inputs_folder / "a.json", {"a": 1})
    again = step(layout, ledger)
    assert again.body["outputs"] == entry.body["outputs"] and again.body["cached"], "it came from the run cache"
    assert [e.seq for e in ledger.entries(run_entries.STAGE_KIND, "r1")] == [entry.seq, other.seq, again.seq]


def test_a_stage_that_dvc_knows_nothing_of_is_not_recorded(layout: Layout, ledger: Ledger) -> None:
    with pytest.raises(Refused, match=r"says nothing of stage clean"):
        run_entries.record_stage(ledger, layout, "r1", StageOutcome(stage="clean", seconds=1, cached=False))


def test_an_end_is_recorded_once_and_a_later_one_besides(ledger: Ledger) -> None:
    failed = run_entries.record_end(ledger, "r1", "failed", "c1", None)
    assert run_entries.record_end(ledger, "r1", "failed", "c1", None) == failed
    assert run_entries.record_end(ledger, "r2", "failed", "c1", None) != failed
    run_entries.record_end(ledger, "r1", "promoted", "c2", "tiny-1")
    assert [e.body["status"] for e in ledger.entries(run_entries.ENDED_KIND, "r1")] == ["failed", "promoted"]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, checkouts: Checkouts) -> Path:
    return checkouts.warm(tmp_path_factory.mktemp("project"))


def bring(run: Run, name: str, most: float | None = None) -> StageOutcome:
    """A stage without Prefect around it, out of the cache."""
    return made.provide_outputs(run.layout, name, made.load_worker_keys(run.governance(), run.ledger()), print)


@pytest.fixture
def plain(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HALLMARK_ROOT", str(project))
    monkeypatch.setattr(flow, "run_stage", bring)
    monkeypatch.setattr(lifecycle, "resolve_run", lifecycle.resolve_run.fn)


@pytest.fixture(scope="module")
def run(project: Path) -> Run:
    return create(project, "one")


def kinds(run: Run) -> list[str]:
    return [entry.kind for entry in run.ledger().entries(subject=run.id)]


@pytest.mark.usefixtures("plain")
def test_a_kill_between_a_stage_and_its_record_is_made_good_on_resume(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def then_away(run: Run, name: str, most: float | None = None) -> StageOutcome:
        outcome = bring(run, name)
        away(monkeypatch)
        return outcome

    with monkeypatch.context() as broken:
        broken.setattr(flow, "run_stage", then_away)
        with pytest.raises(Unavailable, match="the ledger at"):
            flow.run_stages(run, "ingest", "clean")
    monkeypatch.delenv("HALLMARK_LEDGER_URL")
    assert kinds(run) == ["run.requested"] and not run.layout.artefacts("clean").exists(), "it went no further"
    for _ in range(2):
        flow.run_stages(run, "ingest", "clean")
    assert kinds(run) == ["run.requested", "run.stage", "run.stage"]
    ingest, clean = run.ledger().entries(run_entries.STAGE_KIND, run.id)
    pinned = resolve_sources_of(run)
    assert ingest.body["read"]["source/messages"] == pinned, "which content of which source it opened"
    assert set(clean.body["read"]) >= {"artefacts/ingest"}
    rows = hallmark_json(run.checkout.root, "ledger", "list", "--run", run.id)
    assert [row["kind"] for row in (rows if isinstance(rows, list) else rows["entries"])] == kinds(run)


def resolve_sources_of(run: Run) -> str:
    from tasks.sources import resolved_sources

    [item] = resolved_sources.load_resolved(run.layout.sources_path).sources
    return item.sha256


@pytest.mark.usefixtures("plain")
def test_parameters_and_inputs_changed_after_resolving_are_refused(project: Path) -> None:
    asked = create(project, "resolved")
    request, envelope = RunRequest.from_signed(asked.request), asked.signed_request.envelope
    journal.write_journal(project / ".hallmark", Journal(run="resolved", requested_by="ml-engineer"))
    run = lifecycle.resolve_run(request, envelope)
    assert lifecycle.resolve_run(request, envelope).signed_request == run.signed_request
    [entry] = run.ledger().entries(run_entries.RESOLVED_KIND, run.id)
    assert entry.body["sources"] == {"messages": resolve_sources_of(run)}
    assert entry.body["tree_sha256"] == run.request.tree_sha256 and entry.body["hallmark"] == VERSION
    run.require_unchanged()
    for path in (run.layout.params_path, run.layout.champion_path):
        before = path.read_text()
        path.write_text(before + "\n")
        with pytest.raises(Refused, match="changed since the run was resolved"):
            lifecycle.resolve_run(request, envelope)
        with pytest.raises(Refused, match="changed since the run was resolved"):
            run.require_unchanged()
        path.write_text(before)
    (run.layout.inputs_folder / "more.json").write_text("{}")
    with pytest.raises(Refused, match=r"inputs/more\.json changed since"):
        run.require_unchanged()


@pytest.mark.parametrize(
    ("by", "told"),
    [
        (None, r"was begun by Hallmark 0\.1\.0 or an earlier commit, and this is .*start it anew"),
        ("0.1.7", r"was begun by Hallmark 0\.1\.7, and this is .*start it anew"),
        ("99.0.0", r"was begun by Hallmark 99\.0\.0, and this is .*go on with it in Hallmark 99\.0\.0"),
    ],
)
def test_a_run_that_another_version_began_ends_in_words_that_name_it(project: Path, by: str | None, told: str) -> None:
    run = create(project, f"begun-{(by or 'before').replace('.', '-')}")
    named = {"hallmark": by} if by else {}
    run.ledger().append(run_entries.RESOLVED_KIND, run.id, {"files": {}, "sources": {}, **named})
    for go_on in (lambda: create(project, run.id), run.require_unchanged):
        with pytest.raises(Refused, match=told):
            go_on()
    words = hallmark(project, "run", "--resume", run.id, code=1)
    assert re.search(told, " ".join(words.split()))


def test_code_changed_in_the_worktree_is_nothing_that_anybody_asked_for(project: Path) -> None:
    run = create(project, "code")
    run.require_unchanged()
    run.commit_files("nothing new")
    code = run.layout.root / "tasks" / "core" / "facts.py"
    before = code.read_text()
    for break_in in (
        lambda: code.write_text(before + "\nLAYERS = 9\n"),
        lambda: (run.layout.root / "tasks" / "more.py").write_text("LAYERS = 9\n"),
        lambda: (run.layout.root / "tasks" / "evil.pyc").write_text("what git ignores"),
        lambda: (run.layout.root / "dvc.yaml").unlink(),
    ):
        break_in()
        run.checkout.run_git("update-index", "--assume-unchanged", "tasks/core/facts.py", cwd=run.layout.root)
        with pytest.raises(Refused, match=r"was asked for at commit .* and its worktree has other files"):
            run.require_unchanged()
        run.checkout.run_git("update-index", "--no-assume-unchanged", "tasks/core/facts.py", cwd=run.layout.root)
        run.checkout.run_git("checkout", "--", ".", cwd=run.layout.root)
        run.checkout.run_git("clean", "--quiet", "--force", "-x", "tasks", cwd=run.layout.root)
        run.require_unchanged()


def test_a_run_that_fails_says_so_and_not_why(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HALLMARK_ROOT", str(project))
    run = create(project, "fails")
    for _ in range(2):
        with (
            pytest.raises(ValueError, match="Ada"),
            lifecycle.run_lifecycle(RunRequest.from_signed(run.request), run.signed_request.envelope),
        ):
            raise ValueError("Ada Lovelace")
    [entry] = run.ledger().entries(run_entries.ENDED_KIND, run.id)
    assert entry.body == {"status": "failed", "commit": None, "release": None}


def test_a_request_that_was_refused_leaves_no_trace_as_a_run(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HALLMARK_ROOT", str(project))
    with (
        pytest.raises(Refused, match="a forgery"),
        lifecycle.run_lifecycle(RunRequest(run_id="forged", requested_by="ml-engineer"), None),
    ):
        raise Refused("a forgery")
    assert not open_ledger(project / ".hallmark").entries(subject="forged")
