"""Places with something about a person that are there now, one function for each kind.

An execution counts them before and after its steps, so that what it reports as removed is gone.
"""

import os
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

from tasks.cleanup import plan as cleanup_plan
from tasks.cleanup import run_files
from tasks.core.layout import EXPERIMENTS_FOLDER, Layout
from tasks.erase import affected_runs, checkpoints, remote_outputs
from tasks.erase.places import Places
from tasks.erase.subject import Subject, worlds
from tasks.inquiry import access_entries
from tasks.registry.release import bundle
from tasks.runs.checkout import Checkout
from tasks.runs.reporting import mlflow_runs
from tasks.sources.vault import open_vault
from tasks.suppression.place_kinds import Kind

FindPlaces = Callable[[Checkout, Subject], Places]
LOCK_NAME = ".lock"
IDS_PER_QUERY = 500


def source_cache_folders(state: Path, subject: Subject) -> list[Path]:
    """Return the folders in which `ingest` keeps tables of the person's sources. Empty ones are left out."""
    sources = sorted({each.source_id for each in subject.records})
    homes = (state / "ingested", state / EXPERIMENTS_FOLDER / "ingested")
    folders = [path for home in homes for source in sources for path in sorted(home.glob(f"*/{source}"))]
    return [path for path in folders if path.is_dir() and any(each.name != LOCK_NAME for each in path.iterdir())]


def payload_folder(state: Path, label: str) -> Path:
    return bundle.release_folder(state, label) / bundle.PAYLOAD


def dossier_folders(state: Path, subject: Subject) -> list[Path]:
    return [path for label in sorted(subject.releases) if (path := state / "audits" / label).exists()]


def is_tracked_elsewhere(here: Checkout) -> bool:
    """Return whether MLflow is a server that somebody else runs, where records are only marked as deleted."""
    given = os.environ.get("MLFLOW_TRACKING_URI")
    return bool(given) and str(_tracking_database(here)) not in str(given)


def _sources(_here: Checkout, subject: Subject) -> Places:
    rows = sorted({(each.source_id, each.row) for each in subject.records})
    return Places.of("row", [f"{source}:{row}" for source, row in rows])


def _values(here: Checkout, subject: Subject) -> Places:
    tokens = subject.tokens
    count = sum(len(tokens) - len(open_vault(world).find_missing_tokens(tokens)) for world in worlds(here.state))
    return Places(count, "encrypted values")


def _index_rows(here: Checkout, subject: Subject) -> Places:
    members = affected_runs.index_memberships(here.state, subject.tokens, subject.record_keys)
    return Places(len(members), f"rows of {len({each.dataset for each in members}):,} datasets")


def _source_tables(here: Checkout, subject: Subject) -> Places:
    return _folders(source_cache_folders(here.state, subject), here.state)


def _run_files(here: Checkout, subject: Subject) -> Places:
    roots = [here.state / "runs" / run for run in subject.runs]
    left = [root.name for root in roots if root.is_dir() and run_files.removable_paths(Layout(root))]
    return Places.of("run", left)


def _remote_outputs(here: Checkout, subject: Subject) -> Places:
    return remote_outputs.find_places(here.root, subject)


def _cached_outputs(here: Checkout, subject: Subject) -> Places:
    paths = cleanup_plan.find_cached(here.state, subject.runs).paths if subject.runs else []
    return Places(len(paths), f"what {len(subject.runs):,} runs alone put there")


def _checkpoints(here: Checkout, subject: Subject) -> Places:
    return _folders(checkpoints.find_folders(here.state, subject.runs), here.state)


def _tracked_runs(here: Checkout, subject: Subject) -> Places:
    if is_tracked_elsewhere(here):
        return Places(len(subject.runs), "runs on an MLflow server, which only marks records as deleted")
    database = _tracking_database(here)
    return Places(_count_tracked(database, subject.runs) if database.exists() else 0, "records of these runs")


def _payloads(here: Checkout, subject: Subject) -> Places:
    return Places.of(
        "release", [each for each in sorted(subject.releases) if payload_folder(here.state, each).exists()]
    )


def _dossiers(here: Checkout, subject: Subject) -> Places:
    return _folders(dossier_folders(here.state, subject), here.state)


def _look_ups(here: Checkout, subject: Subject) -> Places:
    own = set(subject.tokens)
    looks = [
        entry.seq
        for kind in (access_entries.PERSON_SOUGHT, access_entries.TOKENS_READ)
        for entry in here.ledger.readable_entries(kind)
        if own & set(entry.body.get("tokens") or ())
    ]
    return Places.of("look-up in entry", list(map(str, looks)))


def _folders(paths: list[Path], state: Path) -> Places:
    return Places.of("folder", [path.relative_to(state).as_posix() for path in paths])


def _tracking_database(here: Checkout) -> Path:
    return here.state / "mlflow" / "mlflow.db"


def _count_tracked(database: Path, runs: list[str]) -> int:
    """Count MLflow's records of runs without MLflow, which takes seconds to import."""
    found = 0
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
        if not connection.execute("select 1 from sqlite_master where name = 'tags'").fetchone():
            return 0
        for start in range(0, len(runs), IDS_PER_QUERY):
            part = runs[start : start + IDS_PER_QUERY]
            marks = ", ".join("?" * len(part))
            query = f"select count(distinct run_uuid) from tags where key = ? and value in ({marks})"
            found += connection.execute(query, [mlflow_runs.RUN_TAG, *part]).fetchone()[0]
    return found


PLACES: Mapping[Kind, FindPlaces] = {
    "source": _sources,
    "vault": _values,
    "index": _index_rows,
    "source-cache": _source_tables,
    "runs": _run_files,
    "remote": _remote_outputs,
    "cache": _cached_outputs,
    "checkpoints": _checkpoints,
    "tracking": _tracked_runs,
    "releases": _payloads,
    "audits": _dossiers,
    "ledger": _look_ups,
}
"""Function that finds the places of each kind. Sources belong to their owners, so their rows are those that were
found."""
