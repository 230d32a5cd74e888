"""What policy.yaml and people.yaml say stands where it counts."""

from pathlib import Path

import pytest

from tasks.core.errors import InputError
from tasks.policy import governance
from tests.governed.house import PEOPLE, POLICY

GATE = "        decisions: [{role: data-owner}]\n"


def load(folder: Path, policy: str, people: str = PEOPLE) -> None:
    (folder / "policy.yaml").write_text(policy)
    (folder / "people.yaml").write_text(people)
    governance.load_governance(folder, folder / "state")


@pytest.mark.attack(rights="approver", stopped="keys of a gate that are taken over from elsewhere are not read")
def test_no_gate_takes_its_decisions_from_elsewhere(folder: Path) -> None:
    load(folder, POLICY)
    first = next(line for line in POLICY.splitlines() if "decisions:" in line)
    hidden = POLICY.replace(first, f"{first.partition('decisions')[0]}<<: {{decisions: []}}")
    with pytest.raises(InputError, match=r"policy\.yaml:\d+: keys that are taken over with `<<` are not read here"):
        load(folder, hidden)


@pytest.mark.attack(rights="approver", stopped="a threshold is a finite number")
@pytest.mark.parametrize("value", [".nan", ".inf", "-.inf"])
def test_a_threshold_is_a_finite_number(folder: Path, value: str) -> None:
    assert "at_least: 100" in POLICY
    with pytest.raises(InputError, match=r"policy\.yaml:\d+: .*at_least: .*finite number"):
        load(folder, POLICY.replace("at_least: 100", f"at_least: {value}"))
