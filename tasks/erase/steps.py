"""Steps of an execution, one function for each kind of places that can be deleted.

Each step can be repeated: it removes what is still there, and does nothing if nothing is.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from tasks.cleanup import plan as cleanup_plan
from tasks.cleanup import run_files, tracked_runs
from tasks.core.errors import Refused
from tasks.core.layout import Layout
from tasks.core.machine.locks import hold_exclusive_lock
from tasks.erase import checkpoints, index_removal, remote_outputs
from tasks.erase.plan import ErasurePlan
from tasks.erase.present_places import LOCK_NAME, dossier_folders, payload_folder, source_cache_folders
from tasks.erase.subject import worlds
from tasks.runs import installation, journal, run_entries
from tasks.runs.checkout import Checkout
from tasks.runs.outputs import cache_lock
from tasks.runs.run_lock import hold_run_lock
from tasks.sources.vault import open_vault
from tasks.suppression.place_kinds import Kind

Step = Callable[[Checkout, ErasurePlan], None]


def remove_values(here: Checkout, plan: ErasurePlan) -> None:
    for world in worlds(here.state):
        open_vault(world).remove_values(plan.subject.tokens)


def remove_from_index(here: Checkout, plan: ErasurePlan) -> None:
    index_removal.remove_from_index(here.state, plan.subject.record_keys, plan.subject.tokens)


def remove_source_tables(here: Checkout, plan: ErasurePlan) -> None:
    for folder in source_cache_folders(here.state, plan.subject):
        with hold_exclusive_lock(folder / LOCK_NAME, f"a run reads source {folder.name}"):
            for path in sorted(folder.iterdir()):
                if path.name != LOCK_NAME:
                    run_files.remove(path)


def remove_run_files(here: Checkout, plan: ErasurePlan) -> None:
    """Remove the files of runs. Parameters, inputs, evidence and gate statements stay, as after `hallmark clean`.

    Raises:
        Refused: A process executes one of the runs.
    """
    for run in plan.subject.runs:
        layout = Layout(here.state / "runs" / run)
        if layout.root.is_dir():
            with hold_run_lock(here.state, run, wait_seconds=0):
                _remove_files_of_run(here, layout)


def remove_remote_outputs(here: Checkout, plan: ErasurePlan) -> None:
    remote_outputs.remove_objects(here.root, plan.subject)


def remove_cached_outputs(here: Checkout, plan: ErasurePlan) -> None:
    with cache_lock.hold_for_removal(here.state):
        for path in cleanup_plan.find_cached(here.state, plan.subject.runs).paths:
            run_files.remove(path)


def remove_checkpoints(here: Checkout, plan: ErasurePlan) -> None:
    """Remove checkpoints.

    Raises:
        Refused: A training uses one of them.
    """
    if used := checkpoints.remove_folders(here.state, plan.subject.runs):
        raise Refused(f"a training uses checkpoints at {used[0]}; wait for its end, or stop it: hallmark runs stop")


def remove_tracked_runs(here: Checkout, plan: ErasurePlan) -> None:
    tracked_runs.delete_tracked_runs(here.root, set(plan.subject.runs))


def retire_releases(here: Checkout, plan: ErasurePlan) -> None:
    """Remove the payload of releases. Their attestations stay.

    The ledger has marked the releases before (`release_marks.py`), so that none of them is promoted meanwhile.
    """
    for label in plan.subject.releases:
        if (path := payload_folder(here.state, label)).exists():
            run_files.remove(path)


def remove_dossiers(here: Checkout, plan: ErasurePlan) -> None:
    for path in dossier_folders(here.state, plan.subject):
        run_files.remove(path)


def _remove_files_of_run(here: Checkout, layout: Layout) -> None:
    run, paths = layout.root.name, run_files.removable_paths(layout)
    if not paths:
        return
    known = journal.read_journal(here.state, run)
    status = known.status if known else "unreadable"
    own = installation.installation_id(here.root)
    run_entries.record_cleaning(here.ledger, run, own, status, run_files.size_in_bytes(paths))
    if known and known.cleaned_at is None:
        journal.write_journal(here.state, known.model_copy(update={"cleaned_at": datetime.now(UTC)}))
    for path in paths:
        run_files.remove(path)


def leave_to_owner(_here: Checkout, _plan: ErasurePlan) -> None:
    """Remove nothing: the owners of the sources take the rows out, and the verification reads the sources."""


STEPS: Mapping[Kind, Step] = {
    "source": leave_to_owner,
    "vault": remove_values,
    "index": remove_from_index,
    "source-cache": remove_source_tables,
    "runs": remove_run_files,
    "remote": remove_remote_outputs,
    "cache": remove_cached_outputs,
    "checkpoints": remove_checkpoints,
    "tracking": remove_tracked_runs,
    "releases": retire_releases,
    "audits": remove_dossiers,
}
"""Step by kind, for what is deleted. Leftovers of all kinds are found by the verification."""
