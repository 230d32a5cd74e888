"""Runs that schedules and triggers request.

The watch checks them every few seconds. A due occasion is written to the ledger with a request that the scheduler's key
has signed. Prefect then creates the flow run with the id of the run. Prefect's own schedules are not used: anyone who
can reach Prefect could create one, and outside of environment `local` such a run does not begin.
"""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.exceptions import PrefectException

from flows import deployment_names
from flows.partial_work import PartialWork
from tasks.core.errors import Unavailable
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance
from tasks.runs import installation
from tasks.runs.checkout import Checkout
from tasks.runs.git.repository import Repository
from tasks.scheduling import deployments_in_force, due_times, occasion_entries, requests, trigger_events
from tasks.scheduling.deployments_file import SourceChanged, TriggerSettings
from tasks.scheduling.deployments_in_force import DeploymentsInForce
from tasks.scheduling.due_times import DueOccasion
from tasks.scheduling.occasion_log import TAKEN, OccasionLog, TakenOccasion
from tasks.scheduling.trigger_events import TriggerContext

TRIGGER_SECONDS = 15.0
"""Seconds between two checks of a trigger. Triggers on sources have their own intervals."""


class OccasionHandler:
    """Handler of a checkout's due schedules and triggers. The watch calls its methods every few seconds.

    The watch has one handler for schedules and another for triggers, each in its own thread: a trigger can read large
    sources, which must not delay a schedule.

    If several machines share a ledger, one of them leads and requests the due runs. The others complete the requests
    that they began earlier. They also check sources, so that the next leader knows the earlier content.
    """

    def __init__(self, root: Path, leads: Callable[[], bool] = lambda: True) -> None:
        self._root = root
        self._leads = leads
        self._ledger: Ledger | None = None
        self._book = OccasionLog()
        self._known: tuple[int, Governance, DeploymentsInForce] | None = None
        self._next_checks: dict[str, float] = {}

    def handle_schedules(self, _: Path | None = None) -> list[str]:
        """Request the runs of due schedules, and hand all requested runs to Prefect.

        Returns:
            Descriptions of new requests, skipped times and runs that were handed to Prefect.

        Raises:
            PartialFailure: Some parts failed; the other parts are done.
        """
        ledger, parts = self._open_ledger(), PartialWork()
        if self._is_idle(ledger):
            return []
        place, now = self._context(ledger)
        if now.problem:
            parts.add_failures([f"the schedules in force cannot be read: {now.problem}"])
        for each in due_times.due_occasions(now, self._book, ledger.now()) if self._leads() else ():
            parts.attempt(f"schedule {each.occasion.name}", partial(self._record_occasion, place, each))
        parts.attempt("runs that were asked for", partial(self._create_flow_runs, ledger))
        return parts.finish()

    def handle_triggers(self, _: Path | None = None) -> list[str]:
        """Request the runs of triggers whose events have occurred; `handle_schedules` hands them to Prefect.

        Returns:
            Descriptions of new requests and skipped events.

        Raises:
            PartialFailure: Some parts failed; the other parts are done.
        """
        ledger, parts = self._open_ledger(), PartialWork()
        if self._is_idle(ledger):
            return []
        (place, now), leads = self._context(ledger), self._leads()
        for name, trigger in now.deployments.triggers.items():
            looks = name not in now.paused and (leads or isinstance(trigger, SourceChanged))
            if looks and self._is_check_due(name, trigger):
                parts.attempt(f"trigger {name}", partial(self._process_trigger, place, name, trigger, now, leads))
        return parts.finish()

    def _context(self, ledger: Ledger) -> tuple[TriggerContext, DeploymentsInForce]:
        governed, now = self._in_force(ledger)
        return TriggerContext(self._root, ledger, governed, self._book.update(ledger)), now

    def _process_trigger(
        self, place: TriggerContext, name: str, trigger: TriggerSettings, now: DeploymentsInForce, leads: bool
    ) -> list[str]:
        found = list(trigger_events.find_occasions(name, trigger, now.since[name], place))
        return [line for each in found for line in self._record_occasion(place, DueOccasion(each, ""))] if leads else []

    def _record_occasion(self, place: TriggerContext, each: DueOccasion) -> list[str]:
        occasion = each.occasion
        if each.passed_over:
            entry = occasion_entries.record_passed_over(place.ledger, self._book, occasion, each.passed_over)
        else:
            ask = requests.request_signer(Repository.open(self._root), place.ledger, place.governance, occasion)
            entry = occasion_entries.record_taken(
                place.ledger, self._book, occasion, installation.installation_id(self._root), ask
            )
        if entry is None:
            return []
        outcome = f"run {entry.body['run']}" if entry.kind == TAKEN else f"passed over, {entry.body['why']}"
        return [f"{occasion.reason}: {outcome}"]

    def _create_flow_runs(self, ledger: Ledger) -> list[str]:
        """Create the flow runs for the occasions for which this installation has requested runs.

        This includes requests of a process that was killed before it created the flow run.
        """
        waiting = self._book.update(ledger).not_handed_over(installation.installation_id(self._root))
        if not waiting:
            return []
        parts = PartialWork()
        with get_client(sync_client=True) as client:
            for taken in waiting:
                parts.attempt(f"run {taken.run} waits", partial(self._hand_over, client, ledger, taken))
        return parts.finish()

    def _hand_over(self, client: SyncPrefectClient, ledger: Ledger, taken: TakenOccasion) -> list[str]:
        try:
            flow_run = create_flow_run(client, self._root, taken)
        except (httpx.HTTPError, PrefectException) as error:
            raise Unavailable(f"Prefect does not take it ({error or type(error).__name__})") from None
        occasion_entries.record_started(ledger, self._book, taken.key, taken.run, flow_run)
        return [f"run {taken.run} was handed to Prefect"]

    def _is_idle(self, ledger: Ledger) -> bool:
        if self._known is None or self._known[0] != ledger.last():
            return False
        now = self._known[2]
        return not (
            now.deployments.named or now.problem or self._book.not_handed_over(installation.installation_id(self._root))
        )

    def _is_check_due(self, name: str, trigger: TriggerSettings) -> bool:
        """Return whether a trigger must be checked now, and if so, set the time of its next check."""
        now = time.monotonic()
        if now < self._next_checks.get(name, 0.0):
            return False
        seconds = trigger.look.total_seconds() if isinstance(trigger, SourceChanged) else TRIGGER_SECONDS
        self._next_checks[name] = now + seconds
        return True

    def _open_ledger(self) -> Ledger:
        if self._ledger is None:
            self._ledger = Checkout(self._root).ledger
        return self._ledger

    def _in_force(self, ledger: Ledger) -> tuple[Governance, DeploymentsInForce]:
        """Return the governance and the deployments in force. They are read again if the ledger has new entries."""
        last = ledger.last()
        if self._known is None or self._known[0] != last:
            governed = Checkout(self._root).governance
            self._known = last, governed, deployments_in_force.read(ledger, governed)
        return self._known[1:]


def create_flow_run(client: SyncPrefectClient, root: Path, taken: TakenOccasion) -> str:
    """Create the flow run of an occasion, and return its Prefect id. A repeated call returns the same id."""
    asked = requests.read_request(taken)
    name = deployment_names.full_run_deployment(root, Checkout(root).ledger, taken.pool)
    deployment = client.read_deployment_by_name(name)
    parameters = {"request": asked.request.model_dump(mode="json"), "envelope": asked.envelope}
    made = client.create_flow_run_from_deployment(deployment.id, parameters=parameters, idempotency_key=taken.run)
    return str(made.id)
