"""Number of a run's tokens that are missing from the vault.

Tokens can be missing if the outputs of `ingest` come from the stage cache. They may have been written with another
vault, or before the vault was restored from a copy.
"""

from tasks.core.layout import Layout
from tasks.core.records.record import read_batches
from tasks.sources.vault import open_vault


def count_unknown_tokens(layout: Layout) -> int:
    vault = open_vault(layout.run_state)
    path = layout.artefacts("ingest") / "tokens.parquet"
    return sum(len(vault.find_missing_tokens(batch["token"].to_pylist())) for batch in read_batches(path))
