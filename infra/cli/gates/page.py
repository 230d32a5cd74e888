"""Evidence of a gate, as printed for the person who decides: subject, checks, changes and decisions."""

from rich.table import Table

from infra.cli import dataset_table
from infra.cli.shared import console
from tasks.consent import withdrawals
from tasks.core.escaping import escape_to_one_line
from tasks.core.formatting import format_minutes, format_time
from tasks.gates import decision_summary, evidence_diff, evidence_text
from tasks.gates.cases import GateCase
from tasks.gates.evidence_diff import EvidenceDiff
from tasks.gates.finding_commands import finding_command
from tasks.gates.gates import CheckStatus, DecisionStatus, GateStatus
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance

NEAR_EQUAL_FACT = "split.near_equal_labels"
"""Metric that is shown even if no check asks for it. Who approves the data would not see such labels otherwise."""


def print_evidence(case: GateCase, standing: GateStatus, ledger: Ledger, governed: Governance) -> None:
    evidence, before = case.evidence, evidence_diff.diff_since_last_passed(case.evidence, ledger)
    console.print(f"{evidence.gate} gate of run {evidence.run}: {standing.state}", style="bold")
    if block_reason := withdrawals.dataset_block_reason(ledger, governed, evidence.dataset):
        console.print(f"the run goes no further, whatever is decided here: {block_reason}", style="bold")
    console.print(_summary_table(case, standing, ledger, governed))
    console.print(_checks_table(standing, before) if standing.checks else "\n policy asks no check at this gate")
    for check in standing.checks:
        if not check.holds and (command := finding_command(check.result.fact, evidence.run)):
            console.print(f" what is behind {check.result.name!r}: {command}", soft_wrap=True)
    if (near := evidence.facts.get(NEAR_EQUAL_FACT)) and near.value:
        command = finding_command(NEAR_EQUAL_FACT, evidence.run)
        console.print(f" {near.value:g} {near.note}, as misspelt ones do: {command}", soft_wrap=True)
    console.print()
    if evidence.dataset:
        dataset_table.print_dataset(evidence.dataset, evidence.change)
    else:
        console.print(f" {evidence_text.changed_files_text(before)}")
    for decision in standing.decisions:
        console.print(f" {_decision_text(decision)}")
    for wanted in standing.waiting_for:
        console.print(f" waits for {wanted}")


def _summary_table(case: GateCase, standing: GateStatus, ledger: Ledger, governed: Governance) -> Table:
    evidence, now = case.evidence, ledger.now()
    waits = (
        f", {format_minutes((now - case.opening_entry.time).total_seconds())} ago" if case.closing_entry is None else ""
    )
    left = (
        f", in {format_minutes((standing.deadline - now).total_seconds())}"
        if case.closing_entry is None and standing.deadline > now
        else ""
    )
    lines = {
        "evidence": f"SHA-256 {case.sha256}",
        **evidence_text.evidence_lines(evidence),
        "asked": f"{format_time(case.opening_entry.time)}{waits}",
        **decision_summary.summary_lines(evidence, ledger, governed),
        "decide by": f"{format_time(standing.deadline)}{left}",
    }
    table = Table(show_header=False, box=None, padding=(0, 1))
    for name, text in lines.items():
        table.add_row(name, text)
    return table


def _checks_table(standing: GateStatus, before: EvidenceDiff | None) -> Table:
    table = Table("check", "verdict", "value", "wanted", *["before"] * bool(before), box=None, header_style="bold")
    for check in sorted(standing.checks, key=lambda check: check.holds):
        then = [before.earlier_value(check.result.fact)] if before else []
        table.add_row(*_cells(check), *then, style=None if check.holds else "bold")
    return table


def _cells(check: CheckStatus) -> list[str]:
    result = check.result
    name = f"{result.name} ({result.fact})" + f": {result.why}" * bool(result.why)
    return [
        name,
        evidence_text.outcome_text(check),
        evidence_text.metric_text(result),
        evidence_text.limit_text(result),
    ]


def _decision_text(decision: DecisionStatus) -> str:
    role = f" as {decision.role}" if decision.role else ""
    why = escape_to_one_line(decision.reason)  # a second line could imitate a line of this page
    said = f"{format_time(decision.time)} {decision.person}{role}: {decision.verb} {why}".rstrip()
    return said if decision.counted else f"{said} (does not count: {decision.why_not})"
