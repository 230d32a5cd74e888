"""Promotion: intent first, one point of no return, and whatever a crash leaves between is finished or undone.

    promotion.intended      ledger: version and sequence number are taken
    bundle                  built aside, signed, verified, renamed to releases/NAME-VERSION
    MLflow version          with tags that lead back
    promotion.made          ledger: the signed statement. From here on the release is champion, before it the old one is
    MLflow aliases          mirrored

Two promotions at once take turns on one machine; between machines the ledger's transaction lets one win.
"""

import shutil
from contextlib import suppress
from typing import Any

from tasks import files
from tasks.errors import HallmarkError, InputError, Refused, Unavailable
from tasks.govern import dsse
from tasks.govern.evidence import Evidence
from tasks.govern.governance import Governance
from tasks.govern.ledger import Ledger
from tasks.govern.policy import GATES
from tasks.layout import Layout
from tasks.registry import (
    bundle,
    candidate,
    champion,
    intents,
    manifest,
    mirror,
    orders,
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
        _settle(governance, ledger)
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
        _settle(governance, ledger)
        name = releases.get(ledger, governance, label).name
        line = succession.read(ledger, governance, name)
        back_to = orders.target(governance, line, label)
        person = orders.may_order(governance, person_id, back_to)
        order = orders.sign(governance, ledger, back_to, person, reason.strip())
        _carry_out(order, back_to, line, person.id, reason.strip(), governance, ledger)
        with suppress(Unavailable):
            mirror.mirror(governance, ledger, name)
    return releases.get(ledger, governance, label)


def reconcile(governance: Governance, ledger: Ledger) -> list[str]:
    """Finish or undo what a crash left of a promotion, and mirror what is not mirrored yet.

    Returns in words what it did; nothing while another process promotes. May be called at any time and twice.
    """
    with intents.turn(governance.state, wait=False) as mine:
        return _settle(governance, ledger) + _mirror_late(governance, ledger) if mine else []


def _already(layout: Layout, run: str, governance: Governance, ledger: Ledger) -> Release | None:
    """The release that this very package of this run was promoted as before."""
    payload = layout.stage("package") / bundle.PAYLOAD
    name, sha256 = manifest.read(payload).name, files.tree_digest(payload)
    known = releases.list_releases(ledger, governance, name)
    return next((r for r in known if (r.run, r.payload_sha256) == (run, sha256)), None)


def _promote(layout: Layout, run: str, commit: str, governance: Governance, ledger: Ledger) -> Release:
    found = candidate.examine(layout, run, governance, ledger)
    line = succession.read(ledger, governance, found.manifest.name)
    _compared_with_the_champion(found, line.newest)
    seq = intents.intend(ledger, found.manifest.name, run, commit, governance.policy.environment, line.newest)
    intent = intents.read(ledger, seq)
    try:
        signed = _build(found, intent, governance, ledger)
        mirror.register(governance, signed)
        _make(signed, seq, governance, ledger)
    except (HallmarkError, OSError) as error:
        with suppress(HallmarkError, OSError):  # what cannot be undone now stays pending for `reconcile`
            _undo(seq, intent, governance, ledger, str(error))
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
    building = bundle.aside(governance.state, intent.label)
    listing = bundle.build(found, intent.commit, governance, building)
    statement = Promotion(
        action="promote",
        **intent.model_dump(),
        payload_sha256=bundle.part_digest(listing, bundle.PAYLOAD),
        files=listing,
        candidate_inputs=found.manifest.candidate_inputs,
        tier=found.tier,
        demo=found.demo,
        requested_by=found.requested_by,
        reason="",
        order_sha256=None,
        time=ledger.now(),
    )
    bundle.add_promotion(building, succession.sign(statement, bundle.release_digest(listing), governance))
    signed = verification.require(building, governance)
    target = bundle.folder(governance.state, intent.label)
    shutil.rmtree(target, ignore_errors=True)
    bundle.publish(building, target)
    return signed


def _make(signed: Signed, seq: int, governance: Governance, ledger: Ledger) -> None:
    """The point of no return. Raises Refused where another promotion was made since this one started."""
    with ledger.transaction():
        _follows(signed, succession.read(ledger, governance, signed.promotion.name).newest)
        ledger.append(succession.MADE, signed.promotion.name, {"intent": seq, "envelope": signed.envelope})


def _follows(signed: Signed, newest: Signed | None) -> None:
    if signed.promotion.previous == (newest.sha256 if newest else None):
        return
    taken = f"{newest.promotion.label} (statement {newest.promotion.sequence})" if newest else "no release"
    raise Refused(
        f"{signed.promotion.label} was to follow another release than {taken}, which was promoted in the meantime; "
        "run again to be compared with it"
    )


def _carry_out(order: dict[str, Any], back_to: Signed, line: Succession, person: str, reason: str,
               governance: Governance, ledger: Ledger) -> None:  # fmt: skip
    """One ledger entry: the person's order and the promotion statement that follows from it."""
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
        signed = succession.verify(envelope, governance.gate_public_key())
        _follows(signed, succession.read(ledger, governance, told.name).newest)
        ledger.append(succession.MADE, told.name, {"envelope": envelope, "order": order})


def _settle(governance: Governance, ledger: Ledger) -> list[str]:
    """Finish or undo every pending intent of this environment. Only called while holding the turn."""
    told = []
    for seq, intent in intents.pending(ledger):
        if intent.environment != governance.policy.environment:
            continue
        try:
            _finish(seq, intent, governance, ledger)
            told.append(f"{intent.label}: the promotion that was interrupted is complete")
        except (Refused, InputError) as error:
            _undo(seq, intent, governance, ledger, str(error))
            told.append(f"{intent.label}: the promotion that was interrupted is undone: {error}")
    return told


def _finish(seq: int, intent: Intent, governance: Governance, ledger: Ledger) -> None:
    """Carry out an intent whose bundle is whole, if it would still be promoted today. Raises Refused otherwise."""
    folder = bundle.folder(governance.state, intent.label)
    if not folder.is_dir():
        raise Refused("it had not come to a bundle")
    signed = verification.require(folder, governance)
    told = signed.promotion
    if (told.label, told.run, told.sequence, told.environment) != (
        intent.label, intent.run, intent.sequence, intent.environment
    ):  # fmt: skip
        raise Refused("its bundle is that of another promotion")
    for gate in GATES:
        evidence = Evidence.model_validate(files.read_json(folder / bundle.ATTESTATIONS / "evidence" / f"{gate}.json"))
        candidate.require_passed(evidence, governance, ledger)
    mirror.register(governance, signed)
    _make(signed, seq, governance, ledger)


def _undo(seq: int, intent: Intent, governance: Governance, ledger: Ledger, reason: str) -> None:
    """Remove what an intent left. A release that was ever promoted is never touched."""
    made = succession.read(ledger, governance, intent.name).valid
    registered = False
    if all(signed.promotion.label != intent.label for signed in made):
        folder = bundle.folder(governance.state, intent.label)
        if folder.exists():  # it is registered only after it has its name
            registered = mirror.unregister(governance, intent.name, intent.label)
            shutil.rmtree(folder)
        shutil.rmtree(bundle.aside(governance.state, intent.label), ignore_errors=True)
    intents.undone(ledger, seq, intent.name, reason, registered)


def _mirror_late(governance: Governance, ledger: Ledger) -> list[str]:
    """Set aliases that a crash, or MLflow being away, left behind the newest statement."""
    told = []
    for name in succession.names(ledger):
        newest = succession.read(ledger, governance, name).newest
        if newest is not None and not mirror.is_mirrored(ledger, newest):
            try:
                mirror.mirror(governance, ledger, name)
                told.append(f"{newest.promotion.label}: MLflow's aliases are set")
            except Unavailable as error:
                told.append(str(error))
    return told
