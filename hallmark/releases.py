"""A release of a checkout, and the verification of a folder that somebody handed over.

What a checkout needs is imported when it is used: to verify from a fingerprint takes the base dependencies alone.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.audit import folder_verification
from tasks.registry.release.report import Verification
from tasks.trust import keys

if TYPE_CHECKING:
    from tasks.registry.promote.release_decisions import DecisionSummary
    from tasks.registry.promote.releases import ReleaseSummary


@dataclass(frozen=True)
class Release:
    """A release as the ledger had it when it was looked up."""

    root: Path
    """Folder of the checkout."""
    summary: "ReleaseSummary"
    """Digests, dates, aliases, run, approvers and waivers, as `hallmark releases list --json` prints them."""

    @property
    def name(self) -> str:
        """Name and version, such as `triage-2`."""
        return self.summary.label

    @property
    def folder(self) -> Path:
        return Path(self.summary.bundle)

    @property
    def in_production(self) -> bool:
        """Whether it is the champion of its model."""
        return "champion" in self.summary.aliases

    def decisions(self) -> "list[DecisionSummary]":
        """Return the decisions at the gates of its run, with person, role, reason, time and ledger entry."""
        from tasks.registry.promote import releases
        from tasks.runs.checkout import Checkout

        here = Checkout(self.root)
        known, line = releases.get_release_with_promotions(here.ledger, here.governance, self.name)
        return releases.release_decision_summaries(line, known, here.ledger, here.governance)

    def verify(self, trust_root: str | None = None) -> Verification:
        """Verify every byte of the folder: files, gates, decisions, provenance, signatures.

        Args:
            trust_root: Fingerprint of the root key, as its owner told you; None for the checkout's own keys.

        Raises:
            InputError: The fingerprint is none.
        """
        if trust_root is not None:
            return verify(self.folder, trust_root)
        from tasks.runs.checkout import Checkout

        return folder_verification.verify_folder(self.folder, Checkout(self.root).governance)


def verify(folder: str | Path, trust_root: str) -> Verification:
    """Verify a release or a dossier from its folder alone. This needs no checkout, network or ledger.

    Args:
        folder: Folder of the release or dossier.
        trust_root: Fingerprint that `hallmark identity root` prints, received by another way than the folder.

    Returns:
        The result, with `ok`, `verdict` and each check. An invalid release is a result, not an error.

    Raises:
        InputError: There is no such folder, or the fingerprint is none.
    """
    return folder_verification.verify_folder_from_root(Path(folder), keys.validate_fingerprint(trust_root))
