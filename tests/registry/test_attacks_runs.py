"""What a worker, or a run's own commit, tries: promotion takes what the gates let pass, and nothing else."""

import shutil

import pytest

from tasks.core.errors import Refused
from tasks.core.files import write_json
from tasks.registry.admit import admission
from tasks.registry.promote import champion
from tests.registry.forging import Attack, link, rewrite
from tests.registry.house import NAME, House


@pytest.mark.attack(rights="worker", stopped="demo identities count in environment local alone")
def test_a_demo_release_counts_nowhere_but_locally(house: House) -> None:
    release = house.release("run-1", demo=True)
    assert release.demo and house.served() == b"adapter"
    production = house.in_environment("production")
    assert champion.current_champion(house.ledger, production, NAME) is None
    with pytest.raises(Refused, match="no release of 'triage' is promoted in environment production"):
        admission.admit(house.ledger, production, NAME)


PACKAGE: dict[str, Attack] = {
    "a swapped adapter": lambda f: (f / "payload/model/adapter_model.safetensors").write_bytes(b"evil"),
    "another tokenizer": lambda f: rewrite(f / "payload/model/tokenizer.json", lambda t: t.update(version="x")),
    "an extra file": lambda f: (f / "payload/model/extra.json").write_text("{}"),
    "a link": lambda f: (f / "payload/model/extra.json").symlink_to("/etc/hostname"),
    "a link for a file": lambda f: link(f / "payload/model/tokenizer.json"),
    "an edited card": lambda f: (f / "payload/README.md").write_text("harmless"),
    "a manifest of another risk tier": lambda f: rewrite(f / "payload/manifest.json", lambda m: m.update(tier="x")),
    "no manifest": lambda f: (f / "payload/manifest.json").unlink(),
}


@pytest.mark.attack(rights="worker", stopped="the release gate's statement names the package by digest")
@pytest.mark.parametrize("attack", PACKAGE.values(), ids=PACKAGE.keys())
def test_a_package_touched_after_its_release_gate_is_not_promoted(ready: House, attack: Attack) -> None:
    attack(ready.run("run-1").artefacts("package"))
    with pytest.raises(
        Refused, match=r"not the output that gate release let pass|symbolic link|not a plain file|no manifest"
    ):
        ready.promote(ready.run("run-1"))
    assert champion.current_champion(ready.ledger, ready.governance, NAME) is None
    assert not (ready.state / "releases").exists()


@pytest.mark.attack(rights="worker", stopped="the package names every stage's output by digest")
@pytest.mark.parametrize("stage", ["split", "evaluate"])
def test_a_package_made_from_other_outputs_than_passed_is_not_promoted(house: House, stage: str) -> None:
    """The worker exchanges a stage's output while the package is made, and puts the approved one back."""
    layout = house.evaluated("run-1")
    approved = shutil.copytree(layout.artefacts(stage), house.root / "approved")
    (layout.artefacts(stage) / "poisoned.parquet").write_bytes(b"x")
    if stage == "evaluate":  # which the package's own check of its gate would notice
        house.forge(layout, "evaluation")
    house.pack(layout)
    shutil.rmtree(layout.artefacts(stage))
    shutil.copytree(approved, layout.artefacts(stage))
    house.open(layout, "release")
    if stage == "evaluate":
        house.open(layout, "evaluation")
    with pytest.raises(Refused, match=f"not made from the output of {stage}"):
        house.promote(layout)


@pytest.mark.attack(rights="worker", stopped="the release gate's statement names the package by digest")
def test_the_gate_files_of_another_run_open_nothing(ready: House) -> None:
    honest, worker = ready.run("run-1"), ready.ready("run-2", b"evil", skip=["release"])
    shutil.copyfile(honest.gate_statement_path("release"), worker.gate_statement_path("release"))
    with pytest.raises(Refused, match="not the output that gate release let pass"):
        ready.promote(worker)


@pytest.mark.attack(rights="commit", stopped="decisions bind to the policy's digest")
def test_a_run_with_another_policy_of_its_own_is_not_promoted(ready: House) -> None:
    """Gates are judged with the installed policy: a statement under one that the run brought is none."""
    layout = ready.run("run-1")
    ready.propose(lambda policy: policy.replace("at_least: 2", "at_least: 3"))
    with pytest.raises(Refused, match="another policy"):
        ready.promote(layout)


@pytest.mark.attack(rights="worker", stopped="promotion asks the ledger who the champion is")
def test_a_champion_file_says_nothing_that_promotion_believes(released: House) -> None:
    layout = released.begin("run-2", b"evil")
    write_json(layout.champion_path, None)  # a run that pretends there is nothing to compare with
    for gate in ("data", "evaluation"):
        released.open(layout, gate)
    released.package(layout)
    with pytest.raises(Refused, match="triage-1 took its place"):
        released.promote(layout)
