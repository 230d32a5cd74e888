"""The settings of the sample use case and of the BANKING77 example are valid and agree with each other."""

import os
from pathlib import Path

import pytest

from tasks.core.graph import EVIDENCE_STAGES
from tasks.core.params import params
from tasks.policy import people, policy
from tasks.policy.fact_names_check import OTHER_PREFIXES
from tasks.runs.requests.source_resolution import resolve_source
from tasks.sources import expectation_suites, sources

ROOT = Path(__file__).parents[2]
SHARED = Path(os.environ.get("HALLMARK_SHARED", ROOT / ".." / "shared"))
USE_CASES = {
    "support-triage": (ROOT / "params.yaml", ROOT / "infra/governance"),
    "banking77": (ROOT / "examples/banking77/params.yaml", ROOT / "examples/banking77/governance"),
    "clinc150": (ROOT / "examples/clinc150/params.yaml", ROOT / "examples/clinc150/governance"),
}
every_use_case = pytest.mark.parametrize(("card", "governance"), USE_CASES.values(), ids=USE_CASES)


@every_use_case
def test_files_are_valid_and_every_source_has_a_suite(card: Path, governance: Path) -> None:
    inventory = sources.load_sources(governance)
    suites = expectation_suites.load_suites(governance, inventory)
    assert params.load_params(card).use_case.name in USE_CASES
    assert set(suites.by_source) == {source.id for source in inventory.sources}
    assert suites.dataset is not None


@every_use_case
def test_every_task_of_a_source_has_a_prompt(card: Path, governance: Path) -> None:
    tasks = {source.constants.task for source in sources.load_sources(governance).sources}
    assert tasks == set(params.load_params(card).prompts)


@every_use_case
def test_somebody_can_decide_every_gate_on_the_run_of_a_requester(card: Path, governance: Path) -> None:
    named, rules = people.load_people(governance), policy.load_policy(governance)
    owners = params.load_params(card).use_case.owners
    requesters = {person.id for person in named.holders_of("requester", None)}
    assert owners.technical in requesters
    assert None not in [named.get(name) for name in (owners.business, owners.technical, owners.data)]
    assert None not in [named.get(source.owner) for source in sources.load_sources(governance).sources]
    for tier in rules.tiers.values():
        for gate in tier.gates.values():
            for wanted in gate.decisions:
                able = {person.id for person in named.holders_of(wanted.role, None)} - {owners.technical}
                assert len(able) >= wanted.count, wanted.role
            assert gate.waive is None or named.holders_of(gate.waive.role, None)


@every_use_case
def test_tier_exists_and_gates_judge_only_what_they_look_at(card: Path, governance: Path) -> None:
    rules, use_case = policy.load_policy(governance), params.load_params(card).use_case
    assert set(rules.tier(use_case.risk_tier).gates) == set(EVIDENCE_STAGES)
    for tier in rules.tiers.values():
        for name, gate in tier.gates.items():
            facts = [check.fact for check in gate.checks]
            if gate.success_metrics:
                facts += [metric.fact for metric in use_case.success_metrics if metric.judged == "evaluation"]
            stages = {fact.removeprefix("measured.").split(".")[0] for fact in facts}
            assert stages <= {*EVIDENCE_STAGES[name], *OTHER_PREFIXES.get(name, ())}, name


def test_sources_of_the_sample_lie_in_the_repository() -> None:
    for source in sources.load_sources(ROOT / "infra/governance").sources:
        assert resolve_source(source, ROOT).bytes > 10_000


@pytest.mark.skipif(not (SHARED / "data/banking77").is_dir(), reason="HALLMARK_SHARED/data/banking77 is not there")
def test_sources_of_banking77_resolve(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HALLMARK_SHARED", str(SHARED.resolve()))
    inventory = sources.load_sources(ROOT / "examples/banking77/governance").sources
    pinned = {source.split: resolve_source(source, ROOT) for source in inventory}
    assert set(pinned) == {"train", "test"}
    assert pinned["train"].bytes > pinned["test"].bytes > 100_000
