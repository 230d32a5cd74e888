"""Tables that unreviewed code left: measured before they are accepted, because later readers hold them in memory.

A Parquet file of a few kilobytes can repeat one long text until it takes terabytes.
"""

from pathlib import Path

from tasks.core.errors import InputError, Refused
from tasks.supervise import output_check

MAX_EXPANSION = 50
"""Maximum ratio of unpacked to packed size. Zstandard packs the records of the sample to a fifth."""
FREE_BYTES = 256 << 20
"""Unpacked size in bytes that every table may have, because a small table of equal rows packs far better."""


def require_bounded_tables(folder: Path, stage: str) -> None:
    """Remove the accepted folder if a Parquet file in it unpacks to more than 256 MiB and more than 50 times its size.

    Raises:
        Refused: A table is larger, or cannot be read.
    """
    from tasks.stages.data.readers import bounded_tables  # pyarrow takes a fifth of a second to import

    for path in sorted(folder.rglob("*.parquet")):
        most = max(FREE_BYTES, MAX_EXPANSION * path.stat().st_size)
        try:
            bounded_tables.require_bounded(path, most)
        except (InputError, OSError, ValueError) as error:
            output_check.remove_forcibly(folder)
            raise Refused(f"stage {stage} left a table that is not accepted: {error}") from None
