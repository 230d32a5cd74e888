"""The whole pipeline with real Prefect, DVC, Great Expectations, Ray, DeepSpeed and MLflow, on 60 rows."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tasks.core.errors import Refused, Unavailable
from tasks.core.files import tree_digest
from tasks.core.graph import DATA_STAGE_NAMES
from tasks.core.layout import Layout
from tasks.runs.outputs import dvc
from tests import plain_flow, tiny_project, whole_run
from tests.byte_search import Findings, Planted, search_folder
from tests.checkouts import Checkouts
from tests.in_process import adopt, hallmark, hallmark_json
from tests.infra.test_declaring import PUSHED
from tests.prefect_client import artifacts
from tests.private_state import open_to_others
from tests.run_states import status
from tests.tiny_project import commit, dvc_remote, git

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, checkouts: Checkouts) -> Iterator[Path]:
    folder = checkouts.warm(tmp_path_factory.mktemp("project"))
    suite = folder / "infra/governance/evaluations/pushed.yaml"
    suite.parent.mkdir()
    suite.write_text(PUSHED)
    commit(folder, "an evaluation suite")
    yield folder
    tiny_project.hallmark(folder, "down")


def foretold(project: Path, run: str) -> None:
    """A training is foretold from what the last run's was; one that does not fit is, with what would make it fit."""
    told = hallmark_json(project, "preflight")
    trained = json.loads((project / ".hallmark/runs" / run / "artefacts/train/result.json").read_text())
    assert told["fits"] and (told["rows"], told["steps"]) == (trained["rows"], trained["steps"])
    assert run in told["speed_source"] and told["hours"] > 0
    said = hallmark(project, "preflight", "--set", "resources.memory_gib=0.1", code=1)
    assert "does not fit" in said and "no setting that learns the same would make it fit" in said


def remote(project: Path) -> Path:
    return project.with_name(f"{project.name}.git")


def store(project: Path) -> Path:
    return project.with_name(f"{project.name}.store")


def test_one_command_leads_to_a_release_in_production(project: Path) -> None:
    """Demo identities decide, as in `make run`. People decide in test_production.py."""
    branch, files = git(project, "rev-parse", "main"), git(project, "status", "--porcelain")
    command = ("run", "--as", "ml-engineer", "--demo-approvals")
    told = tiny_project.hallmark(project, *command)
    for gate, person in whole_run.PEOPLE.items():
        assert re.search(rf"^  {gate} gate +passed by demo-{person}$", told, re.M), told
    assert re.search(r"^  train +done", told, re.M), told
    assert "promoted: tiny-1 is champion" in told and "demo approvals: demo identities decided" in told
    run = told.partition("run ")[2].partition(",")[0]
    ended = status(project, run)
    assert "Planted and found" in Path(ended["report"]).read_text()
    in_prefect(project, ended)

    assert (git(project, "rev-parse", "main"), git(project, "status", "--porcelain")) == (branch, files)
    committed = git(project, "ls-tree", "-r", "--name-only", ended["commit"]).splitlines()
    assert {"dvc.lock", "gates/data.json", "evidence/release.json", "inputs/sources.json"} <= set(committed)
    assert git(project, "rev-parse", f"refs/hallmark/runs/{run}") == ended["commit"]

    (release,) = hallmark_json(project, "releases", "list")
    assert release["demo"] is True and "champion" in release["aliases"]
    for named in (release["bundle"], f"{release['name']}-{release['version']}"):
        assert "valid" in hallmark(project, "releases", "verify", named)
    assert open_to_others(project / ".hallmark") == [], "data, ledger, caches and journals are their owner's alone"
    its_suites(project, run)
    its_data(project, run, f"{release['name']}-{release['version']}")
    foretold(project, run)
    assert "unchanged" in hallmark(project, *command)


def its_suites(project: Path, run: str) -> None:
    """All models that exist were asked, and report, command and release say what they answered."""
    told = hallmark(project, "suites", "results", run)
    assert re.search(r"^ *pushed +medium +4 +[01]\.\d{3} \[.*base", told, re.M), told
    (result,) = hallmark_json(project, "suites", "results", run)["suites"]
    assert result["scores"].keys() == {"base", "candidate"} and (result["cases"], result["rows"]) == (4, 4)
    worktree = project / ".hallmark" / "runs" / run
    assert 'id="suite-pushed"' in (worktree / "artefacts/evaluate/report.html").read_text()
    payload = Path(hallmark_json(project, "releases", "list")[0]["bundle"]) / "payload" / "evaluation"
    assert json.loads((payload / "suites.json").read_text())["suites"] == [result]


def its_data(project: Path, run: str, release: str) -> None:
    """What can be asked of the data behind a release: its sources, where a person is, one record with a reason."""
    (held,) = hallmark_json(project, "data", "list")
    assert (held["last_data_gate"], held["trend"][-1]["rows"], held["trend"][-1]["protected"]) == ("passed", 60, 20)
    mentions = hallmark_json(
        project, "data", "find", "--subject", "Ada Lovelace", "--reason", "a test", "--as", "data-owner"
    )
    assert len(mentions) == 20 and {tuple(row["releases"]) for row in mentions} == {(release,)}
    assert all(run in row["runs"] for row in mentions)
    behind = hallmark_json(project, "data", "records", release)
    assert len(behind) == 60
    assert {(row["licence"], row["lawful_basis"]) for row in behind} == {("CC0-1.0", "no personal data, synthetic")}
    assert {row["record"] for row in mentions} < {row["record"] for row in behind}
    asked = ("--run", run, "--reason", "a test", "--as", "data-owner")
    told = hallmark(project, "data", "show", mentions[0]["record"], *asked)
    assert f"source messages, row {mentions[0]['row']}" in told and "my name is Ada Lovelace" in told
    told = hallmark(project, "data", "show", mentions[0]["record"], *asked[:-1], "ml-engineer", code=1)
    assert "ml-engineer may not look" in told and "Ada" not in told
    # A run's worktree has the source, which is committed; everything else is what the run wrote.
    findings = Findings()
    search_folder(
        project / ".hallmark", Planted(["Ada Lovelace"]), findings, lambda path: path.parent.name == "examples"
    )
    assert not findings.places, "readable outside sources and vault"


def elsewhere(project: Path, run: str, stage: str) -> str:
    """Digest of a stage's output as a machine gets it that has nothing but the remotes."""
    other = project.with_name(f"{project.name}.elsewhere")
    git(project.parent, "init", "--quiet", str(other))
    git(other, "fetch", "--quiet", str(remote(project)), f"refs/hallmark/runs/{run}")
    git(other, "checkout", "--quiet", "FETCH_HEAD")
    dvc_remote(other, store(project))
    subprocess.run([sys.executable, "-m", "dvc", "pull", "split"], cwd=other, check=True, capture_output=True)
    return tree_digest(other / "artefacts" / stage)


def in_prefect(project: Path, ended: dict) -> None:
    """Check what a promoted run shows in Prefect: checks, figures, progress, where to read on, the release."""
    shown = artifacts(project, ended["flow_run"])
    run, tables = ended["run"], {a.description: json.loads(a.data) for a in shown if a.type == "table"}
    checks = {row["check"]: row["verdict"] for row in tables[f"data gate of run {run}: its automatic checks"]}
    assert checks["enough rows"] == "passed"
    figures = {row["figure"]: row["value"] for row in tables[f"run {run}: figures of the candidate"]}
    assert figures == {name: fact["value"] for name, fact in ended["metrics"].items()}
    texts = [a.data for a in shown if a.type == "markdown"]
    assert any(text == f"Data Docs: `{ended['data_docs']}`" for text in texts), "at the data gate"
    assert any(text.startswith(f"Report: `{ended['report']}`") for text in texts)
    assert any(f"**{ended['release']}** is champion" in text for text in texts)
    bars = [a.description for a in shown if a.type == "progress"]
    assert any(text.startswith(f"train in run {run}: done in") for text in bars), bars


@pytest.fixture
def released(tmp_path: Path, checkouts: Checkouts) -> Path:
    """A project whose champion is tiny-1, with a warm cache."""
    return checkouts.released(tmp_path / "project")


def test_the_same_inputs_again_end_as_unchanged_from_the_cache(released: Path) -> None:
    again = plain_flow.start(released, "20260102-000000-abcd")
    assert again["status"] == "unchanged", again
    assert {line["state"] for line in again["stages"].values()} == {"cached"}
    assert set(again["stages"]) == set(DATA_STAGE_NAMES), "it ends before it trains"
    assert all(line["seconds"] > 0 for line in again["stages"].values())
    assert again["release"] == "tiny-1"
    assert again["commit"] == git(released, "rev-parse", f"refs/hallmark/runs/{again['run']}")
    assert again["gates"]["data"]["decided_by"] == ["data-owner"], "a data decision carries over to the same data"


def test_a_vault_that_lost_its_values_gets_them_again(released: Path) -> None:
    """Every output comes from the cache, but what the tokens stand for is gone: the sources are read again for it."""
    for file in (released / ".hallmark" / "vault").glob("vault.db*"):
        file.unlink()
    again = plain_flow.start(released, "20260102-000000-abcd")
    assert again["status"] == "unchanged", again
    assert {name for name, line in again["stages"].items() if line["state"] != "cached"} == {"ingest"}
    asked = ("--reason", "a test", "--as", "data-owner")
    mentions = hallmark_json(released, "data", "find", "--subject", "Ada Lovelace", *asked)
    told = hallmark(released, "data", "show", mentions[0]["record"], "--run", again["run"], *asked)
    assert "my name is Ada Lovelace" in told


@pytest.mark.attack(
    rights="worker", stopped="the stage depends on its gate's file, also where the cache has its result"
)
def test_the_cache_of_another_clone_trains_nothing_without_the_gate(released: Path, tmp_path: Path) -> None:
    """Somebody has the commit and the whole cache of a promoted run, in which `train` finds its result, but no gate."""
    other = tmp_path / "other"
    git(tmp_path, "clone", "--quiet", str(released), str(other))
    git(other, "fetch", "--quiet", "origin", f"refs/hallmark/runs/{whole_run.RUN}")
    git(other, "checkout", "--quiet", "FETCH_HEAD")
    shutil.copytree(released / ".hallmark" / "cache", other / ".hallmark" / "cache")
    dvc.configure_dvc(Layout(other))
    subprocess.run([*dvc.DVC_COMMAND, "checkout", "split", "base_model"], cwd=other, check=True, capture_output=True)
    gate = other / "gates" / "data.json"
    kept = gate.read_bytes()
    for stage in ("tokenise", "train"):
        gate.unlink(missing_ok=True)
        with pytest.raises(Refused, match=r"needs gates/data\.json, and that gate has not passed"):
            dvc.repro(Layout(other), stage, print)
        assert not Layout(other).artefacts(stage).exists()
        gate.write_bytes(kept)
        assert dvc.repro(Layout(other), stage, print).cached, "the result was in the cache all the time"


STRICTER = "fact: split.train_rows, at_least: 1000"


def test_a_run_that_stopped_goes_on_once_it_is_mended(tmp_path: Path, checkouts: Checkouts) -> None:
    """A stage that failed, a check that failed and is waived, a remote that was away: one run, each time resumed."""
    project, run = checkouts.warm(tmp_path / "project"), "20260102-000000-abcd"
    policy = project / "infra" / "governance" / "policy.yaml"
    policy.write_text(policy.read_text().replace("fact: split.train_rows, at_least: 10", STRICTER))
    commit(project, "More rows")
    adopt(project)
    git(project, "init", "--quiet", "--bare", str(remote(project)))
    dvc_remote(project, store(project))
    cache, kept = project / ".hallmark" / "cache", project / ".hallmark" / "cache.kept"
    cache.rename(kept)
    cache.write_text("a file where the cache should be")
    with pytest.raises(Unavailable, match="stage ingest ended"):
        plain_flow.start(project, run)
    assert (stopped := status(project, run))["exit_code"] == 3 and "stage ingest ended" in stopped["error"]
    cache.unlink()
    kept.rename(cache)

    with pytest.raises(Refused, match=r"check 'enough rows' failed \(split.train_rows is \d+, wanted at least 1000\)"):
        plain_flow.resume(project, run)
    soon = f"{datetime.now(UTC) + timedelta(days=30):%Y-%m-%d}"
    waiver = ("gates", "waive", run, "data", "--check", "enough rows", "--reason", "a drill", "--expires", soon)
    told = hallmark(project, *waiver, "--as", "risk-officer")
    assert f"go on: hallmark run --resume {run}" in told
    told = hallmark(project, "gates", "withdraw", run, "data", "--as", "risk-officer", "--reason", "wrong run")
    assert "risk-officer, withdraw" in told and "go on" not in told
    hallmark(project, *waiver, "--as", "risk-officer")

    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("HALLMARK_GIT_REMOTE", str(remote(project)))
        away = remote(project).rename(remote(project).with_suffix(".away"))
        with pytest.raises(Unavailable, match=f"run {run} is whole and committed here, but could not be pushed"):
            plain_flow.resume(project, run)
        assert git(project, "ls-tree", "--name-only", f"refs/hallmark/runs/{run}", "evidence/data.json")
        away.rename(remote(project))
        parked = plain_flow.resume(project, run)
    assert parked["status"] == "waiting" and "train" not in parked["stages"] and parked["gates"]["data"]["waiting_for"]
    assert git(remote(project), "rev-parse", f"refs/hallmark/runs/{run}") == parked["commit"]
    evidence = hallmark_json(project, "gates", "show", run, "data")["evidence"]
    assert elsewhere(project, run, "split") == evidence["subject"]["sha256"], "another machine could go on with it"


def test_a_dirty_checkout_is_refused_with_the_remedy(tmp_path: Path, checkouts: Checkouts) -> None:
    project = checkouts.ready(tmp_path / "project")
    (project / "new.txt").write_text("x")
    told = hallmark(project, "run", "--as", "ml-engineer", code=2)
    assert "new.txt" in told and "--demo-approvals" in told
