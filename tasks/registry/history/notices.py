"""Notices for people outside of Hallmark, created from ledger entries.

A notice names a run, release or incident, with its gate and roles, and suggests a command. It contains no names of
people, no reasons and no metric values. If an entry must be signed by this installation and is not, there is no notice.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator

from tasks.core.documents.config import FrozenModel
from tasks.core.errors import HallmarkError
from tasks.core.escaping import escape_hidden
from tasks.core.formatting import format_time
from tasks.gates import cases, reminders
from tasks.incidents import signed_incident
from tasks.ledger.ledger import Entry
from tasks.policy.governance import Governance
from tasks.registry.release import promotions

VisibleText = Annotated[str, AfterValidator(escape_hidden)]
"""String in which hidden characters are escaped, because notices are shown in terminals, mail and chat."""


NoticeBuilders = Mapping[str, Callable[[Entry, Governance], dict[str, Any] | None]]
"""Function that returns the fields of the notice about an entry, by kind of entry."""


class Notice(FrozenModel):
    event: str
    """Name of the event: gate.asked, gate.reminded, gate.escalated, gate.expired, incident.opened, incident.escalated,
    release.promoted, release.rolled_back, run.failed or run.interrupted."""
    about: VisibleText
    """Run, incident or release that the notice is about."""
    title: VisibleText
    text: VisibleText
    command: VisibleText
    """Command that shows the details and, for an open gate, how to approve. It is run in the checkout."""
    environment: str
    entry: int
    """Number of the ledger entry from which the notice was created."""
    time: datetime


def notice_from_entry(entry: Entry, governance: Governance, builders: NoticeBuilders) -> Notice | None:
    """Return the notice about a ledger entry; None if there is no notice for this kind of entry."""
    try:
        fields_of = builders.get(entry.kind)
        fields = fields_of(entry, governance) if fields_of else None
    except (HallmarkError, KeyError, TypeError, ValueError):
        return None  # not written by Hallmark
    if fields is None:
        return None
    return Notice(**fields, environment=governance.policy.environment, entry=entry.seq, time=entry.time)


def _request_notice(entry: Entry, _: Governance) -> dict[str, Any] | None:
    roles, days = entry.body["roles"], float(entry.body["days"])
    if entry.body["demo"] or not roles:
        return None  # demo identities or the checks alone decide at once
    return _gate_notice(
        entry, "gate.asked", "waits for a decision", f"It is asked of {_roles_in_words(roles)}, for {days:g} days."
    )


def _reminder_notice(entry: Entry, _: Governance) -> dict[str, Any]:
    waits = f"still waits after {float(entry.body['after_days']):g} days"
    return _gate_notice(entry, "gate.reminded", waits, _deadline_in_words(entry))


def _escalation_notice(entry: Entry, _: Governance) -> dict[str, Any]:
    title = f"has waited too long: to role {entry.body['to']}"
    return _gate_notice(
        entry, "gate.escalated", title, f"Role {entry.body['to']} sees to it. {_deadline_in_words(entry)}"
    )


def _expiry_notice(entry: Entry, _: Governance) -> dict[str, Any] | None:
    if entry.body["state"] != "expired":
        return None
    return _gate_notice(entry, "gate.expired", "closed: nobody decided in time", "Its run ends; start another.")


def _gate_notice(entry: Entry, event: str, title: str, text: str) -> dict[str, Any]:
    run, gate = entry.subject, entry.body["gate"]
    show = f"hallmark gates show {run} {gate}"
    decide = "" if event == "gate.expired" else f"; then hallmark gates approve {run} {gate} --as ID"
    return {"event": event, "about": run, "title": f"{gate} gate of run {run} {title}", "text": text,
            "command": f"{show}{decide}"}  # fmt: skip


def _deadline_in_words(entry: Entry) -> str:
    deadline = datetime.fromisoformat(entry.body["deadline"])
    return f"{_roles_in_words(entry.body['roles'])} decides until {format_time(deadline)}."


def _roles_in_words(roles: list[str]) -> str:
    return " and ".join(f"role {role}" for role in roles)


def _incident_notice(entry: Entry, governance: Governance) -> dict[str, Any] | None:
    opened = signed_incident.read_opening(entry, governance)
    if opened is None:
        return None
    return {"event": "incident.opened", "about": opened.id, "title": f"incident {opened.id} ({opened.severity})",
            "text": opened.text, "command": f"hallmark incidents show {opened.id}"}  # fmt: skip


def _incident_escalation_notice(entry: Entry, governance: Governance) -> dict[str, Any] | None:
    said = signed_incident.read_escalation(entry, governance)
    if said is None:
        return None
    title = f"incident {said.id} is {said.severity}: nobody closed it in time"
    return {"event": "incident.escalated", "about": said.id, "title": title,
            "text": "Serving goes on; somebody has to look into it.",
            "command": f"hallmark incidents show {said.id}"}  # fmt: skip


def _promotion_notice(entry: Entry, governance: Governance) -> dict[str, Any] | None:
    made = promotions.verify_promotion(entry.body.get("envelope"), governance, governance.recorded_at(entry)).promotion
    if made.environment != governance.policy.environment:
        return None
    back = made.action == "rollback"
    text = "It was champion before." if back else f"Run {made.run} made it; all its gates passed."
    return {"event": "release.rolled_back" if back else "release.promoted", "about": made.label,
            "title": f"{made.label} is champion{' again' * back} in {made.environment}", "text": text,
            "command": f"hallmark releases show {made.label}"}  # fmt: skip


NOTICE_BUILDERS: NoticeBuilders = {
    cases.ASKED: _request_notice,
    reminders.REMINDED: _reminder_notice,
    reminders.ESCALATED: _escalation_notice,
    cases.CLOSED: _expiry_notice,
    signed_incident.OPENED: _incident_notice,
    signed_incident.ESCALATED: _incident_escalation_notice,
    promotions.PROMOTION_KIND: _promotion_notice,
}
