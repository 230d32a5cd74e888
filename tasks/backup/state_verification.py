"""Verification of a state folder anywhere: its ledger, by the heads in it, and its releases."""

from pathlib import Path

from tasks.backup import contents
from tasks.core.errors import Refused
from tasks.ledger import ledger_verification
from tasks.ledger.ledger import open_ledger
from tasks.policy import in_force
from tasks.registry.promote import releases

LEDGER_VARIABLE = "HALLMARK_LEDGER_URL"


def require_valid(state: Path, governance: Path) -> int:
    """Verify a state, and return the number of entries in its ledger.

    Heads in other places are not read, since they may cover later entries. `governance` is the folder of sources.yaml.

    Raises:
        Refused: The ledger or a release is not valid.
    """
    ledger = open_ledger(state)
    try:
        governed, _ = in_force.read(governance, state, ledger)
        wrong = [
            finding.text
            for finding in ledger_verification.verify(ledger, governed, elsewhere=False).findings
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
