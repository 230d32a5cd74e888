"""Conditions of a promotion that can change until it is recorded.

They are verified in the transaction that records the promotion, because assembling a release takes minutes, and an
interrupted promotion may be completed days later.
"""

from tasks.code_versions import sign_off
from tasks.consent import release_sources
from tasks.core.errors import Refused
from tasks.declarations import declarations, status
from tasks.gates import signed_request
from tasks.gates.evidence import Evidence
from tasks.ledger.ledger import Ledger
from tasks.policy import in_force, judge_install
from tasks.policy.governance import Governance
from tasks.registry.promote import waivers
from tasks.registry.release import bundle
from tasks.registry.release.promotions import SignedPromotion
from tasks.suppression import in_force as suppressions


def require_conditions(signed: SignedPromotion, ledger: Ledger, governance: Governance) -> None:
    """Verify that a release may still be promoted. Call this in the transaction that records the promotion.

    Raises:
        Refused: The ledger was changed, other governance is in force, this Hallmark may not judge, the code is no
            longer signed off, a declaration was replaced, a source was withdrawn, an erasure retired the release, or a
            waiver has expired.
    """
    in_force.require_unchanged_ledger(ledger, governance, search_places=False)
    require_governance_in_force(ledger, governance)
    judge_install.require_accepted_judge(governance.policy)
    asked = signed_request.require_request(ledger, governance, signed.promotion.run).request
    sign_off.require_signed_off(ledger, governance, asked.tree_sha256, asked.commit)
    _require_declarations(signed, ledger, governance)
    folder = bundle.release_folder(governance.state, signed.promotion.label)
    suppressions.require_not_retired(signed.promotion.label, ledger)
    release_sources.require_sources_not_withdrawn(folder / bundle.PAYLOAD, ledger, governance)
    waivers.require_valid_waivers(ledger, governance, signed)


def require_governance_in_force(ledger: Ledger, governance: Governance) -> None:
    """Verify that nothing was adopted since `governance` was read, for example while waiting for another promotion.

    Governance from files that were not adopted always passes.

    Raises:
        Refused: Another adoption is in force now.
    """
    if governance.chain and in_force.read_chain(governance.state, ledger).envelopes != governance.chain:
        raise Refused("policy or people were adopted anew meanwhile, so other rules may count; try again")


def _require_declarations(signed: SignedPromotion, ledger: Ledger, governance: Governance) -> None:
    """Verify that the declarations on which the gates' evidence is based are in force.

    Raises:
        Refused: A declaration was replaced, or is no longer in force.
    """
    if governance.is_local:
        return
    now = status.read_status(ledger, governance).declarations_by_subject
    seen = {named for each in _gate_evidence(signed, governance) for named in each.declared.items()}
    other = sorted(subject for subject, sha256 in seen if subject not in now or now[subject].declared.sha256 != sha256)
    if other:
        raise Refused(f"{', '.join(dict.fromkeys(other))} was adopted anew since the gates looked at it; run again")
    declarations.require_in_force(ledger, governance, [now[subject].declared for subject, _ in sorted(seen)])


def _gate_evidence(signed: SignedPromotion, governance: Governance) -> list[Evidence]:
    folder = bundle.release_folder(governance.state, signed.promotion.label)
    names = [bundle.evidence_path(gate) for gate in signed.promotion.gates]
    return [Evidence.from_bytes(bundle.read_listed_file(folder, name, signed.promotion.files)) for name in names]
