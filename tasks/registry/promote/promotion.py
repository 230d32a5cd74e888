"""Steps of a promotion in order of execution, and recovery of interrupted promotions.

    promotion.intended      ledger entry: version and sequence number are reserved
    base model              copied, so that later runs can be compared with the release even if their base model differs
    bundle                  built in a temporary folder, signed, verified, and renamed to releases/NAME-VERSION
    promotion.made          ledger entry with the signed statement: from here on, the release is champion
    proof                   attestations/ledger.json: inclusion proof of the entry under a signed head
    MLflow version          created, with tags that name commit, data and gates
    MLflow aliases          set

Promotions on one machine run one after the other, and none waits for another one's proof or for MLflow. If several
machines promote at the same time, the ledger's transactions let only one succeed. Each machine completes or undoes only
its own promotions.
"""

from contextlib import suppress

from tasks.core.errors import HallmarkError, Refused, Unavailable
from tasks.core.formatting import format_time
from tasks.core.layout import Layout
from tasks.core.payload import manifest
from tasks.declarations.criteria import PromotedCriteria, next_criteria
from tasks.ledger.ledger import Ledger
from tasks.policy import in_force, judge_install
from tasks.policy.governance import Governance
from tasks.registry.promote import (
    assembly,
    base_models,
    champion,
    intents,
    last_conditions,
    mlflow_mirror,
    recovery,
    releases,
)
from tasks.registry.promote.candidate import Candidate, verify_candidate
from tasks.registry.promote.intents import Intent
from tasks.registry.promote.releases import Release
from tasks.registry.promote.rollback import rollback
from tasks.registry.release import bundle, promotions
from tasks.registry.release.promotions import Promotion, SignedPromotion
from tasks.registry.verify import promotion_proof, verification

__all__ = ["interrupted_releases", "promote", "recover", "restore_aliases", "rollback", "unmirrored_champions"]


def promote(layout: Layout, run: str, commit: str, ledger: Ledger, governance: Governance) -> Release:
    """Promote a run's package to champion. A repeated call for the same run returns the existing release.

    Raises:
        Refused: The package cannot be promoted, or the ledger was changed; the champion does not change.
        Unavailable: The ledger or the disk cannot be used; the champion does not change.
    """
    with intents.hold_lock(governance.state):
        in_force.require_unchanged_ledger(ledger, governance)
        last_conditions.require_governance_in_force(ledger, governance)  # waiting for the lock may have taken hours
        recovery.settle_pending_intents(ledger, governance)
        release = _existing_release(layout, run, ledger, governance) or _promote(
            layout, run, commit, ledger, governance
        )
    # Other servers may be slow, so nobody waits for the lock meanwhile. `recover` makes up for what fails now.
    promotion_proof.add_missing_proofs(ledger, governance, release.name)
    with suppress(HallmarkError):
        mlflow_mirror.set_aliases(ledger, governance, release.name)
    return release


def recover(ledger: Ledger, governance: Governance) -> list[str]:
    """Complete or undo interrupted promotions, and add missing MLflow aliases and inclusion proofs.

    The function can be called at any time and repeatedly. While another process is promoting, it settles no promotion.

    Returns:
        Descriptions of the actions taken, or the reasons why they failed.
    """
    try:
        with intents.try_lock(governance.state) as mine:
            done = recovery.settle_pending_intents(ledger, governance) if mine else []
        names = promotions.model_names(ledger)
        done += [text for name in names for text in promotion_proof.add_missing_proofs(ledger, governance, name)]
        return done + recovery.set_missing_aliases(ledger, governance)
    except HallmarkError as error:
        return [str(error)]


def interrupted_releases(ledger: Ledger, governance: Governance) -> list[str]:
    """Return the releases of this environment and installation whose promotion was interrupted.

    The result is empty while another process is promoting, because a running promotion looks like an interrupted one.
    """
    if intents.is_lock_held(governance.state):
        return []
    return [intent.label for _, intent in recovery.pending_intents_here(ledger, governance)]


def unmirrored_champions(ledger: Ledger, governance: Governance) -> list[str]:
    """Return the champions for which MLflow's aliases were not set since their last promotion or rollback."""
    return [newest.promotion.label for newest in recovery.unmirrored_statements(ledger, governance)]


def restore_aliases(ledger: Ledger, governance: Governance) -> list[str]:
    """Restore MLflow aliases that were moved by hand, and open an incident for each of them.

    Returns:
        Descriptions of the aliases that were moved or cannot be checked, or the reason why MLflow cannot be used or the
        ledger is not relied on.
    """
    try:
        results = [mlflow_mirror.set_aliases(ledger, governance, name) for name in promotions.model_names(ledger)]
        return [text for result in results for text in (*result.moved_by_hand, *result.notes)]
    except (Refused, Unavailable) as error:
        return [str(error)]


def _existing_release(layout: Layout, run: str, ledger: Ledger, governance: Governance) -> Release | None:
    payload = layout.artefacts("package") / bundle.PAYLOAD
    name, sha256 = manifest.read_manifest(payload).name, bundle.payload_digest(payload)
    known = releases.list_releases(ledger, governance, name)
    return next((r for r in known if (r.run, r.payload_sha256) == (run, sha256)), None)


def _promote(layout: Layout, run: str, commit: str, ledger: Ledger, governance: Governance) -> Release:
    judge_install.require_accepted_judge(governance.policy)
    candidate = verify_candidate(layout, run, ledger, governance)
    line = promotions.read_promotions(ledger, governance, candidate.manifest.name)
    _require_same_champion(candidate, line.newest_statement)
    promotions.require_tier_not_lower(candidate.tier, line.newest_statement, governance.policy)
    _require_same_success_metrics(candidate, line.success_metrics(candidate.demo))
    seq, intent = intents.record_intent(ledger, governance, candidate.manifest.name, run, commit, line.newest_statement)
    try:
        signed = _build_release(candidate, intent, line.newest_statement, ledger, governance)
        recovery.record_promotion(signed, seq, ledger, governance)
    except (HallmarkError, OSError) as error:
        with suppress(HallmarkError, OSError):  # an intent that cannot be undone now stays pending for `recover`
            recovery.undo_promotion(seq, intent, ledger, governance, str(error))
        if isinstance(error, OSError):
            raise Unavailable(f"the release cannot be written: {error}; the champion is still the old one") from error
        raise
    return releases.get_release(ledger, governance, intent.label)


def _require_same_champion(candidate: Candidate, newest: SignedPromotion | None) -> None:
    if champion.compared_champion_sha256(candidate.layout) == (newest.promotion.payload_sha256 if newest else None):
        return
    if newest is None:
        raise Refused(f"run {candidate.run} was compared with a champion that is none any more; run again")
    now = newest.promotion
    raise Refused(
        f"since run {candidate.run} was compared with the champion, {now.label} took its place ({now.action} of run "
        f"{now.run}, {format_time(now.time)}); run again to be compared with it"
    )


def _require_same_success_metrics(candidate: Candidate, adopted: PromotedCriteria | None) -> None:
    if candidate.previous_success_metrics == adopted:
        return
    then, now = (
        f"the success metrics of {each.release}" if each else "nothing"
        for each in (candidate.previous_success_metrics, adopted)
    )
    raise Refused(f"the evaluation gate held run {candidate.run} to {then}, and {now} counts; run again")


def _build_release(
    candidate: Candidate, intent: Intent, newest: SignedPromotion | None, ledger: Ledger, governance: Governance
) -> SignedPromotion:
    aside, target = (
        assembly.building_folder(governance.state, intent.label),
        bundle.release_folder(governance.state, intent.label),
    )
    if target.exists():
        raise Refused(f"{target} is there, and the ledger knows of no such release; move it away and promote again")
    base_models.copy_base_model(candidate.layout, candidate.manifest)
    draft = Promotion(
        action="promote",
        **intent.model_dump(exclude={"installation"}),
        payload_sha256=bundle.payload_digest(candidate.layout.artefacts("package") / bundle.PAYLOAD),
        files={},
        candidate_inputs=candidate.candidate_inputs,
        tier=candidate.tier,
        demo=candidate.demo,
        replaces=promotions.replaced_release(newest),
        bar=next_criteria(candidate.previous_success_metrics, candidate.success_metrics),
        approved_by={gate: list(passed.approved_by) for gate, passed in candidate.gates.items()},
        requested_by=candidate.requested_by,
        reason="",
        order_sha256=None,
        time=ledger.now(),
        judge=judge_install.current_judge(),
    )
    listing = assembly.build_bundle(candidate, draft, governance, aside)
    statement = draft.model_copy(update={"files": listing})
    assembly.add_promotion(aside, promotions.sign_promotion(statement, bundle.release_digest(listing), governance))
    signed = verification.require_valid_release(aside, governance)
    assembly.rename_to_final(aside, target)
    return signed
