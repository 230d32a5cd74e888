"""Removal of SQLite journals that could make SQLite delete other files.

If a transaction was interrupted, the next process that opens the database rolls back its journal. In transactions over
more than one database, the journal names a super-journal, and SQLite then deletes the file of that name, whatever it
is. Hallmark has no such transactions, so a journal that names a super-journal was planted by an attacker.
"""

import os
from pathlib import Path

from tasks.core.files import open_regular_file

SUPER_JOURNAL_MAGIC = bytes.fromhex("d9d505f920a163d7")
"""Magic bytes at the end of a journal that names a super-journal (https://www.sqlite.org/fileformat.html)."""


def remove_planted_journals(folder: Path) -> list[Path]:
    """Delete SQLite journals that were planted, and return their paths.

    These are journals that name a super-journal, and journals that are pipes or devices.

    Args:
        folder: Folder to search recursively.
    """
    strange = [path for path in folder.rglob("*-journal") if _is_planted(path)]
    for path in strange:
        path.unlink(missing_ok=True)
    return strange


def _is_planted(path: Path) -> bool:
    try:
        with open_regular_file(path) as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - len(SUPER_JOURNAL_MAGIC)))
            return file.read() == SUPER_JOURNAL_MAGIC
    except FileNotFoundError:
        return False
    except OSError:
        return not path.is_dir()
