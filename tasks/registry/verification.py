"""Check a release from its folder and one public key alone: no network, no database, nothing loaded.

First the promotion statement, which lists every file; only where all digests agree is anything else parsed.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError, computed_field

from tasks import files
from tasks.config import Frozen
from tasks.errors import HallmarkError, Refused
from tasks.govern import dsse, signed_decision
from tasks.govern import statement as gate_statement
from tasks.govern.evidence import Evidence
from tasks.govern.governance import LOCAL, Governance
from tasks.govern.people import Person
from tasks.govern.policy import EXPERIMENT, GATES, GateName, Policy
from tasks.govern.signed_decision import Decision
from tasks.govern.statement import GateStatement
from tasks.registry import bundle, manifest, succession
from tasks.registry.manifest import Manifest
from tasks.registry.package import SAFE
from tasks.registry.succession import Promotion, Signed

MAX_STATEMENT_BYTES = 16 * 2**20
"""A promotion statement has some hundred bytes a file; a larger one is not read."""


class Check(Frozen):
    ok: bool
    text: str
    """What was checked and what came out, in words."""


class Verification(Frozen):
    """What was checked. A check that failed ends the verification: what stands behind it means nothing then."""

    release: str
    """Name and version as the statement says; empty where there is no valid one."""
    sha256: str
    """Digest of the release; empty where there is no valid statement."""
    checks: list[Check]

    @computed_field  # type: ignore[prop-decorator]
    @property
    def ok(self) -> bool:
        return bool(self.checks) and all(check.ok for check in self.checks)

    @property
    def against(self) -> str:
        """The first check that failed; empty where all hold."""
        return next((check.text for check in self.checks if not check.ok), "")


def verify(folder: Path, gate_public_line: str) -> Verification:
    """Check the release in `folder` against the public key line of the installation that promoted it."""
    checks: list[Check] = []
    signed: Signed | None = None
    try:
        signed = _statement(folder, gate_public_line)
        checks.append(Check(ok=True, text=f"the promotion statement of {signed.promotion.label} is signed by the key"))
        for text in _steps(folder, signed, gate_public_line):
            checks.append(Check(ok=True, text=text))
    except (HallmarkError, OSError, ValueError, RecursionError) as error:
        checks.append(Check(ok=False, text=_in_words(error)))
    label, sha256 = (signed.promotion.label, signed.release_sha256) if signed else ("", "")
    return Verification(release=label, sha256=sha256, checks=checks)


def require(folder: Path, governance: Governance) -> Signed:
    """The promotion statement of a release that checks. Raises Refused with the first check that does not hold."""
    checked = verify(folder, governance.gate_public_key())
    if not checked.ok:
        raise Refused(f"the release in {folder} does not verify: {checked.against}")
    signed = _statement(folder, governance.gate_public_key())
    if signed.release_sha256 != checked.sha256:
        raise Refused(f"the release in {folder} changed while it was verified")
    return signed


def _in_words(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return f"a file does not hold what its name says ({error.errors()[0]['msg']})"
    return str(error) or type(error).__name__


def _statement(folder: Path, public_line: str) -> Signed:
    path = folder / bundle.PROMOTION
    if path.is_symlink() or not path.is_file():
        raise Refused(f"{bundle.PROMOTION} is missing; this is no release, or was never promoted")
    if path.stat().st_size > MAX_STATEMENT_BYTES:
        raise Refused(f"{bundle.PROMOTION} has {path.stat().st_size:,} bytes; no promotion statement is that long")
    return succession.verify(dsse.read(path), public_line)


def _steps(folder: Path, signed: Signed, public_line: str) -> Iterator[str]:
    """Each check in words once it holds. Raises Refused, OSError or ValueError where one does not."""
    listing = _files(folder, signed)
    yield f"all {len(listing)} files are those that the statement lists, and no other is there"
    yield _model(listing)
    attested = _Attestations(folder)
    yield _manifest(attested, signed.promotion)
    for gate in GATES:
        yield _gate(attested, gate, listing, public_line)
        yield _decisions(attested, gate)
    yield _provenance(attested, signed.promotion, public_line)


def _files(folder: Path, signed: Signed) -> dict[str, str]:
    found, wanted = bundle.listing(folder), signed.promotion.files
    for what, names in (
        ("missing", sorted(wanted.keys() - found.keys())),
        ("not listed by the promotion statement", sorted(found.keys() - wanted.keys())),
        ("changed", sorted(name for name in found.keys() & wanted.keys() if found[name] != wanted[name])),
    ):
        if names:
            raise Refused(f"{what}: {', '.join(names[:5])}{' …' if len(names) > 5 else ''}")
    if bundle.release_digest(found) != signed.release_sha256:
        raise Refused("the digest of the files is not the one that the promotion statement is about")
    if bundle.part_digest(found, bundle.PAYLOAD) != signed.promotion.payload_sha256:
        raise Refused("the digest of the payload is not the one in the promotion statement")
    return found


def _model(listing: dict[str, str]) -> str:
    names = [name for name in listing if name.startswith(f"{bundle.PAYLOAD}/model/")]
    unsafe = [name for name in names if Path(name).suffix not in SAFE]
    if unsafe or not names:
        raise Refused(f"payload/model holds more than safetensors, JSON and a chat template: {', '.join(unsafe)}")
    return "the model is safetensors and JSON; nothing in it can run code when it is loaded"


class _Attestations:
    """What stands beside the payload, parsed once its digests are known to be right."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / bundle.ATTESTATIONS
        self.manifest: Manifest = manifest.read(folder / bundle.PAYLOAD)
        self.policy = Policy.model_validate(self._canonical("policy.json"))
        people = TypeAdapter(list[Person]).validate_python(self._canonical("people.json"))
        self.people = {person.id: person for person in people}
        self.evidence = {gate: Evidence.model_validate(self._canonical(f"evidence/{gate}.json")) for gate in GATES}

    def decisions(self, gate: GateName) -> list[tuple[Decision, Person, dict[str, str]]]:
        """The gate's decisions with who made them and their subjects, signatures verified."""
        paths = sorted((self.folder / "decisions" / gate).glob("*.json"))
        return [self._decision(dsse.read(path), path.name) for path in paths]

    def _decision(self, envelope: dict[str, Any], name: str) -> tuple[Decision, Person, dict[str, str]]:
        person = self.people.get(str(dsse.peek(envelope)["predicate"].get("person")))
        if person is None or person.public_key is None:
            raise Refused(f"decision {name} is by somebody whose key is not in people.json")
        statement = dsse.verify(envelope, person.public_key)
        if statement["predicateType"] != signed_decision.PREDICATE_TYPE:
            raise Refused(f"{name} is a {statement['predicateType']}, not a decision")
        return Decision.model_validate(statement["predicate"]), person, dsse.subjects(statement)

    def _canonical(self, name: str) -> Any:
        data = (self.folder / name).read_bytes()
        value = json.loads(data)
        if files.canonical_json(value) != data:
            raise Refused(f"attestations/{name} is not in canonical form")
        return value


def _manifest(attested: _Attestations, promotion: Promotion) -> str:
    told = attested.manifest
    here = (told.name, told.tier, told.demo, told.candidate_inputs)
    if here != (promotion.name, promotion.tier, promotion.demo, promotion.candidate_inputs):
        raise Refused("payload/manifest.json and the promotion statement are about different candidates")
    if promotion.tier == EXPERIMENT:
        raise Refused("risk tier experiment is never promoted")
    if promotion.environment != attested.policy.environment:
        raise Refused(f"promoted in {promotion.environment} under the policy of {attested.policy.environment}")
    if promotion.demo and promotion.environment != LOCAL:
        raise Refused(f"approved by demo identities, which do not count in environment {promotion.environment}")
    return f"the payload's manifest agrees: risk tier {told.tier}{', demonstration only' if told.demo else ''}"


def _gate(attested: _Attestations, gate: GateName, listing: dict[str, str], public_line: str) -> str:
    """The gate's statement is about this payload, under this policy, and its evidence about the same output."""
    statement = dsse.verify(dsse.read(attested.folder / "gates" / f"{gate}.json"), public_line)
    claim = GateStatement.model_validate(statement["predicate"])
    stages = attested.manifest.stages
    subject = {"data": stages.get("split"), "evaluation": stages.get("evaluate")}
    evidence = attested.evidence[gate]
    if (statement["predicateType"], claim.gate, claim.verdict) != (gate_statement.PREDICATE_TYPE, gate, "passed"):
        raise Refused(f"gates/{gate}.json does not say that gate {gate} was passed")
    if claim.subject != subject.get(gate, bundle.package_digest(listing)):
        raise Refused(f"gate {gate} let something else pass than what is in this release")
    if {claim.policy_sha256, evidence.policy_sha256} != {attested.policy.digest()}:
        raise Refused(f"gate {gate} was passed under another policy than policy.json")
    told = (evidence.gate, evidence.subject.sha256, evidence.demo, evidence.tier)
    if told != (gate, claim.subject, claim.demo, attested.manifest.tier):
        raise Refused(f"the evidence of gate {gate} is about something else than its statement")
    failed = sum(check.verdict == "failed" for check in evidence.checks)
    return f"gate {gate} passed on this very output: {len(evidence.checks)} checks, {failed} of them waived"


def _decisions(attested: _Attestations, gate: GateName) -> str:
    """Every role that the policy asks has approved, and every failed check is waived by the role for it."""
    evidence = attested.evidence[gate]
    rules = attested.policy.gate(evidence.tier, gate)
    approved: dict[str, set[str]] = {}
    waived: set[str] = set()
    for decision, person, subjects in attested.decisions(gate):
        _counts(decision, person, subjects, evidence)
        if decision.verb == "approve":
            approved.setdefault(decision.role, set()).add(person.id)
        elif decision.verb == "waive" and decision.role == rules.waive:
            waived |= set(decision.checks)
    for role in rules.decisions:
        if len(approved.get(role.role, ())) < role.count:
            raise Refused(f"gate {gate} lacks an approval in role {role.role}")
    if open_checks := [c.name for c in evidence.checks if c.verdict == "failed" and c.name not in waived]:
        raise Refused(f"gate {gate}: checks failed and nobody waived them: {', '.join(open_checks)}")
    who = ", ".join(f"{person} as {role}" for role, people in sorted(approved.items()) for person in sorted(people))
    return f"gate {gate} was approved by {who or 'its checks alone, as policy allows'}"


def _counts(decision: Decision, person: Person, subjects: dict[str, str], evidence: Evidence) -> None:
    """Raises Refused for a decision that is about something else, or by somebody who may not make it."""
    if (decision.gate, decision.policy_sha256) != (evidence.gate, evidence.policy_sha256):
        raise Refused(f"a decision of {person.id} is about another gate or policy than {evidence.gate}")
    if subjects.get(evidence.subject.stage) != evidence.subject.sha256:
        raise Refused(f"a decision of {person.id} at gate {evidence.gate} is about another output")
    evidence_sha256 = files.sha256_bytes(files.canonical_json(evidence.model_dump(mode="json")))
    # Data decisions carry over from an earlier run, so theirs may be about that run's evidence.
    if evidence.gate != "data" and subjects.get(f"evidence/{evidence.gate}.json") != evidence_sha256:
        raise Refused(f"a decision of {person.id} at gate {evidence.gate} is about other evidence")
    if person.id == evidence.requested_by:
        raise Refused(f"{person.id} asked for the run and decided on it")
    if person.demo and not evidence.demo:
        raise Refused(f"{person.id} is a demo identity, and this is not a demo run")
    if decision.verb in ("approve", "waive") and decision.role not in person.roles:
        raise Refused(f"{person.id} decided in role {decision.role}, which they did not hold")
    if decision.verb == "reject":
        raise Refused(f"{person.id} rejected at gate {evidence.gate}")


def _provenance(attested: _Attestations, promotion: Promotion, public_line: str) -> str:
    statement = dsse.verify(dsse.read(attested.folder / "provenance.json"), public_line)
    told = statement["predicate"]
    wanted = {"run": promotion.run, "commit": promotion.commit, "candidate_inputs": promotion.candidate_inputs}
    if statement["predicateType"] != bundle.PROVENANCE_TYPE or {name: told.get(name) for name in wanted} != wanted:
        raise Refused("provenance.json is about another run than the promotion statement")
    if dsse.subjects(statement) != {bundle.PAYLOAD: promotion.payload_sha256}:
        raise Refused("provenance.json is about another payload")
    return f"made by run {promotion.run} at commit {promotion.commit[:12]}, asked for by {told.get('requested_by')}"
