"""An experiment's world is its own: what it makes and keeps, no other run takes, and it is given copies alone."""

import shutil
from pathlib import Path

import pytest

from tasks.core.files import read_json, sha256_file, tree_digest
from tasks.core.layout import CACHE_ROOT_VARIABLE, EXPERIMENTS_FOLDER
from tasks.runs import stage
from tasks.runs.outputs import dvc
from tasks.runs.run import Run
from tasks.sources import vault_keys
from tasks.supervise import grants, materials, record_store
from tasks.trust import stage_record
from tests.checkouts import Checkouts
from tests.tiny_project import create, dvc_remote
from tests.whole_run import bring

STAGES = ("ingest", "clean")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, checkouts: Checkouts) -> Path:
    return checkouts.warm(tmp_path_factory.mktemp("project") / "project")


def run_of(project: Path, name: str, tier: str) -> Run:
    return create(project, name, changes={"use_case.risk_tier": tier})


@pytest.fixture(scope="module")
def tried(project: Path) -> Run:
    """An experiment that has gone through some stages."""
    run = run_of(project, "tried", "experiment")
    for name in STAGES:
        bring(run, name)
    return run


def shared(project: Path) -> str:
    state = project / ".hallmark"
    return str(
        {name: tree_digest(state / name) for name in ("cache", "records", "ingested") if (state / name).exists()}
    )


def test_it_has_a_vault_a_cache_and_records_of_its_own(project: Path, tried: Run) -> None:
    state, own = project / ".hallmark", project / ".hallmark" / EXPERIMENTS_FOLDER
    assert tried.layout.run_state == own
    keys = [(world / vault_keys.KEY_FILE).read_bytes() for world in (state, own)]
    assert keys[0] != keys[1] and (own / "vault" / "vault.db").stat().st_mode & 0o077 == 0
    fingerprints = {vault_keys.load_keys(world).fingerprint for world in (state, own)}
    assert read_json(tried.layout.sources_path)["vault"] in fingerprints - {vault_keys.load_keys(state).fingerprint}
    assert {path.name for path in own.iterdir()} >= {"cache", "records", "vault", "keys"}


@pytest.mark.attack(rights="commit", stopped="what an experiment makes lies apart from what governed runs share")
def test_it_leaves_nothing_where_governed_runs_look(project: Path) -> None:
    state = project / ".hallmark"
    vault, found = sha256_file(state / "vault" / "vault.db"), shared(project)
    run = run_of(project, "leaves", "experiment")
    for name in STAGES:
        bring(run, name)
    assert (sha256_file(state / "vault" / "vault.db"), shared(project)) == (vault, found)


@pytest.mark.attack(rights="commit", stopped="a record of an experiment counts for no other run, wherever it lies")
def test_its_record_counts_for_no_governed_run(project: Path, tried: Run) -> None:
    """The very work, and the record where the governed runs have theirs."""
    governed = run_of(project, "governed", "limited")
    for name in ("sources.json", "stages.json"):
        shutil.copyfile(tried.layout.inputs_folder / name, governed.layout.inputs_folder / name)
    by = stage.load_worker_keys(governed.governance(), governed.ledger())
    read = materials.material_digests("ingest", governed.layout)
    record = record_store.find_record(
        tried.layout,
        "ingest",
        materials.material_digests("ingest", tried.layout),
        by.public_key_lines,
        by.needs_sandbox,
    )
    assert (
        record
        and record.record.environment.experiment
        and record.record.inputs_sha256 == stage_record.inputs_digest("ingest", read)
    )
    assert record_store.find_record(governed.layout, "ingest", read, by.public_key_lines, by.needs_sandbox) is None
    record_store.store_record(governed.layout, "ingest", record.envelope, record.record.inputs_sha256)
    assert record_store.find_record(governed.layout, "ingest", read, by.public_key_lines, by.needs_sandbox) is None
    assert not record_store.is_usable_record(record, governed.layout, record.record.inputs_sha256, by.needs_sandbox)


def test_what_a_governed_run_made_it_is_given_as_a_copy(project: Path) -> None:
    """The base model: its stage reads no source."""
    run = run_of(project, "given", "experiment")
    outcome = bring(run, "base_model")
    assert outcome.cached and outcome.record and not outcome.record.record.environment.experiment
    inodes = {path.stat().st_ino for path in (project / ".hallmark" / "cache").rglob("*")}
    assert not inodes & {
        path.stat().st_ino for path in (project / ".hallmark" / EXPERIMENTS_FOLDER / "cache").rglob("*")
    }
    assert not inodes & {path.stat().st_ino for path in run.layout.artefacts("base_model").rglob("*")}


def test_a_stage_is_given_no_way_to_the_vault(tried: Run) -> None:
    given = {"PGPASSWORD": "p", "HALLMARK_VAULT_KEY": "k", "HALLMARK_VAULT_URL": "postgresql://db/vault", "PATH": "x"}
    own = {CACHE_ROOT_VARIABLE: str(tried.layout.run_state)}
    assert grants.stage_variables("ingest", tried.layout, given, has_network=False) == {"PATH": "x", **own}
    assert not grants.grant_of_stage("ingest").needs_network(tried.layout, given)
    assert grants.variables_without_sandbox(tried.layout, given) == {"PATH": "x", **own}


def test_its_outputs_go_to_a_place_of_their_own_in_a_remote(project: Path, tried: Run, tmp_path: Path) -> None:
    dvc_remote(project, tmp_path / "store")
    dvc.push_outputs(tried.layout)
    assert [path.name for path in (tmp_path / "store").iterdir()] == [EXPERIMENTS_FOLDER]
