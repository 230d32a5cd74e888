"""Runs that schedules and triggers request.

The watch checks schedules and triggers every few seconds. It writes each due occasion to the ledger, with a run request
signed with the scheduler's key, and then creates a flow run in Prefect for it. Prefect's own schedules are not used,
because anyone who can reach the Prefect server could create one. Outside environment `local`, a run without a signed
request is refused.
"""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.exceptions import PrefectException

from flows import deployment_names, flow_runs
from flows.partial_work import PartialWork
from tasks.core.errors import Unavailable
from tasks.ledger import quick_check
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance
from tasks.runs import installation
from tasks.runs.checkout import Checkout
from tasks.runs.git.repository import Repository
from tasks.scheduling import (
    deployments_in_force,
    due_times,
    occasion_entries,
    requests,
    team_quotas,
    trigger_events,
)
from tasks.scheduling.deployments_file import SourceChanged, TriggerSettings
from tasks.scheduling.deployments_in_force import DeploymentsInForce
from tasks.scheduling.due_times import DueOccasion
from tasks.scheduling.occasion_log import TAKEN, OccasionLog, TakenOccasion
from tasks.scheduling.trigger_events import TriggerContext

TRIGGER_CHECK_SECONDS = 15.0
"""Seconds between two checks of a trigger. Triggers on sources have their own intervals."""


class OccasionHandler:
    """Handler of a checkout's due schedules and triggers. The watch calls its methods every few seconds.

    The watch has one handler for schedules and another for triggers, each in its own thread. Reading large sources for
    a trigger therefore does not delay a schedule.

    If several machines share a ledger, one of them is the leader and requests the due runs. Each other machine only
    completes requests that it began as leader. It also checks sources, so that it knows their earlier content if it
    becomes the leader.
    """

    def __init__(self, root: Path, is_leader: Callable[[], bool] = lambda: True) -> None:
        self._root = root
        self._is_leader = is_leader
        self._ledger: Ledger | None = None
        self._occasion_log = OccasionLog()
        self._known: tuple[int, Governance, DeploymentsInForce] | None = None
        self._next_checks: dict[str, float] = {}

    def handle_schedules(self, _: Path | None = None) -> list[str]:
        """Request the runs of due schedules, and create the flow runs of all requested runs in Prefect.

        Returns:
            Descriptions of new requests, skipped times and created flow runs.

        Raises:
            PartialFailure: Some parts failed; the other parts are done.
        """
        ledger, parts = self._open_ledger(), PartialWork()
        if self._is_idle(ledger):
            return []
        place, now = self._read_context(ledger)
        if now.error_text:
            parts.add_failures([f"the schedules in force cannot be read: {now.error_text}"])
        for each in due_times.due_occasions(now, self._occasion_log, ledger.now()) if self._is_leader() else ():
            parts.attempt(f"schedule {each.occasion.name}", partial(self._record_occasion, place, each))
        parts.attempt("runs that were asked for", partial(self._create_flow_runs, ledger))
        return parts.finish()

    def handle_triggers(self, _: Path | None = None) -> list[str]:
        """Request the runs of triggers whose events have occurred. `handle_schedules` creates their flow runs.

        Returns:
            Descriptions of new requests and skipped events.

        Raises:
            PartialFailure: Some parts failed; the other parts are done.
        """
        ledger, parts = self._open_ledger(), PartialWork()
        if self._is_idle(ledger):
            return []
        (place, now), leads = self._read_context(ledger), self._is_leader()
        for name, trigger in now.deployments.triggers.items():
            looks = name not in now.pauses and (leads or isinstance(trigger, SourceChanged))
            if looks and self._begin_check_if_due(name, trigger):
                parts.attempt(f"trigger {name}", partial(self._process_trigger, place, name, trigger, now, leads))
        return parts.finish()

    def _read_context(self, ledger: Ledger) -> tuple[TriggerContext, DeploymentsInForce]:
        governed, now = self._read_in_force(ledger)
        return TriggerContext(self._root, ledger, governed, self._occasion_log.update(ledger)), now

    def _process_trigger(
        self, context: TriggerContext, name: str, trigger: TriggerSettings, now: DeploymentsInForce, is_leader: bool
    ) -> list[str]:
        found = list(trigger_events.find_occasions(name, trigger, now.active_since[name], context))
        return (
            [line for each in found for line in self._record_occasion(context, DueOccasion(each, ""))]
            if is_leader
            else []
        )

    def _record_occasion(self, context: TriggerContext, each: DueOccasion) -> list[str]:
        occasion = each.occasion
        if each.skip_reason:
            entry = occasion_entries.record_passed_over(context.ledger, self._occasion_log, occasion, each.skip_reason)
        else:
            quick_check.require_unchanged(context.ledger, context.governance, every_entry=False)
            checkout, policy = Repository.open(self._root), context.governance.policy
            occasion = team_quotas.with_team(occasion, checkout, policy)
            entry = occasion_entries.record_occasion(
                context.ledger, self._occasion_log, occasion, installation.installation_id(self._root),
                requests.request_signer(checkout, context.ledger, context.governance, occasion),
                team_quotas.quota_checker(occasion, context.ledger, policy),
            )  # fmt: skip
        if entry is None:
            return []
        outcome = f"run {entry.body['run']}" if entry.kind == TAKEN else f"passed over, {entry.body['why']}"
        return [f"{occasion.reason}: {outcome}"]

    def _create_flow_runs(self, ledger: Ledger) -> list[str]:
        """Create the flow runs of all runs that this installation has requested and that have none yet.

        They include runs requested by a process that was killed before it could create the flow run.
        """
        waiting = self._occasion_log.update(ledger).pending_occasions(installation.installation_id(self._root))
        if not waiting:
            return []
        parts = PartialWork()
        with get_client(sync_client=True) as client:
            for taken in waiting:
                parts.attempt(f"run {taken.run} waits", partial(self._hand_to_prefect, client, ledger, taken))
        return parts.finish()

    def _hand_to_prefect(self, client: SyncPrefectClient, ledger: Ledger, occasion: TakenOccasion) -> list[str]:
        try:
            flow_run = create_flow_run(client, self._root, occasion)
        except (httpx.HTTPError, PrefectException) as error:
            raise Unavailable(f"Prefect does not take it ({error or type(error).__name__})") from None
        occasion_entries.record_started(ledger, self._occasion_log, occasion.key, occasion.run, flow_run)
        return [f"run {occasion.run} was handed to Prefect"]

    def _is_idle(self, ledger: Ledger) -> bool:
        if self._known is None or self._known[0] != ledger.last_seq():
            return False
        now = self._known[2]
        return not (
            now.deployments.named
            or now.error_text
            or self._occasion_log.pending_occasions(installation.installation_id(self._root))
        )

    def _begin_check_if_due(self, name: str, trigger: TriggerSettings) -> bool:
        """Return whether a trigger is due for a check. If it is, set the time of its next check."""
        now = time.monotonic()
        if now < self._next_checks.get(name, 0.0):
            return False
        seconds = trigger.look.total_seconds() if isinstance(trigger, SourceChanged) else TRIGGER_CHECK_SECONDS
        self._next_checks[name] = now + seconds
        return True

    def _open_ledger(self) -> Ledger:
        if self._ledger is None:
            self._ledger = Checkout(self._root).ledger
        return self._ledger

    def _read_in_force(self, ledger: Ledger) -> tuple[Governance, DeploymentsInForce]:
        """Return the current governance and the adopted deployments.

        Both are read again if the ledger has new entries.
        """
        last = ledger.last_seq()
        if self._known is None or self._known[0] != last:
            governed = Checkout(self._root).governance
            self._known = last, governed, deployments_in_force.read_deployments(ledger, governed)
        return self._known[1:]


def create_flow_run(client: SyncPrefectClient, root: Path, occasion: TakenOccasion) -> str:
    """Create the flow run of an occasion, and return its Prefect id. A repeated call returns the same id."""
    asked = requests.read_request(occasion)
    name = deployment_names.full_deployment_name(root, Checkout(root).ledger, occasion.pool)
    deployment = client.read_deployment_by_name(name)
    return flow_runs.create_flow_run(client, deployment.id, asked.request, asked.envelope, occasion.run)
