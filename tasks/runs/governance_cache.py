"""Cache of the governance of runs: governance files that several runs share are read only once.

Use a new cache for each pass over the runs, because a cache does not notice later changes to the files.
"""

from pathlib import Path

from tasks.core.layout import Layout
from tasks.gates import signed_request
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance
from tasks.runs.request import require_run_id
from tasks.runs.run import installed_governance, is_on_this_machine


class GovernanceCache:
    def __init__(self, root: Path, ledger: Ledger) -> None:
        self._root, self._ledger = root, ledger
        self._runs = root.resolve() / ".hallmark" / "runs"
        self._governances: dict[str | None, Governance] = {}

    def governance_of_local_run(self, run: str) -> Governance | None:
        """Return the governance that applies to a run's gates; None if the run is not on this machine.

        The signature of the run request is not verified here, but by `gates.judge_gate`.
        """
        if not is_on_this_machine(Layout(self._runs / require_run_id(run))):
            return None
        return self._cached_governance(signed_request.requested_governance(self._ledger, run))

    def governance_of_any_run(self, run: str) -> Governance | None:
        """Return the governance of a run on any machine; None if the run uses governance files on another machine."""
        named = signed_request.requested_governance(self._ledger, run)
        return self._cached_governance(None) if named is None else self.governance_of_local_run(run)

    def governance_of_run_with_own_files(self, run: str) -> Governance | None:
        """Return the governance of a local run that specifies its own governance files; None for every other run."""
        return (
            None
            if signed_request.requested_governance(self._ledger, run) is None
            else self.governance_of_local_run(run)
        )

    @property
    def loaded_governances(self) -> list[Governance]:
        return list(self._governances.values())

    def adopted_governance(self) -> Governance:
        return self._cached_governance(None)

    def _cached_governance(self, name: str | None) -> Governance:
        if name not in self._governances:
            self._governances[name] = installed_governance(self._root, name)
        return self._governances[name]
