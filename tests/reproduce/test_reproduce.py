"""Where a release is built again, what stands in the way, and, slowly, a whole release rebuilt bit by bit."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tasks.core.files import tree_digest
from tasks.core.graph import DVC_STAGES
from tasks.core.layout import Layout
from tasks.core.payload import manifest
from tasks.core.payload.manifest import Manifest
from tasks.reproduce import obstacles, reproduction
from tasks.reproduce.original import Original
from tasks.reproduce.reproduction import ReproducedStage, Reproduction
from tasks.reproduce.worktree import reproduction_worktree
from tasks.runs.git.repository import Repository
from tasks.runs.run import open_run
from tasks.trust import dsse, keys, stage_record
from tests import whole_run
from tests.checkouts import Checkouts
from tests.dvc_stages import run_of
from tests.in_process import adopt, hallmark, hallmark_json
from tests.tiny_project import commit, git


@pytest.fixture
def checkout(tmp_path: Path) -> Repository:
    root = tmp_path / "checkout"
    (root / "data").mkdir(parents=True)
    (root / ".dvc").mkdir()
    (root / "params.yaml").write_text("committed: true\n")
    (root / ".gitignore").write_text(".hallmark\ndata\n")
    (root / "data" / "not-committed.csv").write_text("a\n")
    (root / ".hallmark" / "releases" / "tiny-1").mkdir(parents=True)
    (root / ".hallmark" / "keys").mkdir()
    (root / ".hallmark" / "keys" / "vault").write_text("key")
    (root / ".hallmark" / "keys" / "gate").write_text("key")
    (root / ".hallmark" / "ledger.db").write_text("ledger")
    git(root, "init", "--quiet")
    commit(root, "start")
    return Repository.open(root)


@pytest.mark.attack(rights="stage", stopped="what a failed stage says of itself is not in the ledger")
def test_what_a_failed_stage_says_is_not_recorded() -> None:
    """`StageAgain.why` of a stage that failed is its own error, which may quote a row."""
    said = {"stage ingest: Ada Lovelace\nhas a card": False, "stage clean ended with exit code 7; Ada Lovelace": False,
            "it reads what could not be built: ingest": True}  # fmt: skip
    stages = [
        ReproducedStage(stage="s", came_out="cannot", seconds=1, wanted="0" * 64, found=None, why=why) for why in said
    ]
    made = Reproduction(
        release=None, sha256=None, run="r1", commit="0" * 40, verdict="incomplete", stages=stages, notes=[],
        machine="m", kept=None,
    )  # fmt: skip
    recorded = reproduction._redact_messages(made)
    assert "Ada" not in str(recorded) and "Ada" in str(made), "who builds it again is told"
    assert [each["why"] == why for each, why in zip(recorded["stages"], said, strict=True)] == list(said.values())


def worktrees(checkout: Repository) -> int:
    return len(checkout.run_git("worktree", "list").splitlines())


def test_it_stands_apart_and_reads_what_stages_need(checkout: Repository) -> None:
    with reproduction_worktree(checkout, "tiny-1", "HEAD", keep_worktree=False) as layout:
        assert layout.params_path.read_text() == "committed: true\n"
        assert layout.state != checkout.root / ".hallmark"
        assert layout.resolve_path("data/not-committed.csv").read_text() == "a\n"
        assert sorted(path.name for path in layout.state.iterdir()) == ["keys", "models", "releases", "runs"]
        held = sorted(path.name for path in (layout.state / "keys").iterdir())
        assert held == ["vault", "worker", "worker.pub"], "a worker's own, since the checkout has none"
        assert (layout.state / "releases" / "tiny-1").is_dir()
        assert "dir = ../../../cache" in (layout.root / ".dvc" / "config.local").read_text()
    assert not layout.root.exists() and not layout.state.exists()
    assert worktrees(checkout) == 1
    assert (checkout.root / "data" / "not-committed.csv").exists() and (
        checkout.root / ".hallmark" / "releases"
    ).exists()


def test_an_interruption_leaves_nothing(checkout: Repository) -> None:
    with (
        pytest.raises(KeyboardInterrupt),
        reproduction_worktree(checkout, "tiny-1", "HEAD", keep_worktree=False) as layout,
    ):
        raise KeyboardInterrupt
    assert not layout.root.exists() and worktrees(checkout) == 1


def test_what_a_killed_one_left_goes_first_and_one_that_was_kept_too(checkout: Repository) -> None:
    with reproduction_worktree(checkout, "tiny-1", "HEAD", keep_worktree=True) as layout:
        (layout.state / "cache").mkdir()
    assert layout.root.exists(), "kept"
    with reproduction_worktree(checkout, "tiny-1", "HEAD", keep_worktree=False) as layout:
        assert not (layout.state / "cache").exists()
    assert worktrees(checkout) == 1


def test_other_library_versions_are_told(tmp_path: Path) -> None:
    path = tmp_path / "constraints.txt"
    path.write_text("# why\npytest==0.1  # old\npydantic==1.0\nno-such-package==1\n")
    (told,) = obstacles._library_differences(path)
    assert "pytest" in told and "(wanted 0.1)" in told and "pydantic" in told and "no-such" not in told
    path.write_text(f"pytest=={pytest.__version__}\n")
    assert list(obstacles._library_differences(path)) == []


def test_a_release_whose_code_was_digested_otherwise_is_said_to_be_that(checkout: Repository) -> None:
    """The digest of a manifest of before left docstrings out. With the same tree it was made with the same code."""
    with reproduction_worktree(checkout, "tiny-1", "HEAD", keep_worktree=False) as layout:
        for path in (layout.champion_path, layout.code_path, layout.params_path, layout.root / "constraints.txt"):
            path.parent.mkdir(exist_ok=True)
            path.write_text('{"tree_sha256": "' + "1" * 64 + '"}')
        now = manifest.build_input_fields(layout, "2" * 64)
        of_before, other = Manifest.model_construct(**now), Manifest.model_construct(**now | {"tree_sha256": "3" * 64})
        (told,) = obstacles._input_differences(layout, of_before)
        assert "made by a Hallmark before 0.2.0" in told and "the commit holds the files" in told
        told = " ".join(obstacles._input_differences(layout, other))
        assert "tree_sha256 of the commit is not the manifest's" in told and "code_sha256 of the commit is not" in told


def again(*came_out: str) -> list[ReproducedStage]:
    return [
        ReproducedStage.model_validate(
            {"stage": "s", "came_out": how, "seconds": 1, "wanted": "0" * 64, "found": None, "why": ""}
        )
        for how in came_out
    ]


def test_one_difference_decides_the_verdict() -> None:
    assert reproduction._overall_verdict(again("same", "same")) == "identical"
    assert reproduction._overall_verdict(again("same", "cannot")) == "incomplete"
    assert reproduction._overall_verdict(again("cannot", "differs")) == "differs"


CLEAN = """
stages:
  clean:
    cmd: >-
      python -c "print('progress clean reading'); print('progress clean 1/2 tickets 9 rows/s eta 3s'); print('else');
      __import__('pathlib').Path('artefacts/clean').mkdir(parents=True)"
    outs: [artefacts/clean]
"""


class Heard:
    """A watcher that remembers."""

    def __init__(self) -> None:
        self.told: list[tuple[str, ...]] = []

    def show_step(self, what: str, how: str = "") -> None:
        self.told.append((what, how))

    def line(self, text: str) -> None:
        self.told.append((text,))


def test_how_far_a_stage_is_reaches_whoever_watches(tmp_path: Path) -> None:
    """A stage of minutes shows that it goes on, in its own words; what else it prints is not shown."""
    watcher, layout = Heard(), run_of(tmp_path, CLEAN)
    nothing: Any = None
    work = reproduction._ReproductionJob(
        layout, nothing, layout, None, watcher, worker=None, needs_sandbox=False, is_supervised=False
    )
    found, why = reproduction._build_stage(work, "clean", "clean", [])
    assert found == tree_digest(layout.artefacts("clean")) and not why
    assert watcher.told == [("clean", "reading"), ("clean", "1/2 tickets 9 rows/s eta 3s")]


CHAIN = """
stages:
  ingest:
    cmd: mkdir artefacts/ingest; echo again > artefacts/ingest/rows
    outs: [artefacts/ingest]
  clean:
    cmd: mkdir artefacts/clean; cat artefacts/ingest/rows > artefacts/clean/rows
    deps: [artefacts/ingest]
    outs: [artefacts/clean]
  deduplicate:
    cmd: mkdir artefacts/deduplicate; cat artefacts/clean/rows > artefacts/deduplicate/rows
    deps: [artefacts/clean]
    outs: [artefacts/deduplicate]
"""
LOCK = """
schema: '2.0'
stages:
  ingest: {cmd: x, deps: []}
  clean: {cmd: x, deps: [{path: artefacts/ingest, md5: 00000000000000000000000000000000.dir}]}
  deduplicate: {cmd: x, deps: [{path: artefacts/clean, md5: 00000000000000000000000000000000.dir}]}
"""
LEFT_FIRST = "the stages behind it are compared on what it left first"


@pytest.mark.parametrize("left", ["as it was", "nothing", "other bytes"])
def test_what_cannot_be_built_is_put_in_place_where_the_first_run_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: str
) -> None:
    """And the stages behind it are built on that; on nothing that is another's."""
    layout, first = run_of(tmp_path, CHAIN), Layout(tmp_path / "first")
    layout.root.joinpath("dvc.lock").write_text(LOCK)
    layout.artefacts("ingest").parent.mkdir()
    chain = ("ingest", "clean", "deduplicate")
    monkeypatch.setattr(reproduction, "STAGES", {name: reproduction.STAGES[name] for name in chain})
    for name in chain:
        first.artefacts(name).mkdir(parents=True)
        (first.artefacts(name) / "rows").write_text("as the source had them")
    wanted = {name: tree_digest(first.artefacts(name)) for name in chain}
    if left == "nothing":
        shutil.rmtree(first.artefacts("ingest"))
    elif left == "other bytes":
        (first.artefacts("ingest") / "rows").write_text("others")
    of = Original("tiny-1", "r0", "0" * 40, wanted, {})
    work = reproduction._ReproductionJob(
        layout, of, first, "taken back", Heard(), worker=None, needs_sandbox=False, is_supervised=False
    )
    ingest, clean, deduplicate = reproduction._reproduce_stages(work)
    assert ingest.why.startswith("its sources may not be read again: taken back")
    assert ingest.why.endswith(LEFT_FIRST) == (left == "as it was")
    away = ("cannot", f"it reads what could not be built: ingest; {LEFT_FIRST}")
    assert (clean.came_out, clean.why) == (("same", "") if left == "as it was" else away)
    assert (ingest.came_out, deduplicate.came_out, deduplicate.why) == ("cannot", "same", "")


@pytest.mark.slow
def test_a_run_and_its_release_come_out_bit_by_bit_and_what_cannot_be_built_is_said(
    tmp_path: Path, checkouts: Checkouts
) -> None:
    project = checkouts.passed(tmp_path / "project")
    git(project, "worktree", "repair", str(project / ".hallmark" / "runs" / whole_run.RUN))
    second = two_machines(project)
    run = open_run(project, whole_run.RUN)
    run.commit_files("Gates passed; ready for promotion")
    own = run.layout
    before = (git(project, "status", "--porcelain"), git(project, "for-each-ref"), git(project, "worktree", "list"))
    files = tree_digest(project / ".hallmark" / "releases")
    checkpoints = sorted((project / ".hallmark" / "checkpoints").rglob("*"))

    with on_another_machine(project, second):
        made = hallmark_json(project, "reproduce", whole_run.RUN)
    assert made["verdict"] == "identical", made
    assert len(made["stages"]) == len(DVC_STAGES) and {stage["came_out"] for stage in made["stages"]} == {"same"}
    now = (git(project, "status", "--porcelain"), git(project, "for-each-ref"), git(project, "worktree", "list"))
    assert now == before
    assert tree_digest(project / ".hallmark" / "releases") == files
    assert sorted((project / ".hallmark" / "checkpoints").rglob("*")) == checkpoints
    whole_run.promote(run)
    (release,) = hallmark_json(project, "releases", "list")
    assert made["stages"][-1]["found"] == release["payload_sha256"]
    signed_again(Path(release["bundle"]), made["records"])
    told = hallmark(project, "releases", "verify", release["bundle"])
    assert "2 machines made the same of every stage, each with a worker's key of its own" in told

    looked_back(project, tmp_path, release)

    # A source that may not be read again, of which the release's own run has nothing any more.
    hallmark(project, "data", "withdraw", "messages", "--as", "data-owner", "--reason", "a test")
    for name in ("ingest", "base_model"):
        shutil.rmtree(own.artefacts(name))
    (project / "examples" / "model" / "config.json").write_text("{}")
    made = hallmark_json(project, "reproduce", "tiny-1", code=3)
    out = {stage["stage"]: stage for stage in made["stages"]}
    assert made["verdict"] == "incomplete"
    assert {name for name, stage in out.items() if stage["came_out"] != "cannot"} == {"suites"}, "it reads neither"
    assert "may not be read again" in out["ingest"]["why"] and "a test" in out["ingest"]["why"]
    assert out["clean"]["why"].startswith("it reads what could not be built: ingest; the stages behind it are compared")
    assert "holds another model than" in out["base_model"]["why"]
    assert out["train"]["why"].startswith("it reads what could not be built: base_model")


def two_machines(project: Path) -> Path:
    """Give the worker a key on each of two machines, and return the folder of the second key."""
    folder, place = project / "infra" / "governance", project.with_name("second")
    keys.create_key_pair(place, "worker")
    lines = [(each / "worker.pub").read_text().strip() for each in (project / ".hallmark" / "keys", place)]
    with (folder / "people.yaml").open("a") as file:
        file.write(f"machines:\n  worker: {{keys: [{', '.join(lines)}]}}\n")
    commit(project, "Two machines")
    adopt(project)
    return place


@contextmanager
def on_another_machine(project: Path, key: Path) -> Iterator[None]:
    """With the key of another machine in the place of this one's, and nothing kept of what this one made."""
    own, names = project / ".hallmark" / "keys", ("worker", "worker.pub")
    for name in names:
        (own / name).rename(own / f"{name}.first")
        shutil.copy(key / name, own / name)
    yield
    for name in names:
        (own / f"{name}.first").replace(own / name)


def signed_again(bundle: Path, records: dict) -> None:
    """Each stage has a second record: same materials, same outputs."""
    theirs = {
        path.stem: stage_record.parse_unverified_record(dsse.read_envelope(path))
        for path in bundle.rglob("stages/*.json")
    }
    ours = {name: stage_record.parse_unverified_record(envelope) for name, envelope in records.items()}
    assert theirs.keys() == ours.keys() and len(ours) == len(DVC_STAGES)
    for name, record in ours.items():
        assert record.record.taken_from is None, "it came from no cache"
        assert record.record.inputs == theirs[name].record.inputs
        assert record.outputs.keys() == theirs[name].outputs.keys()


def looked_back(project: Path, tmp_path: Path, release: dict) -> None:
    """What an auditor asks of a real release on the command line."""
    (model,) = hallmark_json(project, "releases", "champion", release["promoted_at"][:10])["models"]
    assert model["champion"]["release"] == "tiny-1" and all(it["entry"] for it in model["champion"]["approvals"])
    assert "nothing was in production yet" in hallmark(project, "releases", "champion", "2020-01-01")
    assert "has not come yet" in hallmark(project, "releases", "champion", "2999-01-01", code=2)
    found = hallmark_json(project, "releases", "diff", "tiny-1", release["bundle"])
    assert (found["records"]["how"], found["code"], found["parameters"]) == ("same", [], {})
    assert "the very same dataset" in hallmark(project, "releases", "diff", "tiny-1", "tiny-1")
    assert "is neither a release nor a folder" in hallmark(project, "releases", "diff", "tiny-1", "tiny-9", code=2)
    told = hallmark_json(project, "audit", "tiny-1", "--to", str(tmp_path / "dossier"))
    assert told["verdict"] == "valid" and Path(told["page"]).is_file() and Path(told["archive"]).is_file()
    artifacts = [it for chapter in told["chapters"] for claim in chapter["claims"] for it in claim["artifacts"]]
    (proof, *_) = [tmp_path / "dossier" / it["proof"] for it in artifacts if it["proof"]]
    assert "is in the ledger" in hallmark(project, "ledger", "verify-proof", str(proof))
