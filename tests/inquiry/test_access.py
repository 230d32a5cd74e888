"""sources.yaml as it is now says who may look at an old run; the run's own record only where it says nothing."""

from pathlib import Path

import pytest

from tasks.core.errors import InputError, Refused
from tasks.core.files import write_json
from tasks.declarations import declarations, signing
from tasks.inquiry import access, disclosure
from tasks.inquiry.conflicts import pairs
from tasks.ledger.ledger import open_ledger
from tasks.policy import governance
from tasks.policy.governance import Governance
from tasks.policy.people import MACHINES
from tasks.sources import expectation_suites, sources
from tasks.sources.sources import Source
from tasks.stages.data.clean import clean
from tasks.stages.data.deduplicate import deduplicate
from tests.governed.house import keyed
from tests.stages.data.build import Run, messages, params, source, table

CHANGES = "changes: {policy: [{role: desk}], people: [{role: desk}], code: [{role: desk}]}"
POLICY = f"environment: local\n{CHANGES}\ntiers: {{experiment: {{gates: {{}}}}}}\n"
PEOPLE = """
people:
  - {id: owner, name: Owner, roles: [data_owner]}
  - {id: steward, name: Steward, roles: [desk]}
  - {id: auditor, name: Auditor, roles: [auditor]}
  - {id: gone, name: Gone, roles: [{role: auditor, valid_before: 2026-01-01}]}
"""
THEN = {"owner": "owner", "steward": "steward", "access": ["auditor"]}
"""What the run's own record says of its source."""
OTHER = {"owner": "auditor", "steward": "auditor", "access": ["auditor"]}


@pytest.fixture
def old(run: Run) -> Run:
    """A run whose source the auditor was let look at."""
    run.ingest(table(messages(3)), **THEN)
    return run


def govern(run: Run, *sources: Source) -> Governance:
    """The governance in force: these sources, and keys for everybody."""
    folder = run.root / "governance"
    folder.mkdir()
    (folder / "policy.yaml").write_text(POLICY)
    (folder / "people.yaml").write_text(PEOPLE)
    write_json(folder / "sources.yaml", {"sources": [one.model_dump(mode="json") for one in sources]})  # JSON is YAML
    loaded = governance.load_governance(folder, run.layout.state)
    governance.create_vault_and_keys(run.layout.state, loaded.people)
    return loaded


@pytest.mark.attack(rights="commit", stopped="outside environment local who may look is said by what was adopted")
def test_outside_local_nobody_puts_themselves_on_the_list(old: Run) -> None:
    govern(old, source("data.csv", **THEN | {"access": ["data_owner"]}))
    governed = outside_local(old)
    ledger = open_ledger(old.layout.state)
    with pytest.raises(Refused, match="auditor may not look at records of src: that takes who owned it"):
        look(old, governed, "auditor")
    inventory = sources.load_sources(governed.folder)
    declared = declarations.declarations_of_sources(
        inventory, expectation_suites.load_suites(governed.folder, inventory)
    )
    signing.sign_declarations(ledger, governed, "owner", declared, "mine")
    write_json(governed.folder / "sources.yaml", {"sources": [source("data.csv", **OTHER).model_dump(mode="json")]})
    with pytest.raises(Refused, match="that takes its owner, its steward, or role data_owner"):
        look(old, governed, "auditor")
    assert look(old, governed, "owner").row == 1


def outside_local(run: Run) -> Governance:
    """The same elsewhere, with everybody's key in people.yaml."""
    folder, state = run.root / "governance", run.layout.state
    (folder / "policy.yaml").write_text(POLICY.replace("environment: local", "environment: production"))
    (folder / "people.yaml").write_text(keyed(PEOPLE, state))
    return governance.load_governance(folder, state)


def look(run: Run, governed: Governance, who: str) -> disclosure.DisclosedRow:
    record = run.records_of("ingest")[0]["record_id"]
    return disclosure.disclose_row(
        run.layout, record, access.access_of_signer(governed, who), "a test", open_ledger(run.layout.state)
    )


@pytest.mark.parametrize("who", ["owner", "steward", "auditor"])
def test_owner_steward_and_roles_may_look(old: Run, who: str) -> None:
    assert look(old, govern(old, source("data.csv", **THEN)), who).row == 1


def test_who_was_taken_off_the_list_may_look_at_no_old_run(old: Run) -> None:
    governed = govern(old, source("data.csv", **THEN | {"access": ["data_owner"]}))
    with pytest.raises(Refused, match=r"auditor may not look at records of src: .* its steward, or role data_owner$"):
        look(old, governed, "auditor")
    assert open_ledger(old.layout.state).entries() == []


def test_who_was_put_on_the_list_may_look_at_old_runs(run: Run) -> None:
    run.ingest(table(messages(3)), **THEN | {"access": ["data_owner"]})
    assert look(run, govern(run, source("data.csv", **THEN)), "auditor").row == 1


def test_a_source_with_another_owner_is_the_former_ones_no_more(old: Run) -> None:
    governed = govern(old, source("data.csv", **THEN | {"owner": "auditor", "steward": "auditor"}))
    assert look(old, governed, "auditor").row == 1
    for who in ("owner", "steward"):
        with pytest.raises(Refused, match=f"{who} may not look at records of src"):
            look(old, governed, who)


def test_a_source_that_is_named_no_more_is_for_its_owner_and_steward_of_then(old: Run) -> None:
    governed = govern(old, source("other.csv", id="other", **OTHER))
    for who in ("owner", "steward"):
        assert look(old, governed, who).row == 1
    with pytest.raises(Refused, match=r"who owned it in that run or looked after it, since it is declared no longer"):
        look(old, governed, "auditor")


def test_conflicts_go_by_the_same_list(run: Run) -> None:
    rows = [{"text": "Where is the bill of last month", "label": label} for label in ("one", "two")]
    run.ingest(table([*rows, *messages(2)]), **THEN)
    how = params(near_duplicates={"conflict_jaccard": 0.9})
    for stage in (clean, deduplicate):
        stage.run(how, run.layout)
    governed = govern(run, source("data.csv", **THEN | {"access": ["data_owner"]}))
    assert pairs.find_conflicts(run.layout, access.access_of_signer(governed, "owner"), 20).total == 1
    with pytest.raises(Refused, match="auditor may see none of the 1 conflicts"):
        pairs.find_conflicts(run.layout, access.access_of_signer(governed, "auditor"), 20)


@pytest.mark.parametrize(
    ("who", "error", "wanted"),
    [("unknown", InputError, "'unknown' is nobody in people.yaml"), ("gone", Refused, "gone holds no role on")],
)
def test_nobody_in_people_may_look(old: Run, who: str, error: type[Exception], wanted: str) -> None:
    with pytest.raises(error, match=wanted):
        look(old, govern(old, source("data.csv", **THEN)), who)


def test_a_demo_identity_looks_in_environment_local_alone(old: Run) -> None:
    folder = govern(old, source("data.csv", **THEN)).folder
    names = ("owner", "steward", *MACHINES)
    keys = {name: [(old.layout.state / "keys" / f"{name}.pub").read_text().strip()] for name in names}
    people = [{"id": name, "name": name, "roles": ["desk"], "keys": keys[name]} for name in names[:2]]
    people[1]["demo"] = True
    machines = {name: {"keys": keys[name]} for name in MACHINES}
    write_json(folder / "people.yaml", {"people": people, "machines": machines})
    assert look(old, governance.load_governance(folder, old.layout.state), "steward").row == 1
    (folder / "policy.yaml").write_text(POLICY.replace("local", "prod"))
    elsewhere = governance.load_governance(folder, old.layout.state)
    assert look(old, elsewhere, "owner").row == 1
    with pytest.raises(Refused, match="steward is a demo identity, which counts in environment local alone"):
        look(old, elsewhere, "steward")


def test_without_a_list_in_force_nobody_looks(old: Run) -> None:
    governed = govern(old, source("data.csv", **THEN))
    Path(governed.folder / "sources.yaml").unlink()
    with pytest.raises(InputError, match=r"sources.yaml: no such file"):
        look(old, governed, "owner")
