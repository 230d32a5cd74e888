"""Reminders of waiting gates. They go to the roles that have to decide, and later to another role (escalation).

Each notice is recorded in the ledger, in the transaction that searches for earlier notices. It is therefore sent only
once, even if the watch restarts or its clock is wrong. `registry.history.notices` has the texts.
"""

from datetime import datetime, timedelta
from typing import Any

from tasks.gates import cases
from tasks.gates.cases import GateCase
from tasks.gates.decision_validity import gate_deadline
from tasks.gates.gates import GateStatus, judge_and_close, judge_gate
from tasks.ledger.ledger import Entry, Ledger
from tasks.policy.governance import Governance
from tasks.policy.policy import GateRules

REMINDED, ESCALATED = "gate.reminded", "gate.escalated"
"""Kinds of the ledger entries for reminders and escalations. The subject of an entry is the run's id."""


def record_due_notices(ledger: Ledger, governance: Governance, case: GateCase) -> list[Entry]:
    """Record the notices that are due at a waiting gate, and return the new entries: reminders, escalation, closing.

    Raises:
        Refused: The gate cannot be judged under this policy.
    """
    rules, now = governance.policy.gate(case.evidence.tier, case.evidence.gate), ledger.now()
    if not _due_notices(ledger, case, rules, now) and now <= gate_deadline(case.opened_at, rules):
        return []
    with ledger.transaction():
        standing = judge_gate(case.evidence, ledger, governance, now)
        if cases.current_case(ledger, case.evidence).closing_entry is not None:
            return []
        if standing.state == "expired":
            judge_and_close(ledger, governance, case.evidence)
            return ledger.entries(cases.CLOSED, case.evidence.run)[-1:]
        if standing.state != "waiting":
            return []  # decided; its run is about to continue
        about = {"gate": case.evidence.gate, "sha256": case.sha256, "roles": _undecided_roles(case, standing),
                "deadline": standing.deadline.isoformat()}  # fmt: skip
        due = _due_notices(ledger, case, rules, now)
        return [ledger.append(kind, case.evidence.run, about | body) for kind, body in due]


def _due_notices(ledger: Ledger, case: GateCase, rules: GateRules, now: datetime) -> list[tuple[str, dict[str, Any]]]:
    """Return the kind and details of each due notice. If several reminders were missed, only the last is due."""
    waited = now - case.opening_entry.time
    due: list[tuple[str, dict[str, Any]]] = []
    days = [day for day in rules.remind_days if timedelta(days=day) <= waited]
    said = [entry.body.get("after_days") for entry in _sent_notices(ledger, REMINDED, case)] if days else []
    if days and max(days) > max((day for day in said if isinstance(day, int | float)), default=0):
        due.append((REMINDED, {"after_days": max(days)}))
    late = rules.escalate and timedelta(days=rules.escalate.after_days) <= waited
    if rules.escalate and late and not _sent_notices(ledger, ESCALATED, case):
        due.append((ESCALATED, {"to": rules.escalate.role}))
    return due


def _sent_notices(ledger: Ledger, kind: str, case: GateCase) -> list[Entry]:
    entries = ledger.entries(kind, case.evidence.run)
    return [
        entry for entry in entries if entry.body.get("sha256") == case.sha256 and entry.seq > case.opening_entry.seq
    ]


def _undecided_roles(case: GateCase, standing: GateStatus) -> list[str]:
    asks = case.evidence.asks
    given = [decision.role for decision in standing.decisions if decision.counted and decision.verb == "approve"]
    wanted = {role.role: len(asks.owners) if role.owners and asks.owners else role.count for role in asks.roles}
    left = [role for role, count in wanted.items() if given.count(role) < count]
    if asks.waive and asks.waive.role not in left and not all(check.holds for check in standing.checks):
        left.append(asks.waive.role)
    return left
