"""`hallmark policy` and `hallmark identity root`: what is in force, on a checkout of its own."""

import shutil
from pathlib import Path

import pytest

from tasks.policy import in_force, root_of_trust
from tasks.runs.run import installed_governance
from tasks.trust import keys
from tests import editing
from tests.checkouts import Checkouts
from tests.copies import copy_tree
from tests.governed.house import keyed
from tests.governed.postgres import new_database
from tests.in_process import adopt_anew, hallmark, hallmark_json
from tests.ledger_tampering import change_entry
from tests.tiny_project import commit, git

CASES = """
cases:
  - {name: the owner decides, tier: limited, gate: data, requester: ml-engineer, owners: [data-owner], expect: EXPECT,
     facts: {validate.failed_expectations: 0, split.groups_on_both_sides: 0, split.train_rows: 10},
     decisions: [{person: data-owner}]}
  - {name: not on their own run, tier: limited, gate: data, requester: data-owner, owners: [data-owner],
     facts: {}, decisions: [{person: data-owner}], expect: refused}
  - {name: a waiver lets a figure pass, tier: limited, gate: data, requester: ml-engineer, owners: [data-owner],
     facts: {validate.failed_expectations: 0, split.groups_on_both_sides: 0, split.train_rows: 9}, expect: passed,
     decisions: [{person: data-owner}, {person: risk-officer, verb: waive, checks: [enough rows], days: 5}]}
"""


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory, checkouts: Checkouts) -> Path:
    return checkouts.ready(tmp_path_factory.mktemp("once") / "project")


@pytest.fixture
def project(once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv(root_of_trust.ROOT_VARIABLE, raising=False)
    in_force._warn_once.cache_clear()
    return copy_tree(once, tmp_path / "project")


def edit(project: Path, old: str, new: str, name: str = "policy.yaml") -> None:
    editing.edit(project / "infra" / "governance" / name, old, new)


def nobody_signs_off_changes(project: Path) -> None:
    signers = "policy: [{role: risk_officer}], people: [{role: risk_officer}], code: [{role: risk_officer}]"
    edit(project, f"changes: {{{signers}}}\n", "")
    hallmark(project, "policy", "adopt", "infra/governance", "--as", "risk-officer")


def test_from_an_edit_to_its_adoption(project: Path, caplog: pytest.LogCaptureFixture) -> None:
    root = hallmark(project, "identity", "root").strip()
    assert root == keys.fingerprint((project / ".hallmark" / "keys" / "root.pub").read_text().strip())
    assert "number 1, signed by the root key" in hallmark(project, "policy", "show")
    edit(project, "at_least: 10}", "at_least: 11}")
    edit(project, "{id: ml-engineer, name: ML engineer, roles: [requester]}",
         "{id: ml-engineer, name: ML engineer, roles: [requester, trainer]}", "people.yaml")  # fmt: skip
    for _ in range(2):
        hallmark(project, "data", "list")
    assert caplog.text.count("to adopt it: hallmark policy adopt infra/governance --as risk-officer") == 1
    hallmark(project, "init")
    newest = hallmark_json(project, "policy", "show")["adoptions"][-1]
    assert newest["sequence"] == 1, "init adopts nothing that others do"
    shown = hallmark(project, "policy", "adopt", "infra/governance", "--dry-run")
    assert "person ml-engineer: role trainer is added" in shown
    assert "checks.name 'enough rows'.at_least: 10 becomes 11" in shown
    told = hallmark(project, "policy", "adopt", "infra/governance", "--as", "data-owner", code=1)
    assert "data-owner holds data_owner; this change is signed off by risk_officer" in told
    done = hallmark_json(project, "policy", "adopt", "infra/governance", "--as", "risk-officer")
    assert done["adopted"] is True
    again = hallmark_json(project, "policy", "adopt", "infra/governance", "--as", "risk-officer")
    assert (again["ledger_entry"], again["changes"]) == (done["ledger_entry"], [])
    assert not in_force.difference_text(installed_governance(project, None))
    shown = hallmark_json(project, "policy", "show")
    assert [row["signed_by"] for row in shown["adoptions"]] == [["the root key"], ["risk-officer"]]
    assert shown["root"] == root


def test_a_commit_that_brings_its_own_policy_and_people_changes_nothing(project: Path) -> None:
    edit(project, "decisions: [{role: risk_officer}]", "decisions: []")
    edit(project, "roles: [requester]", "roles: [requester, risk_officer]", "people.yaml")
    commit(project, "Be my own judge")
    governed = installed_governance(project, None)
    assert governed.policy.gate("limited", "release").decisions
    assert governed.people.get("ml-engineer").roles_at(None) == ["requester"]
    assert len(governed.chain) == 1
    git(project, "reset", "--hard", "--quiet", "HEAD~1")


def test_where_policy_names_nobody_the_root_key_adopts_with_init(project: Path) -> None:
    nobody_signs_off_changes(project)
    edit(project, "at_least: 10}", "at_least: 12}")
    assert "in force from now on" in hallmark(project, "init")
    assert installed_governance(project, None).policy.gate("limited", "data").checks[-1].at_least == 12


@pytest.mark.attack(rights="database", stopped="init looks at the ledger before it adopts anything")
def test_init_adopts_nothing_on_a_changed_ledger(project: Path) -> None:
    nobody_signs_off_changes(project)
    hallmark(project, "init")
    hallmark(project, "ledger", "publish")
    edit(project, "at_least: 10}", "at_least: 12}")
    change_entry(project / ".hallmark" / "ledger.db", 1)
    assert "So nothing is done on it" in hallmark(project, "init", code=1)
    assert len(installed_governance(project, None).chain) == 2


def test_an_environment_of_its_own_begins_with_a_root_key_kept_elsewhere(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = project / "infra" / "governance" / "people.yaml"
    people.write_text(keyed(people.read_text(), project / ".hallmark"))
    edit(project, "environment: local", "environment: prod")
    told = hallmark(project, "policy", "adopt", "infra/governance", "--as", "risk-officer", code=1)
    assert "an environment is adopted once" in told
    adopt_anew(project)
    monkeypatch.setenv("HALLMARK_VAULT_URL", "postgresql://u:p@db.example.invalid/vault")
    assert "HALLMARK_VAULT_URL: outside environment local" in hallmark(project, "policy", "show", code=2)
    monkeypatch.setenv("HALLMARK_VAULT_URL", "postgresql://u:p@db.example.invalid/vault?sslmode=verify-full")
    assert not (project / ".hallmark" / "keys" / "root").exists()
    assert installed_governance(project, None).policy.environment == "prod"
    assert "it follows from root key" in hallmark(project, "policy", "show")
    edit(project, "at_least: 10}", "at_least: 13}")
    own = str(project.parent / "root")
    told = hallmark(project, "policy", "adopt", "infra/governance", "--root-key", own, code=1)
    assert "the root key adopts nothing where policy names who does" in told


def test_a_root_key_other_than_the_pinned_one_is_refused(project: Path, tmp_path: Path, monkeypatch) -> None:
    other = keys.fingerprint(keys.create_key_pair(tmp_path / "other", "root"))
    told = hallmark(
        project, "policy", "adopt", "infra/governance", "--root-key", str(tmp_path / "other" / "root"), code=2
    )
    assert f"the root key given is {other}" in told
    monkeypatch.setenv(root_of_trust.ROOT_VARIABLE, other)
    assert "find out who replaced it" in hallmark(project, "data", "list", code=2)
    assert "find out who replaced it" in hallmark(project, "identity", "root", code=2)


def test_a_ledger_that_was_begun_under_another_root_key_is_told(project: Path) -> None:
    held = {path: path.read_bytes() for path in (project / ".hallmark" / "keys").glob("root*")}
    first = hallmark(project, "identity", "root").strip()
    for path in held:
        path.unlink()
    told = hallmark(project, "init", code=1)
    assert "this ledger was begun under another root key" in told and "trusts none yet" in told
    assert (
        f"has adoptions under {first}" in told
        and f"set {root_of_trust.ROOT_VARIABLE} to it" in " ".join(told.split())
        and "--new-root" in told
    )
    assert not any(path.exists() for path in held), "no second root key was made"
    keys.create_key_pair(project / ".hallmark" / "keys", "root")
    second = hallmark(project, "identity", "root").strip()
    assert f"this checkout trusts {second}" in hallmark(project, "init", code=1)
    assert "in force from now on" in hallmark(project, "init", "--new-root")
    assert hallmark_json(project, "policy", "show")["root"] == second


def test_a_second_machine_of_a_shared_ledger_adopts_no_root_of_its_own(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, postgres: str
) -> None:
    monkeypatch.setenv("HALLMARK_LEDGER_URL", new_database(postgres))
    second = tmp_path / "second"
    shutil.copytree(project, second, ignore=shutil.ignore_patterns(".hallmark"), symlinks=True)
    for path in (project / ".hallmark" / "keys").glob("root*"):
        path.unlink()
    hallmark(project, "init")
    first = hallmark(project, "identity", "root").strip()
    assert f"has adoptions under {first}" in hallmark(second, "init", code=1)
    assert not (second / ".hallmark" / "keys").exists(), "nothing was made"
    monkeypatch.setenv(root_of_trust.ROOT_VARIABLE, first)
    assert f"root of trust: {first}" in hallmark(second, "init")
    assert hallmark_json(second, "policy", "show")["other_roots"] == []


def test_cases_are_judged_by_the_code_that_judges_gates(project: Path) -> None:
    cases = project / "infra" / "governance" / "policy_tests.yaml"
    cases.write_text(CASES.replace("EXPECT", "passed"))
    told = hallmark(project, "policy", "test")
    assert told.count("ok      ") == 3
    cases.write_text(CASES.replace("EXPECT", "waiting"))
    told = hallmark(project, "policy", "test", code=1)
    assert "FAILED  the owner decides: passed (expected waiting)" in told
    edit(project, "max_days: 90}", "max_days: 4}")
    states = [case["state"] for case in hallmark_json(project, "policy", "test", code=1)]
    assert states == ["passed", "refused", "refused"]


def test_the_policy_in_words(project: Path) -> None:
    told = hallmark(project, "policy", "check", "infra/governance")
    assert "role risk_officer (risk-officer) may waive any failed check for up to 90 days" in told
    assert "is approved by every owner of a source, each in role data_owner" in told
    assert "hint:" not in told
    edit(project, "role: product_owner", "role: product_owner, count: 2")
    told = hallmark(project, "policy", "check")
    assert "hint: risk tier limited: only runs with --demo-approvals can pass, since whoever asks for the run, " in told
    edit(project, "role: product_owner, count: 2", "role: pilot")
    told = hallmark(project, "policy", "check", code=2)
    assert "policy.yaml:16: tiers.limited.gates.evaluation.decisions.0: policy that nobody can satisfy" in told
