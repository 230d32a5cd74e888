"""Check whether a source that a release was trained on is withdrawn.

The check is made before a promotion and before a rollback. A release that has already been promoted stays valid.
"""

from collections.abc import Collection
from pathlib import Path

from tasks.consent import withdrawals
from tasks.consent.withdrawals import UsedSource
from tasks.core.documents.document import document_error_message
from tasks.core.errors import Refused
from tasks.core.layout import Layout
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance
from tasks.sources import resolved_sources
from tasks.sources.dataset import Dataset


def require_sources_not_withdrawn(
    payload: Path, ledger: Ledger, governance: Governance, other_sources: Collection[UsedSource] = ()
) -> None:
    """Verify that no source of a release is withdrawn.

    Args:
        payload: Payload of the release, which contains the manifest of its dataset.
        ledger: Ledger with the withdrawals.
        governance: Governance in force.
        other_sources: Other sources to check, for example the pinned sources of the run.

    Raises:
        Refused: A source is withdrawn, or the dataset's manifest cannot be read.
    """
    if reason := withdrawals.block_reason(ledger, governance, [*sources_of_release(payload), *other_sources]):
        raise Refused(f"what was trained on a withdrawn source is not promoted: {reason}")


def sources_of_release(payload: Path) -> list[UsedSource]:
    """Return the sources in payload/dataset/manifest.json, sorted by name.

    Raises:
        Refused: The manifest cannot be read.
    """
    path = payload / "dataset" / "manifest.json"
    try:
        named = Dataset.from_bytes(path.read_bytes()).sources
    except (OSError, ValueError) as error:
        raise Refused(
            f"{path}: it cannot be read which sources the release was trained on ({document_error_message(error)})"
        ) from None
    return [UsedSource(name, origin.sha256) for name, origin in sorted(named.items())]


def sources_of_run(layout: Layout) -> list[UsedSource]:
    return [UsedSource.from_resolved(item) for item in resolved_sources.load_resolved(layout.sources_path).sources]
