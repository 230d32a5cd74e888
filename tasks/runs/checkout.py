"""A checkout with its ledger and the governance in force: how commands, pages and flows open them."""

from datetime import datetime
from functools import cached_property
from pathlib import Path

from tasks.ledger.ledger import Ledger, open_ledger
from tasks.policy.governance import Governance
from tasks.runs.git.repository import Repository
from tasks.runs.governance_cache import GovernanceCache
from tasks.runs.run import installed_governance


class Checkout:
    """Checkout whose ledger and governance are each read at their first use and cached."""

    def __init__(self, root: Path, proposed: Path | None = None) -> None:
        """Open nothing yet. `proposed` is another governance folder, for environment `local`."""
        self.root, self.state = root, root / ".hallmark"
        self._proposed = str(proposed) if proposed else None

    @cached_property
    def ledger(self) -> Ledger:
        return open_ledger(self.state)

    @cached_property
    def governance(self) -> Governance:
        return installed_governance(self.root, self._proposed)

    @cached_property
    def rules(self) -> GovernanceCache:
        return GovernanceCache(self.root, self.ledger)

    @cached_property
    def now(self) -> datetime:
        """Time by the ledger's clock when this property was first read."""
        return self.ledger.now()

    @property
    def repository(self) -> Repository:
        return Repository.open(self.root)
