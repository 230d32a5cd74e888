"""A run becomes a release; a release goes back to an earlier one."""

from pathlib import Path

from tasks.files import tree_digest
from tasks.registry import admission, champion, releases
from tests.registry.house import COMMIT, NAME, House


def test_a_run_behind_its_gates_becomes_the_champion(house: House) -> None:
    layout = house.ready("run-1")
    release = house.promote(layout)

    assert (release.label, release.aliases, release.demo, release.tier) == ("triage-1", ["champion"], False, "low")
    assert (release.run, release.commit, release.requested_by) == ("run-1", COMMIT, "engineer")
    reigning = champion.current(house.ledger, house.governance, NAME)
    assert reigning is not None
    assert tree_digest(house.state / reigning.payload) == reigning.sha256 == release.payload_sha256
    assert tree_digest(house.state / reigning.payload) == tree_digest(layout.stage("package") / "payload")
    model = admission.admit(house.ledger, house.governance, NAME)
    assert (model / "adapter_model.safetensors").read_bytes() == b"adapter"
    assert not (model / "README.md").exists()
    checked = releases.verify(Path(release.bundle), house.governance)
    assert checked.ok, checked.against
    assert checked.sha256 == release.sha256
