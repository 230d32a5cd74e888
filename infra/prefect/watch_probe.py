"""Probe of the watch's pod: `python -I -m hallmark.process infra.prefect.watch_probe` in a checkout.

It fails if nobody has held the watch's lease for five minutes. It succeeds if the ledger's database cannot be reached,
because a restart of the watch would not help.
"""

import os
import sys
from pathlib import Path

from infra.prefect.watch_status import read_watch_status
from tasks.core.errors import Unavailable


def main(root: Path) -> int:
    """Return the exit code, and print the state of the watch."""
    try:
        found = read_watch_status(root)
    except Unavailable as error:
        print(error)
        return 0
    print(found.description)
    return int(found.is_missing)


if __name__ == "__main__":
    sys.exit(main(Path(os.environ.get("HALLMARK_ROOT", "."))))
