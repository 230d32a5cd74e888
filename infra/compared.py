"""Two releases of this checkout against each other, with its commits and records where it has them."""

from pathlib import Path

from tasks.core.errors import InputError
from tasks.inquiry import records_changed
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance
from tasks.registry.history import declared, difference
from tasks.registry.history.declared import Declared
from tasks.registry.history.difference import Difference
from tasks.registry.promote import releases
from tasks.runs.difference import code_between


def releases_here(
    root: Path, before: str, now: str, ledger: Ledger, governed: Governance
) -> tuple[Difference, Declared]:
    """From one release to the other, and what the later one says of itself."""
    first, second = (declared.read(folder(name, ledger, governed)) for name in (before, now))
    code, why = code_between(root, first.promotion.commit, second.promotion.commit)
    sides = tuple(difference.side(release, _against(release.folder, governed)) for release in (first, second))
    records = records_changed.compare(governed.state, first.manifest.stages["split"], second.manifest.stages["split"])
    return difference.compare(first, second, (sides[0], sides[1]), records, code, why), second


def folder(name: str, ledger: Ledger, governed: Governance) -> Path:
    """Where a release lies: one of this environment, else the folder that `name` is. Raises InputError for neither."""
    known = releases.labels(ledger, governed)
    if name in known:
        return Path(releases.get(ledger, governed, name).bundle)
    if not Path(name).is_dir():
        raise InputError(f"{name!r} is neither a release nor a folder; known: {', '.join(known) or 'none yet'}")
    return Path(name)


def _against(where: Path, governed: Governance) -> str:
    """Why a release does not verify here; what its folder only lacks proof of is no reason."""
    verification = releases.verify(where, governed)
    return verification.against if verification.verdict == "invalid" else ""
