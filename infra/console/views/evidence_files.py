"""Verification of a run's files against the digests in a gate's evidence, before a page shows the files.

The code of a run's own commit can write anything into these files.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from infra.console.site import RequestState
from tasks.core.errors import DOCUMENT_ERRORS, Refused
from tasks.core.files import sha256_file
from tasks.core.layout import Layout
from tasks.core.records.record import SMALL_BATCH_ROWS
from tasks.gates import cases
from tasks.trust.gate_statement import GateName


def compare_with_evidence(here: RequestState, layout: Layout, gate: GateName, *paths: Path) -> bool:
    """Compare files of a run with the newest evidence of a gate.

    Returns:
        Whether the files were compared; False if the run has not reached the gate.

    Raises:
        Refused: The digest of a file differs from the digest in the evidence, or the evidence does not list the file.
    """
    asked = [case for case in cases.read_cases(here.ledger, layout.root.name) if case.evidence.gate == gate]
    if not asked:
        return False
    known = asked[-1].evidence.artefacts
    for path in paths:
        name = path.relative_to(layout.root).as_posix()
        if known.get(name) != sha256_file(path):
            raise Refused(
                f"{name} of run {layout.root.name} is not what its {gate} gate looked at: its digest is another now. "
                "Whatever it shows, nobody approved it"
            )
    return True


@contextmanager
def refuse_unreadable_files(run: str) -> Iterator[None]:
    """Raise Refused if reading a run's files fails, because they are not in the format that Hallmark writes."""
    try:
        yield
    except (pa.ArrowException, OSError, *DOCUMENT_ERRORS) as error:
        raise Refused(f"files of run {run} cannot be read as ours are ({type(error).__name__}: {error})") from error


def refuse_large_files(*paths: Path, max_bytes: int) -> None:
    """Raise Refused if a Parquet file takes more than `max_bytes` bytes in memory. Reading stops at that size."""
    for path in paths:
        total_bytes = 0
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=SMALL_BATCH_ROWS):
                total_bytes += batch.nbytes
                if total_bytes > max_bytes:
                    raise Refused(
                        f"{path.name} of stage {path.parent.name} is too large for a page: over {max_bytes:,} bytes"
                    )
