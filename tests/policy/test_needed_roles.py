"""Roles that somebody has to hold are those that a policy names anywhere."""

from pathlib import Path

from tasks.policy import needed_roles, policy
from tests.governed.house import POLICY
from tests.tiny_project import ROOT


def test_each_role_of_the_shipped_policy_is_needed_with_its_duties() -> None:
    found = {each.role: each for each in needed_roles.needed_roles(policy.load_policy(ROOT / "infra" / "governance"))}
    assert set(found) == {"requester", "data_owner", "product_owner", "risk_officer", "approver"}
    assert found["requester"].duties == ("asks for runs",)
    assert {"signs policy off", "signs code off", "waives checks"} <= set(found["risk_officer"].duties)
    assert {each.minimum for each in found.values()} == {1}


def test_the_number_of_people_is_the_largest_that_a_rule_asks_for(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(POLICY + "  # two in role risk\n")
    found = {each.role: each.minimum for each in needed_roles.needed_roles(policy.load_policy(tmp_path))}
    assert found == {"data-owner": 1, "risk": 2, "ml-lead": 1, "release-manager": 1}


def test_policy_does_without_a_requester_if_the_scheduler_or_others_may_ask(tmp_path: Path) -> None:
    tiers = "tiers:\n  experiment: {gates: {}, requesters: [scientist, engineer]}\n"
    (tmp_path / "policy.yaml").write_text(f"environment: local\n{tiers}")
    assert [each[:2] for each in needed_roles.needed_roles(policy.load_policy(tmp_path))] == [
        ("scientist", 0),
        ("engineer", 0),
    ]
