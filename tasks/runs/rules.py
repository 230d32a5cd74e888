"""What the gates of many runs are judged by, with governance files read once for all the runs asked for under them.

For one look at all of them, since what was read is what counts until it is over.
"""

from pathlib import Path

from tasks.core.layout import Layout
from tasks.gates import signed_request
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance
from tasks.runs.request import checked_run_id
from tasks.runs.run import installed_governance, is_here


class Rules:
    def __init__(self, root: Path, ledger: Ledger) -> None:
        self._root, self._ledger = root, ledger
        self._runs = root.resolve() / ".hallmark" / "runs"
        self._read: dict[str | None, Governance] = {}

    def of(self, run: str) -> Governance | None:
        """What the gates of a run that is here are judged by; None of one that is not.

        Whether its request is signed, `gates.judge` looks at.
        """
        if not is_here(Layout(self._runs / checked_run_id(run))):
            return None
        return self._named(signed_request.named_governance(self._ledger, run))

    def anywhere(self, run: str) -> Governance | None:
        """The same also of a run on another machine; None of one that has governance files of its own there."""
        named = signed_request.named_governance(self._ledger, run)
        return self._named(None) if named is None else self.of(run)

    def only_here(self, run: str) -> Governance | None:
        """The same of a run that no other machine can judge: it is here, with governance files of its own."""
        return None if signed_request.named_governance(self._ledger, run) is None else self.of(run)

    @property
    def read(self) -> list[Governance]:
        """What was read so far."""
        return list(self._read.values())

    def installed(self) -> Governance:
        """What is in force here."""
        return self._named(None)

    def _named(self, name: str | None) -> Governance:
        if name not in self._read:
            self._read[name] = installed_governance(self._root, name)
        return self._read[name]
