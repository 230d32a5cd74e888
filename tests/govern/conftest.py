"""A small governance folder, a run's outputs, and a gate that was asked."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from tasks.govern import evidence as evidence_module
from tasks.govern import gates, governance
from tasks.govern.evidence import Evidence
from tasks.govern.governance import Governance
from tasks.govern.ledger import Ledger, open_ledger
from tasks.layout import Layout
from tasks.params import Params

POLICY = """\
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
        waive: risk
      evaluation:
        checks:
          - {name: good enough, fact: evaluate.exact_match, bound: low, at_least: 0.7}
        success_metrics: true
        decisions: [{role: ml-lead}, {role: risk, count: 2}]
      release:
        decisions: [{role: release-manager}]
"""
PEOPLE = """\
people:
  - {id: asker, name: Asker, roles: [engineer, data-owner]}
  - {id: owner, name: Data owner, roles: [data-owner]}
  - {id: both, name: Two hats, roles: [data-owner, risk]}
  - {id: lead, name: Lead, roles: [ml-lead]}
  - {id: risk-one, name: Risk one, roles: [risk]}
  - {id: releaser, name: Releaser, roles: [release-manager]}
  - {id: gone, name: Gone, roles: [data-owner], active: false}
  - {id: demo-owner, name: Demo owner, roles: [data-owner], demo: true}
  - {id: demo-risk, name: Demo risk, roles: [risk], demo: true}
"""
PARAMS = {
    "use_case": {
        "name": "triage",
        "problem": "p",
        "users": ["u"],
        "risk_tier": "low",
        "approach": "lora",
        "approach_reason": "r",
        "approved_uses": ["a"],
        "limitations": ["l"],
        "escalation_path": "e",
        "owners": {"business": "owner", "technical": "lead", "data": "owner"},
        "success_metrics": [
            {"name": "fast", "fact": "measured.predict.latency_p95_ms", "at_most": 900},
            {"name": "adopted", "fact": "adoption", "judged": "production", "at_least": 0.5},
        ],
    },
    "prompts": {"triage": {}},
    "data": {},
    "base_model": {"folder": "base", "sha256": "0" * 64, "licence": "Apache-2.0"},
    "training": {},
    "evaluation": {"label_field": "intent"},
}


@dataclass
class House:
    """What a test needs to walk a gate."""

    layout: Layout
    params: Params
    governance: Governance
    ledger: Ledger
    state: Path

    def collect(self, gate: str = "data", run: str = "run-1", by: str = "asker", demo: bool = False) -> Evidence:
        return evidence_module.collect(gate, self.layout, self.params, self.governance.policy, run, by, demo)

    def ask(self, gate: str = "data", **kwargs) -> Evidence:
        return gates.ask(self.ledger, self.collect(gate, **kwargs))

    def judge(self, evidence: Evidence, now=None) -> gates.Standing:
        return gates.judge(evidence, self.governance, self.ledger, now or self.ledger.now())

    def why_not(self, evidence: Evidence) -> str:
        """Why the newest decision does not count."""
        newest = self.judge(evidence).decisions[-1]
        assert not newest.counted
        return newest.why_not


def put_result(folder: Path, **facts: float | dict) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    dumped = {name: fact if isinstance(fact, dict) else {"value": fact} for name, fact in facts.items()}
    (folder / ("facts.json" if "measured" in folder.parts else "result.json")).write_text(json.dumps({"facts": dumped}))


def reload(house: House, policy: str = POLICY, people: str = PEOPLE) -> None:
    """Change the governance files and read them again."""
    house.governance.folder.mkdir(exist_ok=True)
    (house.governance.folder / "policy.yaml").write_text(policy)
    (house.governance.folder / "people.yaml").write_text(people)
    house.governance = governance.load(house.governance.folder, house.state)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "governance"
    place.mkdir()
    (place / "policy.yaml").write_text(POLICY)
    (place / "people.yaml").write_text(PEOPLE)
    return place


@pytest.fixture
def house(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    monkeypatch.delenv("HALLMARK_LEDGER_URL", raising=False)
    state = tmp_path / ".hallmark"
    loaded = governance.load(folder, state)
    governance.initialise(state, loaded.people)
    layout = Layout(tmp_path / "run")
    put_result(layout.stage("ingest"), rows=210)
    put_result(layout.stage("split"), train_rows=200)
    (layout.stage("split") / "train.txt").write_text("rows")
    put_result(layout.stage("evaluate"), exact_match={"value": 0.8, "low": 0.75, "high": 0.85})
    put_result(layout.measured("predict/candidate"), latency_p95_ms=300)
    put_result(layout.stage("package"))
    return House(layout, Params.model_validate(PARAMS), loaded, open_ledger(state), state)
