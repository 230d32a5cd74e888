"""Interface through which the ledger gets the keys that sign and verify its heads, without a dependency on policy."""

from pathlib import Path
from typing import Literal, Protocol

from tasks.trust.keys import Signer
from tasks.trust.validity import Key


class LedgerKeys(Protocol):
    """Source of the ledger's keys; implemented by `tasks.policy.governance.Governance`."""

    @property
    def state(self) -> Path:
        """Folder `.hallmark/`."""

    def keys_of(self, who: Literal["ledger"], /) -> list[Key]:
        """Return all keys of the ledger, including keys that are no longer valid or not yet valid."""

    def signer(self, who: Literal["ledger"], /) -> Signer:
        """Return the signer with the ledger's current key."""
