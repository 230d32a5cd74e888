"""A run's package, with everything that has to hold before it may be promoted, looked at again.

The stages ran with the run's own code; here the installed Hallmark and the governance in force judge once more, from
the ledger and the files that lie there now.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tasks.consent import consent
from tasks.core import code
from tasks.core.errors import InputError, Refused
from tasks.core.graph import GATES, LET_STAGES_RUN, in_order
from tasks.core.layout import Layout
from tasks.core.params import params
from tasks.core.params.values import Sha256
from tasks.core.payload import manifest
from tasks.core.payload.manifest import Manifest
from tasks.declarations import declarations
from tasks.declarations.bar import Adopted, Bar
from tasks.declarations.signed_declaration import Declaration
from tasks.gates import agreed, cases, chain, gates, signed_decision, signed_request
from tasks.gates import evidence as evidence_of
from tasks.gates.cases import Case
from tasks.gates.checks.purpose import Purpose
from tasks.gates.evidence import Evidence
from tasks.gates.gates import Standing
from tasks.gates.signed_request import SignedRequest
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance
from tasks.policy.people import Person
from tasks.policy.policy import SCHEDULER
from tasks.policy.read_signed import Signed
from tasks.registry.promote import identity, looked_at
from tasks.sources.dataset import Dataset
from tasks.trust import dsse, gate_statement
from tasks.trust.gate_statement import GateName
from tasks.trust.stage_record import SignedRecord
from tasks.versions import versions
from tasks.versions.signed_version import Version


@dataclass(frozen=True)
class PassedGate:
    """A gate that the ledger's decisions let pass, and the proof."""

    evidence: Evidence
    statement: dict[str, Any]
    """Envelope of gates/NAME.json."""
    decisions: tuple[dict[str, Any], ...]
    """Envelopes of the decisions that count, oldest first."""
    approved_by: tuple[str, ...]
    """`PERSON as ROLE`, sorted."""
    deciders: frozenset[str]
    """Who made them."""


@dataclass(frozen=True)
class Candidate:
    """What may be promoted."""

    layout: Layout
    run: str
    asked: SignedRequest
    """Who asked for the run, proven."""
    tier: str
    demo: bool
    manifest: Manifest
    candidate_inputs: Sha256
    """What decided it, see `tasks.core.payload.identity`. Not in the payload: DVC lets no stage depend on dvc.yaml."""
    gates: Mapping[GateName, PassedGate]
    records: Mapping[str, SignedRecord]
    """Of every stage, by the name that DVC knows: what it read and left."""
    again: agreed.Again
    """What other machines left of the same stages."""
    code: tuple[Signed[Version], ...]
    """Who signed its version of the code off; in environment `local` it may be nobody."""
    declared: tuple[Signed[Declaration], ...]
    """Who adopted its sources and its card; in environment `local` it may be nobody."""
    people: tuple[Person, ...]
    """Who decided at any gate, asked for the run, signed its code off, or adopted its sources and its card or is named
    there, by id; each with their keys."""

    @property
    def dataset(self) -> Dataset:
        """What its data gate let pass."""
        dataset = self.gates["data"].evidence.dataset
        assert dataset is not None, "the evidence of the data gate says what the dataset is"
        return dataset

    @property
    def bar(self) -> Bar:
        """What it is held to."""
        return self.gates["evaluation"].evidence.bar

    @property
    def adopted(self) -> Adopted | None:
        """What the version before it was held to, as its evaluation gate looked at it."""
        return self.gates["evaluation"].evidence.adopted

    @property
    def requested_by(self) -> str:
        return self.asked.request.requested_by


def examine(layout: Layout, run: str, ledger: Ledger, governance: Governance) -> Candidate:
    """Verify a run's package and all its gates. Raises Refused with the reason where it may not be promoted.

    Judging a gate refuses tier `experiment`, which has none, and demo runs outside environment `local`.
    """
    passed = {gate: _passed(gate, layout, run, ledger, governance) for gate in GATES}
    tier = _agreed({each.evidence.tier for each in passed.values()}, "risk tier")
    more = [gate for gate in in_order(governance.policy.tier(tier).gates) if gate not in passed]
    passed |= {gate: _passed(gate, layout, run, ledger, governance) for gate in more}
    evidence = [gate.evidence for gate in passed.values()]
    asked = signed_request.require(ledger, governance, run)
    versions.require(ledger, governance, asked.request.tree_sha256, asked.request.commit)
    code_signed = versions.standing(ledger, governance, asked.request.tree_sha256).signed
    people = {name for gate in passed.values() for name in gate.deciders} | {asked.request.requested_by}
    people |= {signed.said.person for signed in code_signed}
    adopted = _adopted(layout, evidence, ledger, governance)
    people |= {name for signed in adopted for name in (signed.said.person, *signed.said.owners)}
    records = chain.of_run(ledger, governance, run)
    again = agreed.of_run(ledger, governance, run, records)
    agreed.require(governance.policy.tier(tier).machines, records, again, run)
    candidate = Candidate(
        layout=layout,
        run=run,
        asked=asked,
        tier=_agreed({e.tier for e in evidence}, "risk tier"),
        demo=any(e.demo for e in evidence),
        manifest=manifest.read(layout.stage("package") / "payload"),
        candidate_inputs=identity.candidate_inputs(layout),
        gates=passed,
        records=records,
        again=again,
        code=code_signed,
        declared=adopted,
        people=tuple(
            _with_keys(name, governance) for name in sorted(people - {SCHEDULER}) if governance.people.get(name)
        ),
    )
    _made_of_what_passed(candidate)
    _as_recorded(candidate, governance)
    consent.require(layout.stage("package") / "payload", ledger, governance, consent.resolved(layout))
    return candidate


def case_of(ledger: Ledger, run: str, gate: GateName) -> Case:
    """The newest question that a run put to a gate. Raises Refused where it put none."""
    asked = cases.read(ledger, run=run, gate=gate)
    if not asked:
        raise Refused(f"run {run} has not asked gate {gate}, so nobody has let it pass")
    return asked[-1]


def require_passed(evidence: Evidence, ledger: Ledger, governance: Governance) -> Standing:
    """How a gate's evidence stands, judged now. Raises Refused where it does not pass."""
    try:
        standing = gates.judge(evidence, ledger, governance, ledger.now())
    except InputError as error:  # its tier or gate is no longer in policy.yaml
        raise Refused(f"gate {evidence.gate} of run {evidence.run} cannot be judged: {error}") from None
    if standing.state != "passed":
        missing = f": {'; '.join(standing.waiting_for)}" if standing.waiting_for else ""
        raise Refused(f"gate {evidence.gate} of run {evidence.run} is {standing.state}{missing}")
    return standing


def _passed(gate: GateName, layout: Layout, run: str, ledger: Ledger, governance: Governance) -> PassedGate:
    try:
        claim = gate_statement.verify_gate(
            layout, gate, governance.gate_lines(ledger.now()), governance.policy.digest()
        )
    except ValueError as error:  # a link where a plain file should be
        raise Refused(f"gate {gate} cannot be checked: {error}") from None
    if claim.verdict != "passed":
        raise Refused(f"gate {gate} of run {run} was opened for an experiment, and those are never promoted")
    case = case_of(ledger, run, gate)
    if (claim.subject, claim.demo) != (case.evidence.subject.sha256, case.evidence.demo):
        raise Refused(f"the statement of gate {gate} and the evidence that run {run} put to it are about other things")
    counted = [d for d in require_passed(case.evidence, ledger, governance).decisions if d.counted]
    entries = {entry.seq: entry for entry in ledger.entries(signed_decision.KIND, case.evidence.subject.sha256)}
    return PassedGate(
        evidence=case.evidence,
        statement=dsse.read(layout.gate(gate)),
        decisions=tuple(entries[decision.seq].body["envelope"] for decision in counted),
        approved_by=tuple(sorted(f"{d.person} as {d.role}" for d in counted if d.verb == "approve")),
        deciders=frozenset(decision.person for decision in counted),
    )


def _adopted(
    layout: Layout, evidence: Sequence[Evidence], ledger: Ledger, governance: Governance
) -> tuple[Signed[Declaration], ...]:
    """What owners signed who adopted what the run keeps to, and every gate looked at. Raises Refused where that is not
    all that environment asks for."""
    try:
        declared = declarations.of_run(layout, params.load(layout.params), governance.policy)
    except InputError as error:
        raise Refused(str(error)) from None
    declarations.require(ledger, governance, declared)
    adopted = declarations.kept(ledger, governance, declared)
    now = declarations.digests(adopted)
    if not governance.local and (other := [each.gate for each in evidence if each.declared != now]):
        raise Refused(f"sources or card were adopted anew since gate {', '.join(other)} looked at them; run again")
    seen = [subject for subject in adopted if all(each.declared.get(subject) == now[subject] for each in evidence)]
    return tuple(signed for subject in sorted(seen) for signed in adopted[subject].signed)


def _with_keys(name: str, governance: Governance) -> Person:
    person = governance.people.get(name)
    assert person is not None, "a decision or a request counts only by somebody in people.yaml"
    return person.model_copy(update={"keys": governance.keys_of(person)})


def _agreed(values: set[str], what: str) -> str:
    if len(values) != 1:
        raise Refused(f"the gates of one run have different {what}s: {', '.join(sorted(values))}")
    return values.pop()


def _made_of_what_passed(candidate: Candidate) -> None:
    """The package says what it was made from; that is what the gates before it let pass."""
    package, passed = candidate.manifest, candidate.gates
    what_was_read = manifest.read_by_stages(candidate.layout, code.digest(candidate.layout.root))
    named = passed["data"].evidence.asks.owners
    if named and named != evidence_of.owners(candidate.layout):
        raise Refused("the data gate asked other owners than those of the run's sources")
    for gate in LET_STAGES_RUN:
        subject = passed[gate].evidence.subject
        if package.stages.get(subject.stage) != subject.sha256:
            raise Refused(f"the package was not made from the output of {subject.stage} that gate {gate} let pass")
    if package.model_dump(include=set(what_was_read)) != what_was_read:
        raise Refused("parameters, inputs or code changed after the package was made; run again")
    looked_at.require({gate: opened.evidence for gate, opened in passed.items()}, candidate.layout, package)
    if package.tree_sha256 != passed["release"].evidence.tree_sha256:
        raise Refused("the package was made from another tree than was asked for; run again")
    card = params.load(candidate.layout.params)
    said = (card.use_case.name, Purpose.of(card.use_case), Bar.of(card))
    if other := [
        gate for gate, it in passed.items() if (it.evidence.use_case, it.evidence.purpose, it.evidence.bar) != said
    ]:
        raise Refused(f"the evidence of gate {', '.join(other)} has another use-case card than the run's parameters")
    if (package.tier, package.demo) != (candidate.tier, candidate.demo):
        raise Refused("the package states another risk tier or demo mark than its gates")


def _as_recorded(candidate: Candidate, governance: Governance) -> None:
    """Every stage left what lies there, as its supervisor signed it and the gates saw it signed."""
    chain.require_all(candidate.layout, candidate.records, governance)
    seen = {name: it for gate in candidate.gates.values() for name, it in gate.evidence.recorded.items()}
    if other := sorted(name for name, it in chain.named(candidate.records).items() if seen.get(name) != it):
        raise Refused(f"the gates looked at another record of stage {', '.join(other)} than the ledger has; run again")
