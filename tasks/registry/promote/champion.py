"""Release in production, called champion, with which the candidate of every run is compared."""

from tasks.core import files
from tasks.core.documents.config import FrozenModel
from tasks.core.layout import Layout
from tasks.core.params.values import Sha256
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance
from tasks.registry.release import bundle, promotions
from tasks.registry.release.promotions import SignedPromotion


class Champion(FrozenModel):
    """Release that the newest valid promotion statement puts into production."""

    name: str
    version: int
    sha256: Sha256
    """Digest of the payload (`tasks.core.files.tree_digest`)."""
    payload: str
    """Folder of the payload, relative to `.hallmark/`."""
    candidate_inputs: Sha256
    """Digest of everything that determined the release's bytes (tasks/registry/promote/candidate_digest.py)."""
    tier: str
    demo: bool
    """Whether demo identities approved the release instead of people."""

    @property
    def label(self) -> str:
        return f"{self.name}-{self.version}"


def current_champion(ledger: Ledger, governance: Governance, name: str) -> Champion | None:
    """Return a model's champion in the environment that policy.yaml names; None if there is no champion.

    Only signatures are verified, not the files of the release.
    """
    newest = promotions.read_promotions(ledger, governance, name).newest_statement
    return _champion(newest) if newest else None


def write_champion_input(layout: Layout, champion: Champion | None) -> None:
    """Write the champion's data, or `null` if there is no champion, to inputs/champion.json for the stages to read."""
    files.write_json(layout.champion_path, None if champion is None else _champion_input(champion))


def compared_champion_sha256(layout: Layout) -> str | None:
    """Return the payload digest of the champion that the run was compared with; None if there was no champion."""
    value = files.read_json(layout.champion_path)
    return None if value is None else str(value["sha256"])


def _champion(signed: SignedPromotion) -> Champion:
    promotion = signed.promotion
    return Champion(
        name=promotion.name,
        version=promotion.version,
        sha256=promotion.payload_sha256,
        payload=f"{bundle.RELEASES_FOLDER}/{promotion.label}/{bundle.PAYLOAD}",
        candidate_inputs=promotion.candidate_inputs,
        tier=promotion.tier,
        demo=promotion.demo,
    )


def _champion_input(champion: Champion) -> dict[str, object]:
    return {
        "release": champion.label,
        "version": champion.version,
        "sha256": champion.sha256,
        "payload": champion.payload,
    }
