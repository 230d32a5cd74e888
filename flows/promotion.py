"""Prefect tasks for promotion: the comparison of a candidate with the champion, and the promotion of the candidate."""

from prefect import task
from prefect.logging import get_run_logger

from flows import artifacts
from flows.lifecycle import show_activity
from tasks.ledger.heads import publication
from tasks.registry.promote import champion, promotion
from tasks.registry.promote.candidate_digest import candidate_inputs_digest
from tasks.runs.run import Run


@task(task_run_name="unchanged?", persist_result=False)
def find_unchanged_champion(run: Run) -> str | None:
    """Return the champion's label if the candidate has the same inputs as the champion, else None.

    If demo identities approved the champion but people decide in this run, the result is also None.
    """
    governed = run.governance()
    reigning = champion.current_champion(run.ledger(), governed, run.params.use_case.name)
    if reigning is None or reigning.candidate_inputs != candidate_inputs_digest(run.layout):
        return None
    if reigning.demo and not run.request.demo_approvals:
        return None
    return reigning.label


@task(task_run_name="promote", persist_result=False)
def promote(run: Run) -> str | None:
    """Verify the run again and promote its candidate to champion.

    Returns:
        Label of the release; None in a risk tier without gates, because nothing can be promoted there.
    """
    if not run.governance().policy.tier(run.params.use_case.risk_tier).gates:
        return None
    run.require_unchanged()
    commit = run.commit_files("Gates passed; ready for promotion")
    ledger, governed = run.ledger(), run.governance()
    with show_activity(run.id, "verifying everything again and promoting"):
        release = promotion.promote(run.layout, run.id, commit, ledger, governed)
    artifacts.show_promoted(release)
    for warning in publication.publish_if_changed(ledger, governed):  # the promotion holds even if no head is published
        get_run_logger().warning(warning)
    return release.label
