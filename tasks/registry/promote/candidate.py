"""Verification of a run's package and gates before promotion.

The stages were executed with the code of the run's commit. Before promotion, the installed version of Hallmark judges
the run again. It uses the governance in force and the current ledger and files.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tasks.code_versions import sign_off
from tasks.code_versions.signed_version import CodeVersion
from tasks.consent import release_sources
from tasks.core import code_digest
from tasks.core.errors import InputError, Refused
from tasks.core.graph import GATES, GATES_VERIFIED_BY_STAGES, sort_gates
from tasks.core.layout import Layout
from tasks.core.params import params
from tasks.core.params.values import Sha256
from tasks.core.payload import manifest
from tasks.core.payload.manifest import Manifest
from tasks.declarations import declarations
from tasks.declarations.criteria import AcceptanceCriteria, PromotedCriteria
from tasks.declarations.signed_declaration import Declaration
from tasks.gates import agreement, cases, gates, record_chain, signed_decision, signed_request
from tasks.gates import evidence as evidence_of
from tasks.gates.cases import GateCase
from tasks.gates.checks.purpose import Purpose
from tasks.gates.evidence import Evidence
from tasks.gates.gates import GateStatus
from tasks.gates.signed_request import RecordedRunRequest
from tasks.gates.signed_review import reviewer_of
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance
from tasks.policy.people import Person
from tasks.policy.signed_document import SignedDocument
from tasks.policy.tier import SCHEDULER
from tasks.registry.promote import candidate_digest, gated_files
from tasks.sources.dataset import Dataset
from tasks.trust import dsse, gate_statement
from tasks.trust.gate_statement import GateName
from tasks.trust.stage_record import SignedRecord


@dataclass(frozen=True)
class PassedGate:
    evidence: Evidence
    statement: dict[str, Any]
    """Signed envelope of the gate statement, gates/NAME.json."""
    decisions: tuple[dict[str, Any], ...]
    """Signed envelopes of the valid decisions, oldest first."""
    approved_by: tuple[str, ...]
    """Approvers, each in the form `PERSON as ROLE`, sorted."""
    deciders: frozenset[str]
    """Ids of all people with a valid decision at the gate."""


@dataclass(frozen=True)
class Candidate:
    layout: Layout
    run: str
    request: RecordedRunRequest
    tier: str
    demo: bool
    manifest: Manifest
    candidate_inputs: Sha256
    """Digest of everything that determines the candidate's bytes (tasks/registry/promote/candidate_digest.py). The
    payload does not contain this digest, because a DVC stage cannot depend on dvc.yaml."""
    gates: Mapping[GateName, PassedGate]
    stage_records: Mapping[str, SignedRecord]
    reproduction_records: agreement.AgreeingRecords
    """Records of the same stages, executed on other machines."""
    code_signoffs: tuple[SignedDocument[CodeVersion], ...]
    """Sign-offs of the code version; can be empty in environment `local`."""
    adoptions: tuple[SignedDocument[Declaration], ...]
    """Adoptions of the sources and of the use-case card; can be empty in environment `local`."""
    people: tuple[Person, ...]
    """People with their keys, sorted by id: the requester, people who decided at a gate, signed a review or signed off
    the code, and owners and adopters of the sources and the use-case card."""

    @property
    def dataset(self) -> Dataset:
        dataset = self.gates["data"].evidence.dataset
        assert dataset is not None, "the evidence of the data gate says what the dataset is"
        return dataset

    @property
    def success_metrics(self) -> AcceptanceCriteria:
        return self.gates["evaluation"].evidence.bar

    @property
    def previous_success_metrics(self) -> PromotedCriteria | None:
        """Return the success metrics of the previous version, from the evidence of the evaluation gate."""
        return self.gates["evaluation"].evidence.adopted

    @property
    def requested_by(self) -> str:
        return self.request.request.requested_by


def verify_candidate(layout: Layout, run: str, ledger: Ledger, governance: Governance) -> Candidate:
    """Verify a run's package and all its gates before promotion.

    Runs of risk tier `experiment` are refused. Demo runs are refused outside environment `local`.

    Raises:
        Refused: The package cannot be promoted.
    """
    passed = {gate: _passed_gate(gate, layout, run, ledger, governance) for gate in GATES}
    tier = _single_value({each.evidence.tier for each in passed.values()}, "risk tier")
    more = [gate for gate in sort_gates(governance.policy.tier(tier).gates) if gate not in passed]
    passed |= {gate: _passed_gate(gate, layout, run, ledger, governance) for gate in more}
    evidence = [gate.evidence for gate in passed.values()]
    asked = signed_request.require_request(ledger, governance, run)
    sign_off.require_signed_off(ledger, governance, asked.request.tree_sha256, asked.request.commit)
    code_signed = sign_off.sign_off_status(ledger, governance, asked.request.tree_sha256).sign_offs
    people = {name for gate in passed.values() for name in gate.deciders} | {asked.request.requested_by}
    people |= {signed.document.person for signed in code_signed}
    people |= {name for gate in passed.values() if (name := reviewer_of(gate.evidence.review))}
    adopted = _adoptions_in_force(layout, evidence, ledger, governance)
    people |= {name for signed in adopted for name in (signed.document.person, *signed.document.owners)}
    records = record_chain.records_of_run(ledger, governance, run)
    again = agreement.agreeing_records(ledger, governance, run, records)
    agreement.require_agreement(governance.policy.tier(tier).machines, records, again, run)
    candidate = Candidate(
        layout=layout,
        run=run,
        request=asked,
        tier=_single_value({e.tier for e in evidence}, "risk tier"),
        demo=any(e.demo for e in evidence),
        manifest=manifest.read_manifest(layout.artefacts("package") / "payload"),
        candidate_inputs=candidate_digest.candidate_inputs_digest(layout),
        gates=passed,
        stage_records=records,
        reproduction_records=again,
        code_signoffs=code_signed,
        adoptions=adopted,
        people=tuple(
            _with_keys(name, governance) for name in sorted(people - {SCHEDULER}) if governance.people.get(name)
        ),
    )
    _require_made_from_gated_outputs(candidate)
    _require_stage_records(candidate, governance)
    release_sources.require_sources_not_withdrawn(
        layout.artefacts("package") / "payload", ledger, governance, release_sources.sources_of_run(layout)
    )
    return candidate


def latest_case(ledger: Ledger, run: str, gate: GateName) -> GateCase:
    """Return the evidence that a run last submitted to a gate, with its ledger entry.

    Raises:
        Refused: The run submitted no evidence to the gate.
    """
    asked = cases.read_cases(ledger, run=run, gate=gate)
    if not asked:
        raise Refused(f"run {run} has not asked gate {gate}, so nobody has let it pass")
    return asked[-1]


def require_gate_passed(evidence: Evidence, ledger: Ledger, governance: Governance) -> GateStatus:
    """Judge a gate again by its evidence and the current decisions in the ledger, and return its status.

    Raises:
        Refused: The gate is not passed.
    """
    try:
        standing = gates.judge_gate(evidence, ledger, governance, ledger.now())
    except InputError as error:  # its tier or gate is no longer in policy.yaml
        raise Refused(f"gate {evidence.gate} of run {evidence.run} cannot be judged: {error}") from None
    if standing.state != "passed":
        missing = f": {'; '.join(standing.waiting_for)}" if standing.waiting_for else ""
        raise Refused(f"gate {evidence.gate} of run {evidence.run} is {standing.state}{missing}")
    return standing


def _passed_gate(gate: GateName, layout: Layout, run: str, ledger: Ledger, governance: Governance) -> PassedGate:
    try:
        claim = gate_statement.verify_gate(
            layout, gate, governance.gate_public_keys(ledger.now()), governance.policy.digest()
        )
    except ValueError as error:  # a link where a plain file should be
        raise Refused(f"gate {gate} cannot be checked: {error}") from None
    if claim.verdict != "passed":
        raise Refused(f"gate {gate} of run {run} was opened for an experiment, and those are never promoted")
    case = latest_case(ledger, run, gate)
    if (claim.subject, claim.demo) != (case.evidence.subject.sha256, case.evidence.demo):
        raise Refused(f"the statement of gate {gate} and the evidence that run {run} put to it are about other things")
    counted = [d for d in require_gate_passed(case.evidence, ledger, governance).decisions if d.counted]
    entries = {entry.seq: entry for entry in ledger.entries(signed_decision.ENTRY_KIND, case.evidence.subject.sha256)}
    return PassedGate(
        evidence=case.evidence,
        statement=dsse.read_envelope(layout.gate_statement_path(gate)),
        decisions=tuple(entries[decision.seq].body["envelope"] for decision in counted),
        approved_by=tuple(sorted(f"{d.person} as {d.role}" for d in counted if d.verb == "approve")),
        deciders=frozenset(decision.person for decision in counted),
    )


def _adoptions_in_force(
    layout: Layout, evidence: Sequence[Evidence], ledger: Ledger, governance: Governance
) -> tuple[SignedDocument[Declaration], ...]:
    try:
        declared = declarations.declarations_of_run(layout, params.load_params(layout.params_path), governance.policy)
    except InputError as error:
        raise Refused(str(error)) from None
    declarations.require_in_force(ledger, governance, declared)
    adopted = declarations.declarations_complied_with(ledger, governance, declared)
    now = declarations.declaration_digests(adopted)
    if not governance.is_local and (other := [each.gate for each in evidence if each.declared != now]):
        raise Refused(f"sources or card were adopted anew since gate {', '.join(other)} looked at them; run again")
    seen = [subject for subject in adopted if all(each.declared.get(subject) == now[subject] for each in evidence)]
    return tuple(signed for subject in sorted(seen) for signed in adopted[subject].signatures)


def _with_keys(name: str, governance: Governance) -> Person:
    person = governance.people.get(name)
    assert person is not None, "a decision or a request counts only by somebody in people.yaml"
    return person.model_copy(update={"keys": governance.keys_of(person)})


def _single_value(values: set[str], what: str) -> str:
    if len(values) != 1:
        raise Refused(f"the gates of one run have different {what}s: {', '.join(sorted(values))}")
    return values.pop()


def _require_made_from_gated_outputs(candidate: Candidate) -> None:
    package, passed = candidate.manifest, candidate.gates
    what_was_read = manifest.build_input_fields(candidate.layout, code_digest.all_stages_digest(candidate.layout.root))
    named = passed["data"].evidence.asks.owners
    if named and named != evidence_of.source_owners(candidate.layout):
        raise Refused("the data gate asked other owners than those of the run's sources")
    for gate in GATES_VERIFIED_BY_STAGES:
        subject = passed[gate].evidence.subject
        if package.stages.get(subject.stage) != subject.sha256:
            raise Refused(f"the package was not made from the output of {subject.stage} that gate {gate} let pass")
    if package.model_dump(include=set(what_was_read)) != what_was_read:
        raise Refused("parameters, inputs or code changed after the package was made; run again")
    gated_files.require_files_unchanged(
        {gate: opened.evidence for gate, opened in passed.items()}, candidate.layout, package
    )
    if package.tree_sha256 != passed["release"].evidence.tree_sha256:
        raise Refused("the package was made from another tree than was asked for; run again")
    card = params.load_params(candidate.layout.params_path)
    said = (card.use_case.name, Purpose.from_card(card.use_case), AcceptanceCriteria.from_params(card))
    if other := [
        gate for gate, it in passed.items() if (it.evidence.use_case, it.evidence.purpose, it.evidence.bar) != said
    ]:
        raise Refused(f"the evidence of gate {', '.join(other)} has another use-case card than the run's parameters")
    if (package.tier, package.demo) != (candidate.tier, candidate.demo):
        raise Refused("the package states another risk tier or demo mark than its gates")


def _require_stage_records(candidate: Candidate, governance: Governance) -> None:
    record_chain.require_all_records(candidate.layout, candidate.stage_records, governance)
    seen = {name: it for gate in candidate.gates.values() for name, it in gate.evidence.recorded.items()}
    if other := sorted(
        name for name, it in record_chain.record_references(candidate.stage_records).items() if seen.get(name) != it
    ):
        raise Refused(f"the gates looked at another record of stage {', '.join(other)} than the ledger has; run again")
