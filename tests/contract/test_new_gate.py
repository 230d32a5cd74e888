"""A new gate is a line in the table, its place in the flow, and its rules in the policies; pages and tests follow."""

import re
from pathlib import Path

from tests.changed_tree import ChangedTree

COUNTED = re.compile(r"\b(two|three|four|[2-9]) gates\b", re.IGNORECASE)
RULES = "      compliance:\n        decisions: [{role: risk_officer}]\n"
POLICIES = [f"{place}/governance/policy.yaml" for place in ("infra", "examples/banking77", "examples/clinc150")]
FOLLOWING = (
    "tests/contract/test_graph.py",
    "tests/examples/test_settings.py",
    "tests/gates/test_glance.py",
    "tests/policy/test_governance.py",
    "tests/policy/test_owners.py",
    "tests/registry/test_other_gates.py",
    "tests/registry/test_promotion.py::test_a_run_behind_its_gates_becomes_the_champion",
    "tests/registry/test_promotion.py::test_without_one_of_its_gates_nothing_is_promoted",
)
"""Tests that list gates, or take a run through all of them."""


def test_what_follows_from_a_new_gate(tmp_path: Path) -> None:
    tree = ChangedTree(tmp_path / "tree")
    tree.insert("tasks/core/graph.py", '    Gate("compliance"),\n', before='    Gate("release"),\n')
    tree.insert(
        "flows/retrain.py", '        pass_gate(run, "compliance")\n', before='        pass_gate(run, "release")\n'
    )
    for policy in POLICIES:
        tree.insert(policy, RULES, before="      release:\n")
    tree.run("-m", "pytest", "-q", "-x", *FOLLOWING)


def test_no_page_counts_the_gates() -> None:
    """A number would be wrong with the next gate."""
    root = Path(__file__).parents[2]
    pages = [root / "README.md", *(root / "docs").rglob("*.md"), *(root / "docs").rglob("*.svg")]
    wrong = [page for page in pages if COUNTED.search(page.read_text()) and "decisions" not in page.parts]
    assert not wrong, "write `gates`, without a number"
