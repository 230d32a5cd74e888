"""Completion or undoing of interrupted promotions, and the step that makes a promotion final.

Every step can be repeated, so that a recovery can be resumed if it is itself interrupted.
"""

import shutil
from pathlib import Path

from tasks.consent import release_sources
from tasks.core import files
from tasks.core.errors import InputError, Refused, Unavailable
from tasks.gates.evidence import Evidence
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance
from tasks.registry.promote import assembly, candidate, intents, mlflow_mirror, waivers
from tasks.registry.promote.intents import Intent
from tasks.registry.release import bundle, promotions
from tasks.registry.release.promotions import SignedPromotion
from tasks.registry.verify import verification


def record_promotion(signed: SignedPromotion, seq: int, ledger: Ledger, governance: Governance) -> None:
    """Append the promotion statement to the ledger. After that, the promotion can no longer be undone.

    Raises:
        Refused: Another release has been promoted since this promotion started, or the release has a withdrawn source
            or an expired waiver.
    """
    with ledger.transaction():
        release_sources.require_sources_not_withdrawn(
            bundle.release_folder(governance.state, signed.promotion.label) / bundle.PAYLOAD, ledger, governance
        )
        waivers.require_valid_waivers(ledger, governance, signed)
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
    """
    texts: list[str] = []
    for seq, intent in pending_intents_here(ledger, governance):
        try:
            _complete_promotion(seq, intent, ledger, governance)
            texts.append(f"{intent.label}: the promotion that was interrupted is complete")
        except Unavailable as error:
            texts.append(f"{intent.label}: the promotion that was interrupted is still pending: {error}")
        except (Refused, InputError) as error:
            undo_promotion(seq, intent, ledger, governance, str(error))
            texts.append(f"{intent.label}: the promotion that was interrupted is undone: {error}")
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

    The files of a release that has ever been promoted are kept.
    """
    folder = bundle.release_folder(governance.state, intent.label)
    named = _is_bundle_of(folder, intent, governance) and not _was_promoted(intent, ledger, governance)
    if named:
        shutil.rmtree(folder)
    shutil.rmtree(assembly.building_folder(governance.state, intent.label), ignore_errors=True)
    intents.record_undone(ledger, seq, intent.name, reason, named)


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
        except Unavailable as error:
            return [*texts, str(error)]
        texts += notes or [f"{newest.promotion.label}: MLflow's aliases are set"]
    return texts


def unmirrored_statements(ledger: Ledger, governance: Governance) -> list[SignedPromotion]:
    """Return the newest promotion statement of each model for which MLflow's aliases have not been set yet."""
    names = promotions.model_names(ledger)
    every = (promotions.read_promotions(ledger, governance, name).newest_statement for name in names)
    return [newest for newest in every if newest is not None and not mlflow_mirror.is_mirrored(ledger, newest)]
