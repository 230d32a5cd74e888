"""Comparison of two releases, which uses the commits and records in this checkout."""

from pathlib import Path

from tasks.core.errors import InputError
from tasks.inquiry import shared_records
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance
from tasks.registry.history import comparison, release_contents
from tasks.registry.history.comparison import ReleaseDifference
from tasks.registry.history.release_contents import ReleaseContents
from tasks.registry.promote import releases
from tasks.runs.reporting.difference import find_changed_code


def compare_releases(
    root: Path, before: str, now: str, ledger: Ledger, governed: Governance
) -> tuple[ReleaseDifference, ReleaseContents]:
    first, second = (release_contents.read_release(release_folder(name, ledger, governed)) for name in (before, now))
    code, why = find_changed_code(root, first.promotion.commit, second.promotion.commit)
    sides = tuple(
        comparison.compared_release(release, _verification_failure(release.folder, governed))
        for release in (first, second)
    )
    records = shared_records.compare_datasets(
        governed.state, first.manifest.stages["split"], second.manifest.stages["split"]
    )
    return comparison.compare_releases(first, second, (sides[0], sides[1]), records, code, why), second


def release_folder(name: str, ledger: Ledger, governed: Governance) -> Path:
    """Return the folder of a release.

    `name` is the label of the release in this environment, or the path of its folder.

    Raises:
        InputError: `name` is neither a label nor a folder.
    """
    known = releases.all_labels(ledger, governed)
    if name in known:
        return Path(releases.get_release(ledger, governed, name).bundle)
    if not Path(name).is_dir():
        raise InputError(f"{name!r} is neither a release nor a folder; known: {', '.join(known) or 'none yet'}")
    return Path(name)


def _verification_failure(where: Path, governed: Governance) -> str:
    verification = releases.verify_release(where, governed)
    return verification.against if verification.verdict == "invalid" else ""
