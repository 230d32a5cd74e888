"""Verification of a state folder.

Its ledger is compared with the heads in the folder, and its releases are verified.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

from tasks.backup import contents
from tasks.core.errors import Refused
from tasks.ledger import ledger_verification
from tasks.ledger.ledger import DATABASE_FILE, open_ledger
from tasks.policy import in_force
from tasks.registry.promote import releases

OWN_TRIGGERS_QUERY = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name LIKE 'hallmark%'"
"""SQL query for triggers on Hallmark's own tables. Triggers on MLflow's tables are allowed."""


def require_valid_state(state: Path, governance: Path) -> int:
    """Verify a state folder, and return the number of entries in its ledger.

    Heads in other locations are not read, because they may cover later entries.

    Args:
        state: State folder to verify.
        governance: Folder of sources.yaml.

    Raises:
        Refused: The ledger or a release is not valid, or a database has triggers that are not Hallmark's.
    """
    _require_no_triggers(state)
    ledger = open_ledger(state)
    try:
        governed, _ = in_force.read_in_force(governance, state, ledger)
        wrong = [
            finding.text
            for finding in ledger_verification.verify_ledger(ledger, governed, with_published_heads=False).findings
            if finding.verdict == "wrong"
        ]
        for release in releases.list_releases(ledger, governed):
            folder = state / contents.RELEASES_FOLDER / str(release.label)
            if folder.is_dir() and (verification := releases.verify_release(folder, governed)).verdict == "invalid":
                wrong.append(f"release {release.label}: {verification.against}")
        if wrong:
            raise Refused(f"{state} does not hold: {'; '.join(wrong)}")
        return ledger.last_seq()
    finally:
        ledger.close()


def _require_no_triggers(state: Path) -> None:
    """Verify that Hallmark's tables have no triggers.

    The ledger's own database is skipped, because `ledger_verification` checks it.
    """
    for name in (*contents.DATABASES, *contents.FORMER_DATABASES):
        if name == DATABASE_FILE or not (state / name).exists():
            continue
        with closing(sqlite3.connect(f"{(state / name).resolve().as_uri()}?mode=ro", uri=True)) as database:
            found = [each for (each,) in database.execute(OWN_TRIGGERS_QUERY)]
        if found:
            raise Refused(f"{name} has triggers, which change what is written to it: {', '.join(map(ascii, found))}")
