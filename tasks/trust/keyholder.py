"""Whose keys sign for the ledger, and which keys its signatures are checked by: all that the ledger knows of policy."""

from pathlib import Path
from typing import Literal, Protocol

from tasks.trust.keys import Signer
from tasks.trust.validity import Key


class Keyholder(Protocol):
    """`tasks.policy.governance.Governance` is one."""

    @property
    def state(self) -> Path:
        """`.hallmark/`."""

    def keys_of(self, who: Literal["ledger"], /) -> list[Key]:
        """Every key of the ledger, whenever it counts."""

    def signer(self, who: Literal["ledger"], /) -> Signer:
        """What signs for it now."""
