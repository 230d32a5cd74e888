"""Commands `hallmark gates approve | reject | waive | withdraw`: show the evidence, ask for confirmation, and sign.

The printed evidence is the same object that is signed. If the run has submitted newer evidence in the meantime, no
decision is signed.
"""

import re
import sys
from datetime import UTC, datetime
from typing import Annotated

import typer

from infra.cli import shared
from infra.cli.gates import gate_question, page
from infra.cli.gates.gate_question import GateQuestion
from infra.cli.shared import console
from infra.prefect import server
from tasks.core.errors import InputError, Refused
from tasks.gates import decisions
from tasks.gates.cases import GateCase
from tasks.gates.decisions import DecisionDraft
from tasks.gates.gates import GateStatus
from tasks.runs import journal
from tasks.runs.run import is_on_this_machine, run_layout

Role = Annotated[str | None, typer.Option(metavar="ROLE", help="Your role in this decision, where you hold several.")]
Yes = Annotated[bool, typer.Option("--yes", help="Ask no question. A pipe and --json never ask.")]
Digest = Annotated[
    str | None,
    typer.Option(
        "--evidence",
        metavar="DIGEST",
        help="Decide only if the evidence has this SHA-256, or one that begins like this.",
    ),
]


def approve(
    reason: shared.Reason, run: gate_question.RunId = None, gate: gate_question.Gate = None, who: shared.ActAs = None,
    role: Role = None,
    digest: Digest = None, yes: Yes = False, as_json: shared.Json = False,
) -> None:  # fmt: skip
    """Show the evidence of a gate, ask for confirmation, and sign your approval.

    Example: hallmark gates approve a1b2 --as data-owner --reason "suites clean"
    """
    question = gate_question.find_question(run, gate, as_json)
    _decide(question, who, DecisionDraft("approve", reason, role), "approve", digest, yes, as_json)


def reject(
    reason: shared.Reason, run: gate_question.RunId = None, gate: gate_question.Gate = None, who: shared.ActAs = None,
    role: Role = None,
    digest: Digest = None, yes: Yes = False, as_json: shared.Json = False,
) -> None:  # fmt: skip
    """Show the evidence of a gate, ask for confirmation, and sign your rejection. The run stops.

    Example: hallmark gates reject a1b2 data --as data-owner --reason "wrong extract"
    """
    question = gate_question.find_question(run, gate, as_json)
    _decide(question, who, DecisionDraft("reject", reason, role), "reject", digest, yes, as_json)


def waive(
    check: Annotated[list[str], typer.Option(help="Name of a failed check. May be repeated.")],
    reason: shared.Reason,
    expires: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="Last day the waiver counts.")],
    run: gate_question.RunId = None,
    gate: gate_question.Gate = None,
    who: shared.ActAs = None,
    digest: Digest = None,
    yes: Yes = False,
    as_json: shared.Json = False,
) -> None:
    """Show the evidence of a gate, ask for confirmation, and sign a waiver of failed checks.

    The waiver is valid until the given date. The policy names the role that may sign it. Afterwards, resume the run
    with `hallmark run --resume RUN`.

    Example: hallmark gates waive 20260303-120000-a1b2 data --check "few malformed rows" --reason "known export defect"
    --expires 2026-04-01 --as risk-officer
    """
    until = expires.replace(hour=23, minute=59, second=59, tzinfo=UTC)
    question = gate_question.find_question(run, gate, as_json)
    what = f"waive {', '.join(map(repr, check))} until {until:%Y-%m-%d}"
    _decide(
        question, who, DecisionDraft("waive", reason, checks=tuple(check), expires=until), what, digest, yes, as_json
    )


def withdraw(
    reason: shared.Reason,
    run: gate_question.RunId = None,
    gate: gate_question.Gate = None,
    who: shared.ActAs = None,
    as_json: shared.Json = False,
) -> None:
    """Withdraw your own decision while the gate is open.

    Example: hallmark gates withdraw 20260303-120000-a1b2 data --as data-owner --reason "looked at the wrong run"
    """
    question, person = gate_question.find_question(run, gate, as_json), shared.acting_person(who)
    _sign(question, person, DecisionDraft("withdraw", reason), as_json)


def _decide(
    question: GateQuestion,
    who: str | None,
    draft: DecisionDraft,
    what: str,
    digest: str | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Show the evidence and sign the decision. Whoever may not decide is told so before any evidence is shown."""
    case, person = question.case, shared.acting_person(who)
    _require_same_evidence(case, digest)
    decisions.require_allowed(question.ledger, question.governance, case.evidence, person, draft)
    if not as_json:
        page.print_evidence(case, question.judge(), question.ledger, question.governance)
        _confirm(case, what, yes)
    _sign(question, person, draft, as_json)


def _confirm(case: GateCase, what: str, yes: bool) -> None:
    if yes or not sys.stdin.isatty() or not sys.stdout.isatty():
        return
    console.print()
    if not typer.confirm(f"{what} at the {case.evidence.gate} gate, on the evidence above ({case.sha256[:12]})?"):
        raise Refused("nothing was decided")


def _require_same_evidence(case: GateCase, digest: str | None) -> None:
    if digest is None:
        return
    if not re.fullmatch("[0-9a-f]{12,64}", digest):
        raise InputError(f"--evidence {digest}: expected the first 12 or more hex digits of the digest that `hallmark "
                         "gates show` prints")  # fmt: skip
    if not case.sha256.startswith(digest):
        raise Refused(
            f"the evidence of gate {case.evidence.gate} in run {case.evidence.run} is {case.sha256[:12]} now, not "
            f"{digest[:12]}; look at it again: hallmark gates show {case.evidence.run} {case.evidence.gate}"
        )


def _sign(question: GateQuestion, person: str, draft: DecisionDraft, as_json: bool) -> None:
    evidence = question.case.evidence
    entry = decisions.decide(
        question.ledger, question.governance, evidence, person, draft.verb, draft.reason, draft.role, draft.checks,
        draft.expires,
    )  # fmt: skip
    standing = question.judge()
    if as_json:
        shared.print_json(gate_question.status_row(evidence, standing) | {"ledger_entry": entry.seq})
    else:
        where = f"{evidence.gate} gate of run {evidence.run}"
        console.print(f"recorded as entry {entry.seq} of the ledger: {person}, {draft.verb}, {where}")
        console.print(f"the gate is {standing.state}" + "".join(f"; waits for {w}" for w in standing.waiting_for))
    _print_next_step(evidence.run, standing, as_json)


def _print_next_step(run: str, standing: GateStatus, as_json: bool) -> None:
    stopped = _has_failed(run)
    if stopped and standing.state in ("waiting", "passed") and all(check.holds for check in standing.checks):
        shared.print_notice(f"the run has stopped; go on: hallmark run --resume {run}", as_json)
    elif standing.state != "waiting" and not is_on_this_machine(run_layout(shared.checkout_root(), run)):
        shared.print_notice("the run goes on on the machine where it is", as_json)
    elif standing.state != "waiting" and not stopped and server.find(shared.checkout_root()) is None:
        shared.print_notice("Prefect is not up here; the run goes on after `hallmark up`", as_json)


def _has_failed(run: str) -> bool:
    """Return whether the run has failed. A person must then resume it, even if a waiver lets the gate pass."""
    known = journal.read_journal(shared.checkout_root() / ".hallmark", run)
    return known is not None and known.status == "failed"
