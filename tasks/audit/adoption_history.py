"""Policy under which a release was promoted, and the adoptions after its promotion."""

from dataclasses import dataclass

from tasks.core.errors import InputError
from tasks.core.formatting import format_time
from tasks.ledger.ledger import Entry, Ledger
from tasks.policy import in_force
from tasks.policy.adoption import Adoption
from tasks.policy.governance import Governance
from tasks.registry.history.release_contents import ReleaseContents
from tasks.registry.release import bundle


@dataclass(frozen=True)
class RecordedAdoption:
    adoption: Adoption
    entry: Entry
    signed_by: list[str]

    def describe(self) -> str:
        by = ", ".join(self.signed_by)
        return f"adoption {self.adoption.sequence} of {format_time(self.entry.time)}, signed by {by}"


@dataclass(frozen=True)
class AdoptionHistory:
    at_promotion: RecordedAdoption | None
    """Adoption in force when the release was promoted; None if its policy and people were not adopted."""
    later_adoptions: list[RecordedAdoption]
    """Adoptions after the promotion, oldest first. They did not apply to the release."""


def read_adoption_history(contents: ReleaseContents, ledger: Ledger, governance: Governance) -> AdoptionHistory:
    """Return the adoptions of this installation, with those before the release's promotion separated from later ones.

    The folder of a release contains the adoptions up to its promotion. Verification of the release compares them with
    those in the ledger.
    """
    adoption_count = len(list((contents.folder / bundle.GOVERNANCE_ADOPTIONS).glob("*.json")))
    try:
        chain = in_force.read_chain(governance.state, ledger)
    except InputError:  # no root key, so nothing was adopted
        return AdoptionHistory(None, [])
    every = [
        RecordedAdoption(adoption, entry, chain.signers_of(place))
        for place, (adoption, entry) in enumerate(zip(chain.adoptions, chain.entries, strict=True))
    ]
    return (
        AdoptionHistory(every[adoption_count - 1], every[adoption_count:])
        if 0 < adoption_count <= len(every)
        else AdoptionHistory(None, every)
    )
