"""Interface through which the ledger gets the keys for its heads, so that it does not depend on `tasks.policy`."""

from pathlib import Path
from typing import Literal, Protocol

from tasks.trust.keys import Signer
from tasks.trust.validity import Key


class LedgerKeys(Protocol):
    """Interface of the ledger's key provider, which `tasks.policy.governance.Governance` implements."""

    @property
    def state(self) -> Path:
        """State folder `.hallmark/`."""

    def keys_of(self, who: Literal["ledger"], /) -> list[Key]:
        """Return all keys of the ledger, including keys that are no longer valid or not yet valid."""

    def find_signer(self, who: Literal["ledger"], /) -> Signer:
        """Return a signer with the ledger's current key."""
