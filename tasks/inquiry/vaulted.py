"""Whether the vault still knows what a run's tokens stand for.

The outputs of `ingest` may come from a cache, written when the vault was another or before it was restored from a copy.
"""

from tasks.core.layout import Layout
from tasks.core.record import batches
from tasks.sources.vault import open_vault


def unknown_tokens(layout: Layout) -> int:
    """How many tokens of the run the vault does not know. Raises InputError for a vault without its key."""
    vault = open_vault(layout.world)
    path = layout.stage("ingest") / "tokens.parquet"
    return sum(len(vault.missing(batch["token"].to_pylist())) for batch in batches(path))
