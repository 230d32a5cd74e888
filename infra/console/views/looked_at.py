"""What a run wrote, before a page shows it: its digest is that which a gate looked at, and it can be read.

Code of a run's own commit may have written anything into its files.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from infra.console.site import Here
from tasks.core.errors import NO_SUCH_DOCUMENT, Refused
from tasks.core.files import sha256_file
from tasks.core.layout import Layout
from tasks.core.record import FEW
from tasks.gates import cases
from tasks.trust.gate_statement import GateName


def require(here: Here, layout: Layout, gate: GateName, *paths: Path) -> bool:
    """False where the gate was not asked yet. Raises Refused for a file that its evidence has with another digest, or
    not at all."""
    asked = [case for case in cases.read(here.ledger, layout.root.name) if case.evidence.gate == gate]
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
def written_by(run: str) -> Iterator[None]:
    """Raises Refused for what is no such file as ours, or says something else than ours."""
    try:
        yield
    except (pa.ArrowException, *NO_SUCH_DOCUMENT) as error:
        raise Refused(f"files of run {run} cannot be read as ours are ({type(error).__name__}: {error})") from error


def require_small(*paths: Path, most: int) -> None:
    """Raises Refused for a table that takes more than so many bytes in memory, before it does."""
    for path in paths:
        taken = 0
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=FEW):
                taken += batch.nbytes
                if taken > most:
                    raise Refused(
                        f"{path.name} of stage {path.parent.name} is too large for a page: over {most:,} bytes"
                    )
