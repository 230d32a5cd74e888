"""What a crash left of a promotion, finished or undone; and the step after which a promotion counts.

Every step can be repeated: an interruption while recovering is recovered from in the same way.
"""

import shutil
from pathlib import Path

from tasks.consent import consent
from tasks.core import files
from tasks.core.errors import InputError, Refused, Unavailable
from tasks.gates.evidence import Evidence
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance
from tasks.registry.promote import assembly, candidate, intents, mirror, waivers
from tasks.registry.promote.intents import Intent
from tasks.registry.release import bundle, promotions
from tasks.registry.release.promotions import Signed
from tasks.registry.verify import verification


def make(signed: Signed, seq: int, ledger: Ledger, governance: Governance) -> None:
    """The point of no return.

    Raises Refused where another promotion was made since this one started, a source was withdrawn or a waiver expired.
    """
    with ledger.transaction():
        consent.require(bundle.folder(governance.state, signed.promotion.label) / bundle.PAYLOAD, ledger, governance)
        waivers.require(ledger, governance, signed)
        follows(signed, promotions.read(ledger, governance, signed.promotion.name).newest)
        ledger.append(promotions.MADE, signed.promotion.name, {"intent": seq, "envelope": signed.envelope})


def follows(signed: Signed, newest: Signed | None) -> None:
    if signed.promotion.previous == (newest.sha256 if newest else None):
        return
    taken = f"{newest.promotion.label} (statement {newest.promotion.sequence})" if newest else "no release"
    raise Refused(
        f"{signed.promotion.label} was to follow another release than {taken}, which was promoted in the meantime; "
        "run again to be compared with it"
    )


def settle(ledger: Ledger, governance: Governance) -> list[str]:
    """Finish or undo every pending intent of this environment and installation. Only called while holding the turn.

    Another machine may be at work on its own, and what it left after a crash lies there.
    """
    texts = []
    for seq, intent in pending_here(ledger, governance):
        try:
            _finish(seq, intent, ledger, governance)
            texts.append(f"{intent.label}: the promotion that was interrupted is complete")
        except (Refused, InputError) as error:
            undo(seq, intent, ledger, governance, str(error))
            texts.append(f"{intent.label}: the promotion that was interrupted is undone: {error}")
    return texts


def pending_here(ledger: Ledger, governance: Governance) -> list[tuple[int, Intent]]:
    """Pending intents of this environment and installation, oldest first, with their `seq`."""
    ours, environment = ("", intents.known_installation(governance.state)), governance.policy.environment
    every = intents.pending(ledger)
    return [(seq, intent) for seq, intent in every if intent.environment == environment and intent.installation in ours]


def _finish(seq: int, intent: Intent, ledger: Ledger, governance: Governance) -> None:
    """Carry out an intent whose bundle is whole, if it would still be promoted today. Raises Refused otherwise."""
    folder = bundle.folder(governance.state, intent.label)
    if not folder.is_dir():
        raise Refused("it had not come to a bundle")
    signed = verification.require(folder, governance)
    if not _is_of(folder, intent, governance):
        raise Refused("its bundle is that of another promotion")
    for gate in signed.promotion.gates:
        evidence = Evidence.read(files.read_json(folder / bundle.ATTESTATIONS / "evidence" / f"{gate}.json"))
        candidate.require_passed(evidence, ledger, governance)
    mirror.register(governance, signed)
    make(signed, seq, ledger, governance)


def undo(seq: int, intent: Intent, ledger: Ledger, governance: Governance, reason: str) -> None:
    """Remove what an intent left. A release that was ever promoted is never touched."""
    folder = bundle.folder(governance.state, intent.label)
    named = _is_of(folder, intent, governance) and not _ever_promoted(intent, ledger, governance)
    if named:  # only then may MLflow know it
        mirror.unregister(governance, intent.name, intent.label)
        shutil.rmtree(folder)
    shutil.rmtree(assembly.aside(governance.state, intent.label), ignore_errors=True)
    intents.undone(ledger, seq, intent.name, reason, named)


def _is_of(folder: Path, intent: Intent, governance: Governance) -> bool:
    """Whether the bundle is the one that this intent made, so that MLflow may know it too."""
    try:
        promotion = verification.statement(folder, governance).promotion
    except Refused:
        return False
    return (promotion.label, promotion.run, promotion.sequence) == (intent.label, intent.run, intent.sequence)


def _ever_promoted(intent: Intent, ledger: Ledger, governance: Governance) -> bool:
    valid = promotions.read(ledger, governance, intent.name).valid
    return any(signed.promotion.label == intent.label for signed in valid)


def mirror_late(ledger: Ledger, governance: Governance) -> list[str]:
    """Set aliases that a crash, or MLflow being away, left behind the newest statement."""
    texts = []
    for name in promotions.names(ledger):
        newest = promotions.read(ledger, governance, name).newest
        if newest is not None and not mirror.is_mirrored(ledger, newest):
            try:
                mirror.mirror(ledger, governance, name)
                texts.append(f"{newest.promotion.label}: MLflow's aliases are set")
            except Unavailable as error:
                texts.append(str(error))
    return texts
