"""SQLite's journals beside a database that others write too.

A journal that a transaction left is played back by whoever opens the database next. Where it names a super-journal, as
one over several databases does, SQLite then deletes the file of that name, whatever it is. No database of Hallmark's
takes part in such a transaction.
"""

import os
from pathlib import Path

from tasks.core.files import open_plain

MAGIC = bytes.fromhex("d9d505f920a163d7")
"""What the name of a super-journal ends with (https://www.sqlite.org/fileformat.html)."""


def remove_strange(folder: Path) -> list[Path]:
    """Remove the journals in a folder that name a super-journal, and what is called a journal and is no file. Returns
    which these were."""
    strange = [path for path in folder.rglob("*-journal") if _is_strange(path)]
    for path in strange:
        path.unlink(missing_ok=True)
    return strange


def _is_strange(path: Path) -> bool:
    try:
        with open_plain(path) as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - len(MAGIC)))
            return file.read() == MAGIC
    except FileNotFoundError:
        return False
    except OSError:
        return not path.is_dir()
