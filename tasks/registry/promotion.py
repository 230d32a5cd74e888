"""Promotion: intent first, one point of no return, and whatever a crash leaves between is finished or undone.

    promotion.intended      ledger: version and sequence number are taken
    base model              kept, for later runs to be compared with the release whatever base they use
    bundle                  built aside, signed, verified, renamed to releases/NAME-VERSION
    MLflow version          with tags that lead back
    promotion.made          ledger: the signed statement. From here on the release is champion, before it the old one is
    MLflow aliases          mirrored

Two promotions at once take turns on one machine; between machines the ledger's transaction lets one win.
"""

from contextlib import suppress
from typing import Any

from tasks import files
from tasks.errors import HallmarkError, InputError, Refused, Unavailable
from tasks.govern import dsse
from tasks.govern.governance import Governance
from tasks.govern.ledger import Ledger
from tasks.layout import Layout
from tasks.registry import (
    bases,
    bundle,
    candidate,
    champion,
    consent,
    intents,
    manifest,
    mirror,
    orders,
    recovery,
    releases,
    succession,
    verification,
)
from tasks.registry.candidate import Candidate
from tasks.registry.intents import Intent
from tasks.registry.releases import Release
from tasks.registry.succession import Promotion, Signed, Succession


def promote(layout: Layout, run: str, commit: str, governance: Governance, ledger: Ledger) -> Release:
    """Make a run's package the champion. Asked again for the same run, returns the release it already made.

    Raises Refused with the reason where it may not be promoted, Unavailable where MLflow, the ledger or the disk is
    away; the old champion then stays in place.
    """
    with intents.turn(governance.state):
        recovery.settle(governance, ledger)
        release = _already(layout, run, governance, ledger) or _promote(layout, run, commit, governance, ledger)
        with suppress(Unavailable):  # the promotion stands; `reconcile` sets the aliases when MLflow is back
            mirror.mirror(governance, ledger, release.name)
    return release


def rollback(governance: Governance, ledger: Ledger, label: str, person_id: str, reason: str) -> Release:
    """Make an earlier release champion again, by order of a person who decides at the release gate.

    Raises InputError for an unknown release, person or missing reason, Refused where the person may not order it or
    the release does not verify, Unavailable where the ledger is away; the champion then stays.
    """
    if not reason.strip():
        raise InputError("a rollback needs a reason, so that others can follow it later")
    with intents.turn(governance.state):
        recovery.settle(governance, ledger)
        name = releases.get(ledger, governance, label).name
        line = succession.read(ledger, governance, name)
        back_to = orders.target(governance, ledger, line, label)
        person = orders.may_order(governance, ledger, person_id, back_to)
        order = orders.sign(governance, ledger, back_to, person, reason.strip())
        _carry_out(order, back_to, line, person.id, reason.strip(), governance, ledger)
        with suppress(Unavailable):
            mirror.mirror(governance, ledger, name)
    return releases.get(ledger, governance, label)


def reconcile(governance: Governance, ledger: Ledger) -> list[str]:
    """Finish or undo what a crash left of a promotion, and mirror what is not mirrored yet.

    Returns in words what it did, or why it could not; nothing while another process promotes. May be called at any
    time and twice.
    """
    with intents.turn(governance.state, wait=False) as mine:
        if not mine:
            return []
        try:
            return recovery.settle(governance, ledger) + recovery.mirror_late(governance, ledger)
        except Unavailable as error:  # what it was called before, say a list of releases, needs no MLflow
            return [str(error)]


def _already(layout: Layout, run: str, governance: Governance, ledger: Ledger) -> Release | None:
    """The release that this very package of this run was promoted as before."""
    payload = layout.stage("package") / bundle.PAYLOAD
    name, sha256 = manifest.read(payload).name, bundle.release_digest(bundle.listing(payload))
    known = releases.list_releases(ledger, governance, name)
    return next((r for r in known if (r.run, r.payload_sha256) == (run, sha256)), None)


def _promote(layout: Layout, run: str, commit: str, governance: Governance, ledger: Ledger) -> Release:
    found = candidate.examine(layout, run, governance, ledger)
    line = succession.read(ledger, governance, found.manifest.name)
    _compared_with_the_champion(found, line.newest)
    environment = governance.policy.environment
    seq, intent = intents.intend(ledger, found.manifest.name, run, commit, environment, line.newest)
    try:
        signed = _build(found, intent, governance, ledger)
        mirror.register(governance, signed)
        recovery.make(signed, seq, governance, ledger)
    except (HallmarkError, OSError) as error:
        with suppress(HallmarkError, OSError):  # what cannot be undone now stays pending for `reconcile`
            recovery.undo(seq, intent, governance, ledger, str(error))
        if isinstance(error, OSError):
            raise Unavailable(f"the release cannot be written: {error}; the champion is still the old one") from error
        raise
    return releases.get(ledger, governance, intent.label)


def _compared_with_the_champion(found: Candidate, newest: Signed | None) -> None:
    """What the evaluation compared the candidate with is still in production."""
    looked_at = found.gates["evaluation"].evidence.artefacts.get("inputs/champion.json")
    if looked_at != files.sha256_file(found.layout.champion):
        raise Refused("inputs/champion.json changed after the evaluation gate looked at it; run again")
    if champion.compared_with(found.layout) == (newest.promotion.payload_sha256 if newest else None):
        return
    if newest is None:
        raise Refused(f"run {found.run} was compared with a champion that is none any more; run again")
    now = newest.promotion
    raise Refused(
        f"since run {found.run} was compared with the champion, {now.label} took its place ({now.action} of run "
        f"{now.run}, {now.time:%Y-%m-%d %H:%M} UTC); run again to be compared with it"
    )


def _build(found: Candidate, intent: Intent, governance: Governance, ledger: Ledger) -> Signed:
    """The bundle, signed and verified, under its own name."""
    building, target = bundle.aside(governance.state, intent.label), bundle.folder(governance.state, intent.label)
    if target.exists():
        raise Refused(f"{target} is there, and the ledger knows of no such release; move it away and promote again")
    bases.keep(found.layout, found.manifest)
    draft = Promotion(
        action="promote",
        **intent.model_dump(),
        payload_sha256=files.tree_digest(found.layout.stage("package") / bundle.PAYLOAD),
        files={},
        candidate_inputs=found.candidate_inputs,
        tier=found.tier,
        demo=found.demo,
        approved_by={gate: list(passed.approved_by) for gate, passed in found.gates.items()},
        requested_by=found.requested_by,
        reason="",
        order_sha256=None,
        time=ledger.now(),
    )
    listing = bundle.build(found, draft, governance, building)
    statement = draft.model_copy(update={"files": listing})
    bundle.add_promotion(building, succession.sign(statement, bundle.release_digest(listing), governance))
    signed = verification.require(building, governance)
    bundle.publish(building, target)
    return signed


def _carry_out(order: dict[str, Any], back_to: Signed, line: Succession, person: str, reason: str,
               governance: Governance, ledger: Ledger) -> None:  # fmt: skip
    """One ledger entry: the person's order and the promotion statement that follows from it.

    Raises Refused where another release was promoted, or a source withdrawn, since the order was looked at.
    """
    assert line.newest is not None, "there is no earlier release without a newer one"
    told = back_to.promotion.model_copy(
        update={
            "action": "rollback",
            "sequence": line.newest.promotion.sequence + 1,
            "previous": line.newest.sha256,
            "requested_by": person,
            "reason": reason,
            "order_sha256": dsse.digest(order),
            "time": ledger.now(),
        }
    )
    envelope = succession.sign(told, back_to.release_sha256, governance)
    with ledger.transaction():
        signed = succession.verify(envelope, governance.keys_of("gate"))
        consent.require(bundle.folder(governance.state, told.label) / bundle.PAYLOAD, governance, ledger)
        recovery.follows(signed, succession.read(ledger, governance, told.name).newest)
        ledger.append(succession.MADE, told.name, {"envelope": envelope, "order": order})
