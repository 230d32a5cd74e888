"""What another version made, with a gate that this one does not have, is read, verified and admitted; no run is made
of it here."""

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tasks.core import graph
from tasks.core.errors import InputError
from tasks.policy import adoption, adoption_entries, governance, in_force
from tasks.policy.policy import Policy
from tasks.policy.tier import Tier
from tasks.registry.history import release_contents
from tasks.registry.promote import releases, waivers
from tasks.registry.release import promotions
from tasks.registry.verify import verification
from tests.registry import house as house_module
from tests.registry.conftest import make_house
from tests.registry.house import NAME, POLICY, House, copy, open_house

FOURTH = POLICY.replace(
    "      release:\n", "      audit:\n        decisions: [{role: risk, count: 1}]\n      release:\n"
)


@contextmanager
def another_version() -> Iterator[None]:
    """Whose runs pass gate `audit` last, on the package as the release gate does."""
    ours = graph.GATES
    with pytest.MonkeyPatch.context() as patched:
        for name, module in list(sys.modules.items()):
            if name.startswith(("tasks.", "tests.registry.")) and getattr(module, "GATES", None) is ours:
                patched.setattr(module, "GATES", (*ours, "audit"))
        patched.setitem(graph.EVIDENCE_STAGES, "audit", graph.EVIDENCE_STAGES["release"])
        patched.setitem(graph.SUBJECT_STAGES, "audit", "package")
        patched.setitem(house_module.DECIDERS, "audit", "risk-officer")
        patched.setattr(house_module, "POLICY", FOURTH)
        yield


@pytest.fixture(scope="module")
def made_there(tmp_path_factory: pytest.TempPathFactory, empty_registry: Path) -> Path:
    root = tmp_path_factory.mktemp("theirs") / "house"
    with another_version():
        assert make_house(root, empty_registry).release("run-1").approved_by["audit"] == ["risk-officer as risk"]
    return root


@pytest.fixture
def theirs(tmp_path: Path, made_there: Path) -> House:
    """A house of the other version, with a release, opened by this one."""
    return open_house(shutil.copytree(made_there, tmp_path / "house"))


def test_a_release_with_another_gate_verifies_and_is_read(theirs: House) -> None:
    assert list(theirs.governance.policy.tiers["low"].gates) == sorted(("audit", *graph.GATES))
    checked = verification.verify_from_root(theirs.bundle(), theirs.root_of_trust)
    assert checked.ok, checked.against
    assert "gate audit was approved by risk-officer as risk" in [check.text for check in checked.checks]
    assert verification.require_valid_release(theirs.bundle(), theirs.governance).promotion.label == "triage-1"

    line = promotions.read_promotions(theirs.ledger, theirs.governance, NAME)
    assert line.newest_statement is not None and line.newest_statement.promotion.gates == [*graph.GATES, "audit"]
    assert waivers.failed_checks(theirs.ledger, theirs.governance, line.newest_statement) == []
    assert list(release_contents.read_release(theirs.bundle()).evidence) == [*graph.GATES, "audit"]
    assert [release.label for release in releases.list_releases(theirs.ledger, theirs.governance)] == ["triage-1"]


@pytest.mark.parametrize("what", ["evidence/audit.json", "gates/audit.json", "decisions/audit/01.json"])
def test_the_other_gate_is_asked_for(theirs: House, what: str) -> None:
    folder = copy(theirs.bundle(), theirs.root / "copied")
    (folder / "attestations" / what).unlink()
    assert not verification.verify_from_root(folder, theirs.root_of_trust).ok


def test_no_run_is_made_and_nothing_adopted_with_a_gate_that_is_not_here(theirs: House) -> None:
    chain = adoption_entries.read_chain(theirs.ledger, theirs.root_of_trust)
    assert adoption.verify_chain(chain.envelopes, theirs.root_of_trust).adoption.policy == theirs.governance.policy
    with pytest.raises(InputError, match=r"policy.yaml:\d+: tiers.low: a tier has either no gates or all of data, "):
        governance.load_governance(theirs.governance.folder, theirs.state)
    with pytest.raises(InputError, match="a tier has either no gates or all of"):
        in_force.load_proposed(theirs.governance.folder, theirs.state)
    tier: Tier = Policy.from_value(theirs.governance.policy.json_value).tier("low")
    assert f"got {', '.join(sorted(('audit', *graph.GATES)))}" in tier.unsupported_gates()
