"""Cache of the governance of runs: governance files that many runs share are read once.

A cache is meant for one pass over the runs. Later changes of the files are not noticed.
"""

from pathlib import Path

from tasks.core.layout import Layout
from tasks.gates import signed_request
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance
from tasks.runs.request import checked_run_id
from tasks.runs.run import exists_here, installed_governance


class GovernanceCache:
    def __init__(self, root: Path, ledger: Ledger) -> None:
        self._root, self._ledger = root, ledger
        self._runs = root.resolve() / ".hallmark" / "runs"
        self._read: dict[str | None, Governance] = {}

    def of_local_run(self, run: str) -> Governance | None:
        """Return the governance that applies to a run's gates; None if the run is not on this machine.

        The signature of the run request is not verified here, but by `gates.judge`.
        """
        if not exists_here(Layout(self._runs / checked_run_id(run))):
            return None
        return self._cached_governance(signed_request.named_governance(self._ledger, run))

    def of_any_run(self, run: str) -> Governance | None:
        """Return the governance of a run on any machine; None if it uses governance files of another machine."""
        named = signed_request.named_governance(self._ledger, run)
        return self._cached_governance(None) if named is None else self.of_local_run(run)

    def of_run_with_own_files(self, run: str) -> Governance | None:
        """Return the governance of a run that names its own governance files on this machine; None for other runs."""
        return None if signed_request.named_governance(self._ledger, run) is None else self.of_local_run(run)

    @property
    def loaded(self) -> list[Governance]:
        return list(self._read.values())

    def installed(self) -> Governance:
        return self._cached_governance(None)

    def _cached_governance(self, name: str | None) -> Governance:
        if name not in self._read:
            self._read[name] = installed_governance(self._root, name)
        return self._read[name]
