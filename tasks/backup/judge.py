"""Whether a state holds, wherever it lies: its ledger under the heads beside it, and its releases."""

from pathlib import Path

from tasks.backup import contents
from tasks.core.errors import Refused
from tasks.ledger import check
from tasks.ledger.ledger import open_ledger
from tasks.policy import in_force
from tasks.registry.promote import releases

POSTGRES = "HALLMARK_LEDGER_URL"


def require_holds(state: Path, governance: Path) -> int:
    """How many entries its ledger has. Raises Refused where it does not hold.

    Heads in other places are not asked: they may have grown since. `governance` is where sources.yaml lies.
    """
    ledger = open_ledger(state)
    try:
        governed, _ = in_force.read(governance, state, ledger)
        wrong = [
            finding.text
            for finding in check.verify(ledger, governed, elsewhere=False).findings
            if finding.verdict == "wrong"
        ]
        for release in releases.list_releases(ledger, governed):
            folder = state / contents.RELEASES / str(release.label)
            if folder.is_dir() and (verification := releases.verify(folder, governed)).verdict == "invalid":
                wrong.append(f"release {release.label}: {verification.against}")
        if wrong:
            raise Refused(f"{state} does not hold: {'; '.join(wrong)}")
        return ledger.last()
    finally:
        ledger.close()
