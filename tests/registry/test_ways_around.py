"""What a worker or a run's own commit tries instead of passing a gate: stages called directly, files of other runs,
an authority, policy or people of their own, names that lead out of a release's folder."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.core.errors import InputError, Refused
from tasks.core.files import read_json, write_json
from tasks.core.json_text import canonical_json
from tasks.core.layout import Layout
from tasks.core.params import params
from tasks.gates import evidence
from tasks.policy import governance
from tasks.policy.governance import Governance
from tasks.policy.people import Person
from tasks.registry.promote import champion, releases
from tasks.registry.release import bundle, promotions
from tasks.trust import dsse
from tests.gates.test_attacks import plant
from tests.governed.house import House as GateHouse
from tests.registry.house import BREAK_GLASS, NAME, House

ROOT = Path(__file__).parents[2]


def stage(layout: Layout, name: str) -> "subprocess.CompletedProcess[str]":
    """`python -m tasks.stages NAME` in the run's worktree, as dvc.yaml has it, without Prefect and DVC."""
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); sys.argv[1:] = [{name!r}]; import tasks.stages.__main__ as m; "
    )
    return subprocess.run(
        [sys.executable, "-c", code + "sys.exit(m.main())"], cwd=layout.root, capture_output=True, text=True
    )


@pytest.mark.attack(rights="worker", stopped="the stage itself verifies its gate's statement")
@pytest.mark.parametrize(("name", "gate"), [("train", "data"), ("package", "evaluation")])
def test_a_stage_called_directly_does_not_go_past_its_gate(house: House, name: str, gate: str) -> None:
    layout = house.begin("run-1")
    shutil.rmtree(layout.artefacts(name), ignore_errors=True)
    done = stage(layout, name)
    assert done.returncode == 1 and f"{name}: gate {gate} is not passed" in done.stderr, done.stderr
    assert not layout.artefacts(name).exists()


@pytest.mark.attack(rights="worker", stopped="the gate's statement names the output by digest")
def test_a_stage_does_not_go_past_its_gate_with_the_file_of_another_run(house: House) -> None:
    honest, worker = house.begin("run-1"), house.begin("run-2", b"evil")
    for gate in ("data", "evaluation"):
        house.open(honest, gate)
    write_json(worker.artefacts("evaluate") / "metrics.json", {"exact_match": 0.99})
    worker.gate_statement_path("evaluation").parent.mkdir(exist_ok=True)
    shutil.copyfile(honest.gate_statement_path("evaluation"), worker.gate_statement_path("evaluation"))
    done = stage(worker, "package")
    assert done.returncode == 1 and "is not the output that gate evaluation let pass" in done.stderr, done.stderr


def own_gate(house: House, layout: Layout) -> Governance:
    """An installation of the worker's own, whose key the run's authority.json is made to name."""
    mine = house.root / "mine"
    shutil.copytree(house.governance.folder, mine / "governance")
    loaded = governance.load_governance(mine / "governance", mine / ".hallmark")
    governance.create_vault_and_keys(loaded.state, loaded.people)
    told = read_json(layout.authority_path)
    told["gate_public_keys"] = [loaded.find_signer("gate").public_line]
    write_json(layout.authority_path, told)
    return loaded


@pytest.mark.attack(
    rights="commit", stopped="promotion believes the installed gate's key, not the run's authority.json"
)
def test_a_run_that_brings_an_authority_of_its_own_is_not_promoted(house: House) -> None:
    """Its stages go on, behind gates that it opened itself."""
    layout = house.begin("run-1", b"evil")
    theirs = House(house.root, own_gate(house, layout), house.ledger)
    theirs.forge(layout, "data")
    theirs.forge(layout, "evaluation")
    house.pack(layout)
    theirs.forge(layout, "release")
    with pytest.raises(Refused, match=r"gate data is not passed: .* is signed by"):
        house.promote(layout)
    assert champion.current_champion(house.ledger, house.governance, NAME) is None


@pytest.mark.attack(rights="commit", stopped="what is asked and checked is worked out again from the installed policy")
@pytest.mark.parametrize(
    ("old", "new"),
    [("decisions: [{role: risk}]", f"decisions: []\n    {BREAK_GLASS}"), ("at_least: 0.7", "at_least: 0")],
    ids=["asks nobody", "is content with less"],
)
def test_a_run_that_brings_a_policy_of_its_own_passes_no_gate(house: House, old: str, new: str) -> None:
    """In its tree, in its authority.json and in evidence that it put into the ledger itself."""
    layout = house.begin("run-1", facts={"evaluate": {"exact_match": {"value": 0.3, "low": 0.2, "high": 0.4}}})
    folder = layout.root / "infra" / "governance"
    shutil.copytree(house.governance.folder, folder)
    (folder / "policy.yaml").write_text((folder / "policy.yaml").read_text().replace(old, new))
    own = governance.load_governance(folder, house.state)
    assert own.policy.digest() != house.governance.policy.digest()
    write_json(layout.authority_path, read_json(layout.authority_path) | {"policy_sha256": own.policy.digest()})
    theirs = House(house.root, own, house.ledger)
    for gate in ("data", "evaluation"):
        theirs.forge(layout, gate)
    house.pack(layout)
    theirs.forge(layout, "release")
    with pytest.raises(Refused, match="under another policy"):
        house.promote(layout)
    assert champion.current_champion(house.ledger, house.governance, NAME) is None


@pytest.mark.attack(rights="approver", stopped="a key stands in people.yaml once, and machines' names are reserved")
def test_a_requester_under_another_id_with_the_same_key_is_not_let_in(house: House) -> None:
    people = house.governance.folder / "people.yaml"
    line = house.key("engineer").public_line
    people.write_text(
        people.read_text().replace("{id: engineer,", f"{{id: engineer, keys: [{line}],")
        + f"  - {{id: engineer-two, name: Engineer, roles: [risk], keys: [{line}]}}\n"
    )
    with pytest.raises(InputError, match=r"each key stands here once; twice: .*\(engineer and engineer-two\)"):
        governance.load_governance(house.governance.folder, house.state)
    with pytest.raises(ValueError, match="name of a machine's key"):
        Person(id="worker", name="W", roles=["risk"])


@pytest.mark.attack(rights="worker", stopped="the person's signature: a machine's key signs for no person")
@pytest.mark.parametrize("machine", ["scheduler", "worker", "ledger", "gate"])
def test_the_key_of_a_machine_decides_nothing(house: House, machine: str) -> None:
    layout = house.begin("run-1")
    asked = house.ask(layout, "data")
    walk = GateHouse(layout, params.load_params(layout.params_path), house.governance, house.ledger, house.state)
    plant(walk, asked, "owner", house.key(machine))
    assert walk.judge(asked).state == "waiting" and "is signed by" in walk.why_not(asked)


PATHS: dict[str, str] = {
    "a path that leads out of the folder": "payload/../../outside.json",
    "an absolute path": "/etc/hostname",
    "another separator": "payload\\model\\adapter.json",
    "a name that differs in capitals alone": "payload/readme.md",
    "a drive of another system": "C:payload.json",
    "a name with a line break": "payload/a\nb.json",
}


@pytest.mark.attack(rights="gate key", stopped="names of a release's files are plain, and each is there")
@pytest.mark.parametrize("name", PATHS.values(), ids=PATHS.keys())
def test_a_statement_that_lists_what_is_no_file_of_the_release_does_not_verify(
    released: House, folder: Path, name: str
) -> None:
    (released.root / "outside.json").write_text("{}")
    known = promotions.verify_promotion(dsse.read_envelope(folder / bundle.PROMOTION_STATEMENT), released.governance)
    listing = bundle.list_digests(folder) | {name: known.promotion.files["payload/README.md"]}
    payload = bundle.part_digest(listing, bundle.PAYLOAD)
    told = known.promotion.model_copy(update={"files": listing, "payload_sha256": payload})
    signed = promotions.sign_promotion(told, bundle.release_digest(listing), released.governance)
    dsse.write_envelope(folder / bundle.PROMOTION_STATEMENT, signed)
    checked = releases.verify_release(folder, released.governance)
    assert "is no name for a file" in checked.against or "are one file on systems" in checked.against


@pytest.mark.attack(rights="disk", stopped="no symbolic link is followed inside a release")
def test_attestations_that_can_be_exchanged_behind_a_link_do_not_verify(released: House, folder: Path) -> None:
    (folder / "attestations").rename(folder.parent / "moved")
    (folder / "attestations").symlink_to(folder.parent / "moved")
    assert not releases.verify_release(folder, released.governance).ok


@pytest.mark.attack(rights="worker", stopped="promotion takes the evidence on the ledger, which decisions bind to")
def test_evidence_edited_in_the_worktree_after_it_was_approved_promotes_nothing_else(ready: House) -> None:
    layout = ready.run("run-1")
    path = layout.root / "evidence" / "release.json"
    edited = read_json(path) | {"requested_by": "product"}
    path.write_bytes(canonical_json(edited))
    release = ready.promote(layout)
    found = evidence.Evidence.model_validate(read_json(Path(release.bundle) / "attestations/evidence/release.json"))
    assert found.requested_by == "engineer", "what was on record, not what lies in the worktree"
    assert releases.verify_release(Path(release.bundle), ready.governance).ok
