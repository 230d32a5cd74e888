"""Limit on the unpacked size of tables that unreviewed code has written.

Later readers hold a table in memory. A Parquet file of a few kilobytes can repeat one long text until it unpacks to
terabytes.
"""

from pathlib import Path

from tasks.core.errors import InputError, Refused
from tasks.supervise import output_check

MAX_EXPANSION = 50
"""Maximum ratio of unpacked to packed size. With Zstandard, the ratio for the sample's records is 5."""
ALWAYS_ALLOWED_BYTES = 256 << 20
"""Unpacked size in bytes that is allowed at any ratio, because a small table of equal rows packs far better."""


def require_bounded_tables(folder: Path, stage: str) -> None:
    """Verify that no Parquet file in a folder unpacks to more than 256 MiB and more than 50 times its size.

    If the verification fails, the folder is removed.

    Raises:
        Refused: A table is too large, or cannot be read.
    """
    from tasks.stages.data.readers import bounded_tables  # pyarrow takes a fifth of a second to import

    for path in sorted(folder.rglob("*.parquet")):
        most = max(ALWAYS_ALLOWED_BYTES, MAX_EXPANSION * path.stat().st_size)
        try:
            bounded_tables.require_bounded(path, most)
        except (InputError, OSError, ValueError) as error:
            output_check.remove_forcibly(folder)
            raise Refused(f"stage {stage} left a table that is not accepted: {error}") from None
