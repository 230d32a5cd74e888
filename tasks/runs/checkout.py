"""A checkout with its ledger and the governance in force, as commands, console pages and flows open them."""

from datetime import datetime
from functools import cached_property
from pathlib import Path

from tasks.ledger.ledger import Ledger, open_ledger
from tasks.policy.governance import Governance
from tasks.runs.git.repository import Repository
from tasks.runs.governance_cache import GovernanceCache
from tasks.runs.run import installed_governance


class Checkout:
    def __init__(self, root: Path, proposed: Path | None = None) -> None:
        """Initialise without reading any file.

        Args:
            root: Root folder of the checkout.
            proposed: Governance folder to use instead of infra/governance; allowed in environment `local` only.
        """
        self.root, self.state = root, root / ".hallmark"
        self._proposed = str(proposed) if proposed else None

    @cached_property
    def ledger(self) -> Ledger:
        return open_ledger(self.state)

    @cached_property
    def governance(self) -> Governance:
        return installed_governance(self.root, self._proposed)

    @cached_property
    def governance_cache(self) -> GovernanceCache:
        return GovernanceCache(self.root, self.ledger)

    @cached_property
    def ledger_time(self) -> datetime:
        """Ledger time at the first access to this property."""
        return self.ledger.now()

    @property
    def repository(self) -> Repository:
        return Repository.open(self.root)
