"""A small governance folder, a run's outputs, and the steps of a gate."""

import json
import sqlite3
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tasks.core.files import write_json
from tasks.core.layout import Layout
from tasks.core.params.params import Params
from tasks.declarations.criteria import PromotedCriteria
from tasks.gates import evidence as evidence_module
from tasks.gates import gates, signed_request
from tasks.gates.decisions import decide
from tasks.gates.evidence import Evidence
from tasks.gates.signed_request import RecordedRunRequest, SignedRunRequest
from tasks.ledger.ledger import Entry, Ledger, open_ledger
from tasks.policy import governance
from tasks.policy.governance import Governance
from tasks.policy.people import MACHINES
from tasks.trust import keys
from tasks.trust.gate_statement import Authority
from tasks.trust.keys import Signer
from tests.copies import copy_tree
from tests.ledger_tampering import mend
from tests.other_gates import with_every_gate

COMMIT = "c0ffee" * 6 + "c0ff"
POLICY = with_every_gate(
    """\
environment: local
tiers:
  experiment: {gates: {}}
  low:
    gates:
      data:
        checks:
          - {name: enough rows, fact: split.train_rows, at_least: 100}
          - {name: new fact, fact: split.not_there, at_least: 1, optional: true}
        decisions: [{role: data-owner}]
        waive: {role: risk, max_days: 30}
      evaluation:
        checks:
          - {name: good enough, fact: evaluate.exact_match, bound: low, at_least: 0.7}
        success_metrics: true
        decisions: [{role: ml-lead}, {role: risk, count: 2}]
      release:
        decisions: [{role: release-manager}]
changes: {policy: [{role: risk}], people: [{role: risk}], code: [{role: risk}]}
""",
)
PEOPLE = """\
people:
  - {id: asker, name: Asker, roles: [engineer, data-owner]}
  - {id: owner, name: Data owner, roles: [data-owner]}
  - {id: both, name: Two hats, roles: [data-owner, risk]}
  - {id: lead, name: Lead, roles: [ml-lead]}
  - {id: risk-one, name: Risk one, roles: [risk]}
  - {id: releaser, name: Releaser, roles: [release-manager]}
  - {id: gone, name: Gone, roles: [{role: data-owner, valid_before: 2026-01-01}]}
  - {id: demo-owner, name: Demo owner, roles: [data-owner], demo: true}
  - {id: demo-risk, name: Demo risk, roles: [risk], demo: true}
"""


def params_with(**card: object) -> dict[str, Any]:
    """Return the parameters of a run in risk tier `low`; `card` is what its use-case card says otherwise."""
    plain = {
        "name": "triage", "problem": "p", "users": ["u"], "risk_tier": "low", "approach": "lora",
        "approach_reason": "r", "approved_uses": ["a"], "limitations": ["l"], "escalation_path": "e",
        "owners": {"business": "owner", "technical": "lead", "data": "owner"},
        "success_metrics": [
            {"name": "fast", "fact": "measured.predict.latency_p95_ms", "at_most": 900},
            {"name": "adopted", "fact": "adoption", "judged": "production", "at_least": 0.5},
        ],
    }  # fmt: skip
    return {
        "use_case": plain | card,
        "prompts": {"triage": {}},
        "data": {},
        "base_model": {"folder": "base", "sha256": "0" * 64, "licence": "Apache-2.0"},
        "training": {},
        "evaluation": {"label_field": "intent"},
    }


PARAMS = params_with()
STATE = ".hallmark"
READ = Params.model_validate(PARAMS)


@dataclass
class House:
    """What a test needs to walk a gate."""

    layout: Layout
    params: Params
    governance: Governance
    ledger: Ledger
    state: Path

    def request(self, run: str = "run-1", by: str = "asker", demo: bool = False) -> RecordedRunRequest:
        """A run's request on the ledger, where there is none yet."""
        known = signed_request.request_for_run(self.ledger, self.governance, run)
        return known or signed_request.record_request(self.ledger, self.governance, self.sign_request(run, by, demo))

    def sign_request(self, run: str = "run-1", by: str = "asker", demo: bool = False, **more: object) -> dict:
        where = {"environment": self.governance.policy.environment}
        return signed_request.sign_request(request(run, by, demo, self.ledger.now(), **where, **more), self.key(by))

    def collect(self, gate: str = "data", adopted: PromotedCriteria | None = None, **asked: object) -> Evidence:
        request = self.request(**asked)
        return evidence_module.collect_evidence(
            gate, self.layout, self.params, self.governance.policy, request, promoted_criteria=adopted
        )

    def ask(self, gate: str = "data", **kwargs) -> Evidence:
        return gates.open_gate(self.ledger, self.collect(gate, **kwargs))

    def ask_again(self, found: Evidence) -> Evidence:
        return gates.open_gate(self.ledger, found)

    def judge(self, evidence: Evidence, now=None) -> gates.GateStatus:
        return gates.judge_gate(evidence, self.ledger, self.governance, now or self.ledger.now())

    def decide(self, evidence: Evidence, person: str, verb: str = "approve", reason: str = "seen", **more) -> Entry:
        return decide(self.ledger, self.governance, evidence, person, verb, reason, **more)

    def settle(self, evidence: Evidence) -> gates.GateStatus:
        return gates.judge_and_close(self.ledger, self.governance, evidence)

    def key(self, name: str) -> Signer:
        """Of a person or machine, as `hallmark init` made it."""
        return keys.make_signer(keys.load_private_key(self.state / "keys" / name))

    def line(self, name: str) -> str:
        return self.key(name).public_line

    def why_not(self, evidence: Evidence) -> str:
        """Why the newest decision does not count."""
        newest = self.judge(evidence).decisions[-1]
        assert not newest.counted
        return newest.why_not


def write_governance(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "policy.yaml").write_text(POLICY)
    (folder / "people.yaml").write_text(PEOPLE)


def copied(before: Path, root: Path) -> House:
    """A house, whose files are closed, in another place."""
    copy_tree(before, root)
    state = root / STATE
    known = governance.load_governance(root / "governance", state)
    return House(Layout(root / "run"), READ, known, open_ledger(state), state)


def request(run: str, by: str, demo: bool, time: datetime, **more: object) -> SignedRunRequest:
    asked = {"run_id": run, "requested_by": by, "demo_approvals": demo, "time": time, "commit": COMMIT}
    rest = {"tree_sha256": "0" * 64, "params": "params.yaml", "params_sha256": None, "governance": None, "changes": {}}
    return SignedRunRequest.model_validate(asked | rest | {"environment": "local"} | more)


def put_result(folder: Path, **facts: float | dict) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    dumped = {name: fact if isinstance(fact, dict) else {"value": fact} for name, fact in facts.items()}
    (folder / ("facts.json" if "measured" in folder.parts else "result.json")).write_text(json.dumps({"facts": dumped}))


def raw(house: House, *statements: str) -> None:
    """What somebody does who has the database file and no scruples: drop the triggers, and mend the tree after."""
    with sqlite3.connect(house.state / "ledger.db") as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")]
        for statement in [*(f"DROP TRIGGER {name}" for name in names), *statements]:
            connection.execute(statement)
        mend(connection)
    connection.close()


def authority_of(governed: Governance, tier: str = "low") -> Authority:
    """Return the content of inputs/authority.json in a run that `resolve` has begun."""
    return Authority(
        gate_public_keys=[key.public_key for key in governed.keys_of("gate")],
        policy_sha256=governed.policy.digest(),
        environment=governed.policy.environment,
        tier=tier,
    )


def authority(house: House, tier: str = "low") -> None:
    write_json(house.layout.authority_path, authority_of(house.governance, tier).model_dump(mode="json"))


def keyed(people: str, state: Path) -> str:
    """A people.yaml in which everybody, machines too, has the key that `hallmark init` made for them."""
    lines = {path.stem: path.read_text().strip() for path in (state / "keys").glob("*.pub")}
    for name, line in lines.items():
        people = people.replace(f"{{id: {name},", f"{{id: {name}, keys: [{line}],")
    return people + "machines:\n" + "".join(f"  {name}: {{keys: [{lines[name]}]}}\n" for name in MACHINES)


def reload(house: House, policy: str = POLICY, people: str = PEOPLE) -> None:
    """Change the governance files and read them again."""
    house.governance.folder.mkdir(exist_ok=True)
    (house.governance.folder / "policy.yaml").write_text(policy)
    (house.governance.folder / "people.yaml").write_text(people)
    house.governance = governance.load_governance(house.governance.folder, house.state)
