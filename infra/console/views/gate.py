"""One gate: verdict, checks, changes, decisions so far, and the decisions that a person may make."""

from datetime import datetime

from infra.console.site import RequestState
from infra.console.views import checks, gate_dataset
from infra.console.views.checks import Check
from infra.console.views.evaluation import Evaluation, read_evaluation_or_reason
from infra.console.views.gate_dataset import Distribution, GateSource
from infra.console.views.run_pages import run_layout
from infra.console.views.signing_form import SigningForm, optional_fields, strong_key_fingerprints
from tasks.consent import withdrawals
from tasks.core.documents.config import FrozenModel
from tasks.core.errors import InputError
from tasks.core.graph import GATES
from tasks.gates import cases, decision_summary, evidence_diff, evidence_text, gates, signed_decision
from tasks.gates.cases import GateCase
from tasks.gates.dataset_profile.shift import Shift
from tasks.gates.gates import DecisionStatus
from tasks.gates.possible_decisions import PossibleDecision, possible_decisions
from tasks.gates.reminders import REMINDED
from tasks.gates.signed_decision import Verb
from tasks.policy.governance import Governance
from tasks.policy.people import Person
from tasks.runs.request import require_run_id

DECISION_TEXTS: dict[Verb, str] = {
    "approve": "approve in role {}", "reject": "reject in role {}", "waive": "waive failed checks in role {}",
    "withdraw": "withdraw your decision",
}  # fmt: skip


class GatePage(FrozenModel):
    run: str
    gate: str
    use_case: str
    tier: str
    demo: bool
    state: str
    verdict: str
    held_back: str
    """Reason why no decision can let the run continue, such as a withdrawn source; empty if there is none."""
    evidence_sha256: str
    """SHA-256 of the evidence. Every decision states this digest."""
    asked: datetime
    deadline: datetime
    closed: datetime | None
    glance: dict[str, str]
    """Lines to read before a decision, keyed by title."""
    facts: dict[str, str]
    """Lines about the evidence, keyed by title."""
    checks: list[Check]
    sources: list[GateSource]
    distributions: list[Distribution]
    shifts: list[Shift]
    """Distances from the dataset approved last; empty if there is none."""
    changes: list[str]
    reminded: list[datetime]
    """Times at which reminders were sent to the people who must decide."""
    evaluation: Evaluation | None
    """Metrics in the evidence of the evaluation gate; null at other gates, and if the run is on another machine."""
    wrong: str
    """Reason why the metrics cannot be shown; empty if there is none."""
    decisions: list[DecisionStatus]
    mine: list[str]
    """Decisions that this person may make now, in words."""
    verbs: list[Verb]
    asked_of: SigningForm | None
    """Form for a decision, to be signed in the browser; null if this person may not decide now."""
    report: bool
    """Whether the evidence includes an evaluation report."""
    docs: bool
    """Whether the evidence includes Data Docs."""


def newest_case(here: RequestState, run: str, gate: str) -> tuple[GateCase, Governance]:
    """Return the newest evidence of a gate with its ledger entries, and the governance by which the gate is judged.

    Raises:
        InputError: The gate does not exist, or the run has not reached it.
    """
    if gate not in GATES:
        raise InputError(f"there is no gate {gate!r}; expected one of {', '.join(GATES)}")
    asked = [case for case in cases.read_cases(here.ledger, run) if case.evidence.gate == gate]
    if not asked:
        raise InputError(f"run {run} has asked nothing at the gate {gate}")
    return asked[-1], here.governance_cache.governance_of_local_run(run) or here.governance


def gate(here: RequestState, person: Person, run: str, gate: str) -> GatePage:
    """Return the page of a gate.

    Raises:
        InputError: As in `newest_case`.
        Refused: The evidence does not follow from the policy and the metrics, or names another requester than the run
            request.
    """
    require_run_id(run)
    case, governed = newest_case(here, run, gate)
    evidence = case.evidence
    standing = gates.judge_case(case, here.ledger, governed, here.ledger_time)
    before = evidence_diff.diff_since_last_passed(evidence, here.ledger)
    still_open = case.closing_entry is None
    evidence_names = {path.rsplit("/", 1)[-1] for path in evidence.artefacts}
    listed = checks.check_rows(standing, before, evidence)
    failed = [check.name for check in listed if check.waivable and not check.holds]
    offers = possible_decisions(here.ledger, governed, evidence, person, failed) if still_open else []
    figures, wrong = read_evaluation_or_reason(here, run_layout(here, run)) if gate == "evaluation" else (None, "")
    return GatePage(
        run=run,
        gate=gate,
        use_case=evidence.use_case,
        tier=evidence.tier,
        demo=evidence.demo,
        state=standing.state,
        verdict=evidence_text.verdict_text(standing),
        held_back=withdrawals.dataset_block_reason(here.ledger, governed, evidence.dataset) or "",
        evidence_sha256=case.sha256,
        asked=case.opening_entry.time,
        deadline=standing.deadline,
        closed=case.closing_entry.time if case.closing_entry else None,
        glance=decision_summary.summary_lines(evidence, here.ledger, governed),
        facts=evidence_text.evidence_lines(evidence),
        checks=listed,
        sources=gate_dataset.gate_sources(evidence),
        distributions=gate_dataset.segment_distributions(evidence),
        shifts=evidence.shifts,
        changes=gate_dataset.changes_in_words(evidence, before),
        reminded=[each.time for each in here.ledger.entries(REMINDED, run) if each.body.get("sha256") == case.sha256],
        evaluation=figures,
        wrong=wrong,
        decisions=standing.decisions,
        mine=[DECISION_TEXTS[offer.verb].format(offer.role) for offer in offers],
        verbs=list(dict.fromkeys(offer.verb for offer in offers)),
        asked_of=_signing_form(here, case, person, governed, offers) if offers else None,
        report="report.html" in evidence_names,
        docs="index.html" in evidence_names,
    )


def _signing_form(
    here: RequestState, case: GateCase, person: Person, governed: Governance, offers: list[PossibleDecision]
) -> SigningForm:
    it = case.evidence
    return SigningForm(
        path=f"/gates/{it.run}/{it.gate}",
        type=signed_decision.DECISION_KIND.uri,
        person=person.id,
        keys=strong_key_fingerprints(here, person, governed.policy, it.tier, it.gate),
        about={
            "run": it.run, "gate": it.gate, "use_case": it.use_case, "tier": it.tier, "demo": it.demo,
            "policy_sha256": it.policy_sha256, "purpose_sha256": it.purpose_sha256,
        },
        defaults=optional_fields(signed_decision.DECISION_KIND),
        digests=[it.subject.sha256, case.sha256],
        wish={"evidence": case.sha256},
        roles=list(dict.fromkeys(offer.role for offer in offers if offer.role)),
    )  # fmt: skip
