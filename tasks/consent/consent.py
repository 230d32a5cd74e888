"""Whether the owners of the sources that a release was trained on still give them.

Asked before a promotion counts and before a release comes back; a release that was promoted stays valid as what it is.
"""

from collections.abc import Collection
from pathlib import Path

from tasks.consent import withdrawals
from tasks.consent.withdrawals import Use
from tasks.core.document import why
from tasks.core.errors import Refused
from tasks.core.layout import Layout
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance
from tasks.sources import sources
from tasks.sources.dataset import Dataset


def require(payload: Path, ledger: Ledger, governance: Governance, others: Collection[Use] = ()) -> None:
    """Raises Refused where a source in the payload's dataset, or one of `others`, is withdrawn."""
    if held := withdrawals.held_back(ledger, governance, [*trained_on(payload), *others]):
        raise Refused(f"what was trained on a withdrawn source is not promoted: {held}")


def trained_on(payload: Path) -> list[Use]:
    """The sources that payload/dataset/manifest.json names, by name. Raises Refused where it names none."""
    path = payload / "dataset" / "manifest.json"
    try:
        named = Dataset.read_bytes(path.read_bytes()).sources
    except (OSError, ValueError) as error:
        raise Refused(f"{path}: it cannot be read which sources the release was trained on ({why(error)})") from None
    return [Use(name, origin.sha256) for name, origin in sorted(named.items())]


def resolved(layout: Layout) -> list[Use]:
    """The sources that a run was resolved with."""
    return [Use.of(item) for item in sources.load_resolved(layout.sources).sources]
