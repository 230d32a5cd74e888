"""A release as the ledger alone knows it, promoted without a run."""

from typing import Any

from tasks.declarations.criteria import AcceptanceCriteria
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance
from tasks.registry.release import promotions
from tasks.registry.release.promotions import Promotion


def promote(ledger: Ledger, governed: Governance, **said: Any) -> None:
    """Record a signed promotion of tiny-1, in which other fields say what is given."""
    usual: dict[str, Any] = {
        "action": "promote", "environment": "local", "name": "tiny", "version": 1, "sequence": 1, "previous": None,
        "payload_sha256": "0" * 64, "files": {}, "candidate_inputs": "0" * 64, "tier": "limited", "demo": False,
        "run": "elsewhere", "commit": "c0ffee", "approved_by": {}, "requested_by": "ml-engineer", "reason": "",
        "order_sha256": None, "replaces": None, "time": ledger.now(),
        "bar": AcceptanceCriteria(success_metrics=[], confidence=0.95, base_rows=400, judged_by="json intent"),
    }  # fmt: skip
    promotion = Promotion(**usual | said)
    ledger.append(
        promotions.PROMOTION_KIND,
        promotion.name,
        {"envelope": promotions.sign_promotion(promotion, "0" * 64, governed)},
    )
