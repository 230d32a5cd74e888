"""Completion or undoing of interrupted promotions, and the step that makes a promotion final.

Every step can be repeated, so that a recovery can be resumed if it is itself interrupted.
"""

import shutil
from pathlib import Path

from tasks.core import files
from tasks.core.errors import InputError, Refused, Unavailable
from tasks.gates.evidence import Evidence
from tasks.ledger.ledger import Ledger
from tasks.policy import in_force
from tasks.policy.governance import Governance
from tasks.registry.promote import assembly, candidate, intents, last_conditions, mlflow_mirror
from tasks.registry.promote.intents import Intent
from tasks.registry.release import bundle, promotions
from tasks.registry.release.promotions import SignedPromotion
from tasks.registry.verify import verification


def record_promotion(signed: SignedPromotion, seq: int, ledger: Ledger, governance: Governance) -> None:
    """Append the promotion statement to the ledger. After that, the promotion can no longer be undone.

    Raises:
        Refused: Another release has been promoted since this promotion started, the promotion was completed or undone
            meanwhile, or one of its conditions no longer holds (last_conditions.py).
    """
    with ledger.transaction():
        last_conditions.require_conditions(signed, ledger, governance)
        intents.require_pending(ledger, seq, signed.promotion.name)
        require_follows_newest(
            signed, promotions.read_promotions(ledger, governance, signed.promotion.name).newest_statement
        )
        ledger.append(promotions.PROMOTION_KIND, signed.promotion.name, {"intent": seq, "envelope": signed.envelope})


def require_follows_newest(signed: SignedPromotion, newest: SignedPromotion | None) -> None:
    if signed.promotion.previous == (newest.sha256 if newest else None):
        return
    current = f"{newest.promotion.label} (statement {newest.promotion.sequence})" if newest else "no release"
    raise Refused(
        f"{signed.promotion.label} was to follow another release than {current}, which was promoted in the meantime; "
        "run again to be compared with it"
    )


def settle_pending_intents(ledger: Ledger, governance: Governance) -> list[str]:
    """Complete or undo every pending intent of this environment and installation.

    The caller must hold the lock (`intents.hold_lock`). Intents of other machines are skipped, because those machines
    have the files and may still be working on them.

    Raises:
        Refused: The ledger was changed, or `governance` is no longer in force.
        Unavailable: The ledger cannot be used, or the files of an undone promotion cannot be removed.
    """
    texts: list[str] = []
    pending = pending_intents_here(ledger, governance)
    if pending:  # under other rules, a promotion that may be completed would be undone
        last_conditions.require_governance_in_force(ledger, governance)
    for seq, intent in pending:
        try:
            _complete_promotion(seq, intent, ledger, governance)
            texts.append(f"{intent.label}: the promotion that was interrupted is complete")
        except Unavailable as error:
            texts.append(f"{intent.label}: the promotion that was interrupted is still pending: {error}")
        except (Refused, InputError) as error:
            undo_promotion(seq, intent, ledger, governance, str(error))
            texts.append(f"{intent.label}: the promotion that was interrupted is undone: {error}")
    _remove_undone_bundles(ledger, governance)
    return texts


def pending_intents_here(ledger: Ledger, governance: Governance) -> list[tuple[int, Intent]]:
    """Return the pending intents of this installation and environment as pairs of entry number and intent."""
    ours, environment = ("", intents.installation_name(governance.state)), governance.policy.environment
    every = intents.pending_intents(ledger)
    return [(seq, intent) for seq, intent in every if intent.environment == environment and intent.installation in ours]


def _complete_promotion(seq: int, intent: Intent, ledger: Ledger, governance: Governance) -> None:
    """Complete an interrupted promotion if its bundle is complete and its gates are still passed.

    Raises:
        Refused: The bundle is missing or fails verification, or a gate is no longer passed.
    """
    folder = bundle.release_folder(governance.state, intent.label)
    if not folder.is_dir():
        raise Refused("it had not come to a bundle")
    signed = verification.require_valid_release(folder, governance)
    if not _is_bundle_of(folder, intent, governance):
        raise Refused("its bundle is that of another promotion")
    for gate in signed.promotion.gates:
        evidence = Evidence.from_value(files.read_json(folder / bundle.ATTESTATIONS / "evidence" / f"{gate}.json"))
        candidate.require_gate_passed(evidence, ledger, governance)
    record_promotion(signed, seq, ledger, governance)


def undo_promotion(seq: int, intent: Intent, ledger: Ledger, governance: Governance, reason: str) -> None:
    """Remove the files of an interrupted promotion, and record that its intent was undone.

    The files of a release that has ever been promoted are kept. A promotion that is in the ledger is not undone, even
    if the process that recorded it received an error, for example because its connection was lost.

    The bundle is renamed before it is removed, so that an incomplete bundle is never taken for a release if the process
    is killed meanwhile.

    Raises:
        Refused: The ledger was changed.
        Unavailable: The ledger or the disk cannot be used; the intent remains pending.
    """
    folder = bundle.release_folder(governance.state, intent.label)
    aside = assembly.undone_folder(governance.state, seq)
    with ledger.transaction():
        in_force.require_unchanged_ledger(ledger, governance, search_places=False)
        promoted = _was_promoted(intent, ledger, governance)
        try:
            if not promoted and _is_bundle_of(folder, intent, governance):
                folder.rename(aside)
        except OSError as error:
            raise Unavailable(
                f"{folder} cannot be removed ({error.strerror}); make that possible, and try again"
            ) from error
        named = _is_bundle_of(aside, intent, governance)
        if named or intents.is_pending(ledger, seq, intent.name):
            intents.record_undone(ledger, seq, intent.name, reason, named)
    for remains in (aside, assembly.building_folder(governance.state, intent.label)):
        shutil.rmtree(remains, ignore_errors=True)


def _remove_undone_bundles(ledger: Ledger, governance: Governance) -> None:
    """Finish the removal of bundles of undone promotions, in case a process was killed while it removed them."""
    if left := assembly.undone_folders(governance.state):
        pending = {assembly.undone_folder(governance.state, seq) for seq, _ in intents.pending_intents(ledger)}
        for folder in set(left) - pending:
            shutil.rmtree(folder, ignore_errors=True)


def _is_bundle_of(folder: Path, intent: Intent, governance: Governance) -> bool:
    try:
        promotion = verification.read_statement(folder, governance).promotion
    except Refused:
        return False
    return (promotion.label, promotion.run, promotion.sequence) == (intent.label, intent.run, intent.sequence)


def _was_promoted(intent: Intent, ledger: Ledger, governance: Governance) -> bool:
    valid = promotions.read_promotions(ledger, governance, intent.name).valid_statements
    return any(signed.promotion.label == intent.label for signed in valid)


def set_missing_aliases(ledger: Ledger, governance: Governance) -> list[str]:
    """Set the MLflow aliases that are missing because of a crash or because MLflow was unavailable."""
    texts: list[str] = []
    for newest in unmirrored_statements(ledger, governance):
        try:
            notes = mlflow_mirror.set_aliases(ledger, governance, newest.promotion.name).notes
        except (Refused, Unavailable) as error:
            return [*texts, str(error)]
        texts += notes or [f"{newest.promotion.label}: MLflow's aliases are set"]
    return texts


def unmirrored_statements(ledger: Ledger, governance: Governance) -> list[SignedPromotion]:
    """Return the newest promotion statement of each model for which MLflow's aliases have not been set yet."""
    names = promotions.model_names(ledger)
    every = (promotions.read_promotions(ledger, governance, name).newest_statement for name in names)
    return [newest for newest in every if newest is not None and not mlflow_mirror.is_mirrored(ledger, newest)]
