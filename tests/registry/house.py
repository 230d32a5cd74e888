"""A run with tiny artefacts in a worktree of its own, and everything needed to walk it through its gates."""

import re
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tasks.core import code_digest
from tasks.core.files import sha256_bytes, write_json
from tasks.core.graph import EVIDENCE_STAGES, GATES, STAGES
from tasks.core.layout import Layout
from tasks.core.params import params
from tasks.declarations import declarations
from tasks.gates import decisions, evidence, gates, record_chain, signed_request, statement
from tasks.gates.evidence import Evidence
from tasks.gates.gates import GateStatus
from tasks.gates.signed_decision import Verb
from tasks.gates.signed_request import RecordedRunRequest
from tasks.inquiry import access_entries
from tasks.ledger.ledger import Ledger, open_ledger
from tasks.policy import adoption_signing, governance, in_force, root_of_trust
from tasks.policy.governance import Governance
from tasks.registry.admit import admission
from tasks.registry.promote import champion, promotion
from tasks.registry.promote.releases import Release
from tasks.registry.release import promotions
from tasks.review import recorded as reviews
from tasks.sources.dataset import COUNTED_STAGES as OF_DATA
from tasks.sources.dataset import declared_fields
from tasks.sources.resolved_sources import ResolvedSource
from tasks.stages.evaluate.suites.suite import EvaluationSuites
from tasks.stages.package import package
from tasks.trust import dsse, keys
from tasks.trust.gate_statement import GateName
from tasks.trust.keys import Signer
from tests.governed.datasets import put_rows
from tests.governed.house import authority_of, keyed, params_with, request
from tests.other_gates import with_every_gate
from tests.recorded import record

NAME = "triage"
COMMIT = "c0ffee" * 6 + "c0ff"
POLICY = with_every_gate(
    """\
environment: ENVIRONMENT
tiers:
  experiment: {gates: {}}
  low:
    gates:
      data:
        checks: [{name: enough rows, fact: split.train_rows, at_least: 2}]
        decisions: [{role: data-owner, owners: true}]
      evaluation:
        checks: [{name: good enough, fact: evaluate.exact_match, bound: low, at_least: 0.7}]
        success_metrics: true
        decisions: [{role: product-owner}]
        waive: {role: risk, max_days: 30}
      release:
        decisions: [{role: risk}]
changes: {policy: [{role: risk}], people: [{role: risk}], code: [{role: risk}]}
""",
    decisions="[{role: product-owner}]",
)
PEOPLE = """\
people:
  - {id: engineer, name: Engineer, roles: [requester]}
  - {id: owner, name: Data owner, roles: [data-owner]}
  - {id: product, name: Product owner, roles: [product-owner]}
  - {id: risk-officer, name: Risk officer, roles: [risk]}
  - {id: demo-owner, name: Demo owner, roles: [data-owner], demo: true}
  - {id: demo-product, name: Demo product owner, roles: [product-owner], demo: true}
  - {id: demo-risk, name: Demo risk officer, roles: [risk], demo: true}
"""
BREAK_GLASS = "break_glass: {role: risk, confirm_role: product-owner, confirm_hours: 1}"
"""Rule without which a tier whose release gate asks nobody is refused."""
DECIDERS: dict[GateName, str] = {**dict.fromkeys(GATES, "product"), "data": "owner", "release": "risk-officer"}
PARAMS = params_with(
    name=NAME,
    problem="Messages land in the wrong queue: “slow”.",
    users=["agents"],
    approach_reason="Small and enough.",
    approved_uses=["suggest a queue"],
    limitations=["synthetic data only"],
    escalation_path="to the risk officer",
    owners={"business": "product", "technical": "engineer", "data": "owner"},
    success_metrics=[
        {"name": "right answers", "fact": "evaluate.exact_match", "bound": "low", "at_least": 0.7},
        {"name": "fast", "fact": "measured.predict.latency_p95_ms", "at_most": 900},
        {"name": "adopted", "fact": "adoption", "judged": "production", "at_least": 0.5},
    ],
) | {"prompts": {"triage": {"system": "Triage."}}}
SOURCE = {
    "source": {
        "id": "tickets",
        "kind": "csv",
        "location": "tickets.csv",
        "owner": "owner",
        "steward": "owner",
        "access": ["data-owner"],
        "classification": "internal",
        "lawful_basis": "consent",
        "licence": "LicenseRef-internal",
        "retention_days": 3650,
        "region": "eu",
        "refresh_days": 30,
        "approved_uses": ["suggest a queue", "triage"],
        "description": "Tickets of last year",
        "mapping": {"prompt": "text", "response": "queue"},
        "constants": {"task": "triage"},
    },
    "sha256": "1" * 64,
    "bytes": 10,
}
PASSED = {stage: {"rows": 12, "records": 12, "quarantined": {}} for stage in OF_DATA}
DATASET = {
    "type": "urn:hallmark:dataset:v1",
    "sources": {
        "tickets": {
            **declared_fields(ResolvedSource.model_validate(SOURCE)),
            "passages": PASSED,
            "rows": {"train": 8, "test": 4},
            "protected": {"name": 3},
        }
    },
    "counts": PASSED,
    "digests": {"train": "2" * 64, "test": "3" * 64},
    "settings": {"seed": 17},
    "rows": {"train": 8, "test": 4},
    "segments": {
        "source_id": {"train": {"tickets": 8}, "test": {"tickets": 4}},
        "department": {"train": {"null": 8}, "test": {"null": 4}},
        "language": {"train": {"en": 6, "de": 2}, "test": {"en": 4}},
        "kind": {"train": {"answer": 8}, "test": {"answer": 4}},
    },
}
FACTS = {
    **{stage: {"records": {"value": 12}} for stage in OF_DATA},
    "validate": {"failed_expectations": {"value": 0}},
    "split": {"train_rows": {"value": 8, "unit": "rows"}, "test_rows": {"value": 4, "unit": "rows"}},
    "base_model": {"parameters": {"value": 3}},
    "tokenise": {"tokens": {"value": 96, "unit": "tokens"}},
    "train": {"loss": {"value": 0.5}},
    "predict/base": {},
    "predict/champion": {},
    "predict/candidate": {"rows": {"value": 4}},
    "probe/base": {},
    "probe/champion": {},
    "probe/candidate": {},
    "suites": {"own_cases": {"value": 0}},
    "leakage": {"canaries": {"value": 0}},
    "evaluate": {
        "exact_match": {"value": 0.8, "low": 0.75, "high": 0.85, "note": "share of right answers"},
        "macro_f1": {"value": 0.7, "low": 0.6, "high": 0.8},
        "test_rows": {"value": 4, "unit": "rows"},
    },
}

SUITE: dict[str, Any] = {
    "name": "pushed", "version": 1, "owner": "product", "title": "Pushed", "about": "It gives way.",
    "licence": "Apache-2.0", "origin": "tests", "judge": {"kind": "excludes", "texts": ["yes"]},
    "cases": [{"id": "one", "prompt": "Say yes."}],
}  # fmt: skip
"""Evaluation suite that the models were asked."""

FAILING: dict[str, object] = {"evaluate": {"exact_match": {"value": 0.6, "low": 0.5, "high": 0.7}}}
"""Of an evaluation whose checks `good enough` and `right answers` fail."""

METRICS = [{"name": "exact_match", "title": "Exact match"}, {"name": "macro_f1", "title": "Macro-F1"}]
"""Of metrics.json, what the model card reads."""

EXTRA: dict[str, dict[str, object]] = {
    "base_model": {"origin": "folder base", "licence": "Apache-2.0", "sha256": "0" * 64, "model_sha256": "4" * 64},
    "predict/candidate": {"stop_token_ids": [2]},
}
"""What stages state beside figures."""


@dataclass
class House:
    """A checkout's `.hallmark/` with governance and ledger."""

    root: Path
    governance: Governance
    ledger: Ledger

    @property
    def state(self) -> Path:
        return self.governance.state

    def run(self, run: str) -> Layout:
        return Layout(self.state / "runs" / run)

    @property
    def root_of_trust(self) -> str:
        """What an outsider was told by another way."""
        return root_of_trust.root_fingerprint(self.state)

    def adopt(self, change: Callable[[str], str], name: str = "policy.yaml") -> None:
        """Another policy or other people, signed off by the risk officer."""
        self.propose(change, name)
        adopt(self.governance.folder, self.state, self.ledger, "risk-officer")
        self.governance = in_force.load_in_force(self.governance.folder, self.state, self.ledger)

    def propose(self, change: Callable[[str], str], name: str = "policy.yaml") -> None:
        """Another policy or other people, read from the files as nobody adopted them."""
        path = self.governance.folder / name
        path.write_text(change(path.read_text()))
        self.governance = governance.load_governance(self.governance.folder, self.state)

    def roll_back(self, reason: str = "wrong queue") -> Release:
        """Back to triage-1, as the risk officer orders."""
        return promotion.rollback(self.ledger, self.governance, "triage-1", "risk-officer", reason).release

    def served(self) -> bytes:
        """Weights that are admitted now."""
        model = admission.admit(self.ledger, self.governance, NAME).model
        return (model / "adapter_model.safetensors").read_bytes()

    def bundle(self, label: str = "triage-1") -> Path:
        return self.state / "releases" / label

    def begin(
        self, run: str, weights: bytes = b"adapter", facts: dict[str, object] | None = None, demo: bool = False,
        **card: object,
    ) -> Layout:  # fmt: skip
        """A run as it stands after `evaluate`. Other `weights` make another candidate; `card` is what its use-case card
        says otherwise."""
        layout = self.run(run)
        layout.inputs_folder.mkdir(parents=True)
        (layout.root / "tasks" / "stages" / "train").mkdir(parents=True)
        (layout.root / "tasks" / "stages" / "train" / "train.py").write_text("LAYERS = 3\n")
        (layout.root / "dvc.yaml").write_text("stages: {}\n")
        (layout.root / "constraints.txt").write_text("torch==2.9\n")
        with layout.params_path.open("w") as file:
            seed = {"seed": int(sha256_bytes(weights)[:6], 16)}
            YAML().dump(PARAMS | {"use_case": PARAMS["use_case"] | card, "training": seed}, file)
        write_json(layout.sources_path, {"sources": [SOURCE], "as_of": "2026-03-01", "vault": "0" * 32})
        write_json(layout.code_path, {"tree_sha256": "0" * 64})
        code_digest.write_digests(layout)
        write_json(layout.suites_path, {"by_source": {}, "dataset": None})
        write_json(
            layout.evaluations_path, EvaluationSuites.model_validate({"suites": [SUITE]}).model_dump(mode="json")
        )
        dsse.write_envelope(layout.request_path, self.request(run, demo).envelope)
        authority = authority_of(self.governance, str(card.get("risk_tier", "low")))
        write_json(layout.authority_path, authority.model_dump(mode="json"))
        champion.write_champion_input(layout, champion.current_champion(self.ledger, self.governance, NAME))
        self._artefacts(layout, weights, FACTS | (facts or {}))
        return layout

    def _artefacts(self, layout: Layout, weights: bytes, facts: dict[str, object]) -> None:
        for stage, stated in facts.items():
            extra = EXTRA.get(stage, {})
            write_json(layout.artefacts(stage) / "result.json", {"facts": stated, **extra})
        write_json(
            layout.measurements("predict/candidate") / "facts.json", {"facts": {"latency_p95_ms": {"value": 300}}}
        )
        write_json(layout.artefacts("split") / "manifest.json", DATASET)
        put_rows(layout)
        write_json(layout.artefacts("evaluate") / "metrics.json", {"metrics": METRICS})
        write_json(layout.artefacts("suites") / "suites.json", {"confidence": 0.95, "suites": []})
        write_json(layout.artefacts("leakage") / "leakage.json", {"confidence": 0.95})
        (layout.artefacts("evaluate") / "report.html").write_text("<!doctype html><title>report</title>")
        adapter = layout.artefacts("train") / "adapter"
        adapter.mkdir()
        (adapter / "adapter_model.safetensors").write_bytes(weights)
        (adapter / "README.md").write_text("# PEFT's template")
        write_json(adapter / "adapter_config.json", {"r": 4})
        write_json(adapter / "tokenizer.json", {"model": {}})
        (adapter / "chat_template.jinja").write_text("{{ messages }}")

    def request(self, run: str, demo: bool = False, by: str = "engineer") -> RecordedRunRequest:
        """A run's request on the ledger, where there is none yet."""
        known = signed_request.request_for_run(self.ledger, self.governance, run)
        where = {"environment": self.governance.policy.environment}
        envelope = signed_request.sign_request(request(run, by, demo, self.ledger.now(), **where), self.key(by))
        return known or signed_request.record_request(self.ledger, self.governance, envelope)

    def key(self, who: str) -> Signer:
        return keys.make_signer(keys.load_private_key(self.state / "keys" / who))

    def ask(self, layout: Layout, gate: GateName) -> Evidence:
        checked, policy = params.load_params(layout.params_path), self.governance.policy
        asked = self.request(layout.root.name)
        adopted = promotions.read_promotions(self.ledger, self.governance, NAME).success_metrics(
            asked.request.demo_approvals
        )
        seen = [name for stage in EVIDENCE_STAGES[gate] for name in STAGES[stage].dvc_names]
        record(layout, self.ledger, self.state / "keys" / "worker", seen)
        recorded = record_chain.require_gate_records(gate, layout, layout.root.name, self.ledger, self.governance)
        keeps_to = declarations.declarations_of_run(layout, checked, policy)
        kept = declarations.declaration_digests(
            declarations.declarations_complied_with(self.ledger, self.governance, keeps_to)
        )
        review = reviews.review_for_gate(self.ledger, self.governance, layout) if gate == "evaluation" else None
        found = evidence.collect_evidence(
            gate,
            layout,
            checked,
            policy,
            asked,
            review=review,
            promoted_criteria=adopted,
            stage_records=recorded,
            declared_digests=kept,
        )
        evidence.write_evidence(found, layout)
        return gates.open_gate(self.ledger, found)

    def open(self, layout: Layout, gate: GateName) -> None:
        """Ask, let the gate's people approve, and write its statement."""
        asked = self.ask(layout, gate)
        if asked.demo:
            decisions.approve_as_demo_identities(self.ledger, self.governance, asked)
        else:
            decisions.decide(self.ledger, self.governance, asked, DECIDERS[gate], "approve", "seen")
        self.pass_gate(layout, asked)

    def pass_gate(self, layout: Layout, asked: Evidence) -> None:
        statement.write_gate_statement(
            layout, asked, gates.judge_and_close(self.ledger, self.governance, asked), self.governance
        )

    @staticmethod
    def pack(layout: Layout) -> None:
        package.run(params.load_params(layout.params_path), layout)

    def forge(self, layout: Layout, gate: GateName) -> None:
        """Ask, and sign with the gate's key that it passed, whatever people said."""
        asked = self.ask(layout, gate)
        checks = [gates.CheckStatus(result=result) for result in asked.checks]
        passed = GateStatus(
            gate=gate, run=asked.run, evidence_sha256=evidence.evidence_digest(asked), state="passed", checks=checks,
            decisions=[], waiting_for=[], deadline=self.ledger.now(), as_of=0,
        )  # fmt: skip
        statement.write_gate_statement(layout, asked, passed, self.governance)

    def evaluated(
        self, run: str, weights: bytes = b"adapter", demo: bool = False, skip: Iterable[GateName] = (), **card: object
    ) -> Layout:
        """A run behind its gates before the package but those to `skip`."""
        layout = self.begin(run, weights, demo=demo, **card)
        for gate in GATES:
            if "package" not in EVIDENCE_STAGES[gate] and gate not in skip:
                self.open(layout, gate)
        return layout

    def package(self, layout: Layout, skip: Iterable[GateName] = ()) -> Layout:
        """Give a run its package, and open the gates behind that."""
        self.pack(layout)
        for gate in GATES:
            if "package" in EVIDENCE_STAGES[gate] and gate not in skip:
                self.open(layout, gate)
        return layout

    def ready(
        self, run: str, weights: bytes = b"adapter", demo: bool = False, skip: Iterable[GateName] = (), **card: object
    ) -> Layout:
        """A run with a package, behind all its gates but those to `skip`."""
        return self.package(self.evaluated(run, weights, demo, skip, **card), skip)

    def promote(self, layout: Layout) -> Release:
        return promotion.promote(layout, layout.root.name, COMMIT, self.ledger, self.governance)

    def release(self, run: str, weights: bytes = b"adapter", demo: bool = False, **card: object) -> Release:
        return self.promote(self.ready(run, weights, demo, **card))

    def ready_waived(
        self, run: str, until: datetime, reason: str = "known", withdrawn: datetime | None = None,
        weights: bytes = b"adapter", facts: dict[str, object] | None = FAILING, **card: object,
    ) -> Layout:  # fmt: skip
        """A run behind all its gates whose evaluation fell short, which the risk officer waived; `withdrawn`: before
        until then, which they took back."""
        layout = self.begin(run, weights, facts, **card)
        self.open(layout, "data")
        asked = self.ask(layout, "evaluation")
        names = [check.name for check in asked.checks if check.verdict == "failed"]
        self._decide(asked, "product", "approve", "short, and worth it")
        if withdrawn:
            self._decide(asked, "risk-officer", "waive", reason, checks=names, expires=withdrawn)
            self._decide(asked, "risk-officer", "withdraw", "too long")
        self._decide(asked, "risk-officer", "waive", reason, checks=names, expires=until)
        self.pass_gate(layout, asked)
        return self.package(layout)

    def release_waived(
        self, run: str, until: datetime, reason: str = "known", withdrawn: datetime | None = None
    ) -> Release:
        return self.promote(self.ready_waived(run, until, reason, withdrawn))

    def _decide(self, asked: Evidence, who: str, verb: Verb, reason: str, **more: Any) -> None:
        decisions.decide(self.ledger, self.governance, asked, who, verb, reason, **more)

    def checkout(self) -> Path:
        """The house as a checkout that `hallmark` works in."""
        for name in ("dvc.yaml", "params.yaml"):
            (self.root / name).touch()
        (self.root / "infra").mkdir(exist_ok=True)
        shutil.copytree(self.governance.folder, self.root / "infra" / "governance", dirs_exist_ok=True)
        return self.root

    def in_environment(self, name: str, ask_people: bool = True) -> Governance:
        """The same people and policy, signed off for another environment; every person brings a key of their own."""
        folder = self.root / f"governance-{name}"
        write_governance(folder, name)
        if not ask_people:
            policy = folder / "policy.yaml"
            asked = policy.read_text().replace("  low:\n", f"  low:\n    {BREAK_GLASS}\n")
            policy.write_text(re.sub(r"decisions: .*", "decisions: []", asked))
        (folder / "people.yaml").write_text(keyed(PEOPLE, self.state))
        return governance.load_governance(folder, self.state)


def found(root: Path) -> House:
    """A house with keys, whose policy and people the root key adopted."""
    folder, state = root / "governance", root / ".hallmark"
    write_governance(folder)
    governance.create_vault_and_keys(state, governance.load_governance(folder, state).people)
    root_of_trust.create_root_key(state)
    adopt(folder, state, open_ledger(state), "root")
    return open_house(root)


def open_house(root: Path) -> House:
    state, ledger = root / ".hallmark", open_ledger(root / ".hallmark")
    return House(root, in_force.load_in_force(root / "governance", state, ledger), ledger)


def adopt(folder: Path, state: Path, ledger: Ledger, who: str) -> None:
    """What the folder says is in force from now on, signed with the key of a person or the root key."""
    policy, people = in_force.load_proposed(folder, state)
    signer = keys.make_signer(keys.load_private_key(state / "keys" / who))
    assert adoption_signing.sign_adoption(
        ledger, root_of_trust.root_fingerprint(state), policy, people, signer
    ).is_adopted


def write_governance(folder: Path, environment: str = "local") -> None:
    folder.mkdir(parents=True)
    (folder / "policy.yaml").write_text(POLICY.replace("ENVIRONMENT", environment))
    (folder / "people.yaml").write_text(PEOPLE)


def writable(folder: Path) -> Path:
    """Let an attacker who owns the disk write to a bundle, whose files are read-only."""
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return folder


def copy(bundle: Path, target: Path) -> Path:
    return writable(Path(shutil.copytree(bundle, target)))


def record_looks(ledger: Ledger) -> None:
    """Record a look at a row, at what tokens stand for, and for a person."""
    for action, subject, person, reason, details in (
        (access_entries.ROW_READ, "tickets:4", "owner", "whose is it", {"sha256": "1" * 64}),
        (access_entries.TOKENS_READ, "0123456789abcdef", "owner", "a customer asked", {"tokens": ["t"]}),
        (access_entries.PERSON_SOUGHT, "person", "risk-officer", "she wants to know", {"tokens": ["t"]}),
    ):
        access_entries.record_access(ledger, action, subject, person, reason, details)
