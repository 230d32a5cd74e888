"""Runs that execute while a person is erased, on this machine and on others that share the ledger."""

from tasks.core.errors import Refused
from tasks.core.layout import Layout
from tasks.erase.plan import ErasurePlan
from tasks.runs import run_entries, run_lease
from tasks.runs.checkout import Checkout
from tasks.runs.run_lock import is_run_executing
from tasks.sources.resolved_sources import load_resolved
from tasks.suppression.in_force import SUPPRESSION_STEP
from tasks.suppression.signed_documents import STEP


def require_none(here: Checkout, plan: ErasurePlan, erasure: str) -> None:
    """Verify that no run executes that has a record of the person or may still read one.

    Raises:
        Refused: There is such a run.
        Unavailable: The ledger cannot be reached.
    """
    sources = {each.source_id for each in plan.subject.records}
    digests = set(plan.subject.digests)
    for path in sorted((here.state / "runs").glob("*/inputs/sources.json")):
        run = path.parents[1].name
        if not is_run_executing(here.state, run):
            continue
        resolved = load_resolved(Layout(path.parents[1]).sources_path)
        reads = sources & {item.source.id for item in resolved.sources} and not digests <= set(resolved.suppressed)
        if reads or run in plan.subject.runs:
            raise Refused(
                f"run {run} is executing and reads a source of the person; wait for its end, or stop it: hallmark runs "
                f"stop {run}. Then repeat the command"
            )
    _require_none_elsewhere(here, sources, erasure)


def _require_none_elsewhere(here: Checkout, sources: set[str], erasure: str) -> None:
    """Verify the same for other machines. A run there leaves the person out if it was resolved after the suppression.

    A run without an entry about its resolution has read nothing yet, and checks the suppression before it does.
    """
    leases = run_lease.runs_on_other_machines(here.root)
    begun = [entry.seq for entry in here.ledger.entries(STEP, erasure) if entry.body.get("step") == SUPPRESSION_STEP]
    for run, place in leases.items():
        for entry in here.ledger.entries(run_entries.RESOLVED_KIND, run)[:1]:
            if sources & set(entry.body["sources"]) and not (begun and begun[0] < entry.seq):
                raise Refused(
                    f"run {run} is executing on another machine ({place}) and reads a source of the person; wait for "
                    "its end, or stop it there. Then repeat the command"
                )
