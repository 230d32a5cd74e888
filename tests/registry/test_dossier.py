"""A dossier is signed, and one command checks all of it; what demo identities did is nowhere people's oversight."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import typer

from infra.cli.releases.verify import verify
from tasks.audit import archive, dossier_signature, dossier_verification, release_facts
from tasks.audit.dossier import Dossier
from tasks.audit.dossier_signature import SIGNATURE_FILE, DossierSignature
from tasks.core.files import tree_manifest
from tasks.core.json_text import canonical_json
from tasks.ledger.heads import publication
from tasks.ledger.proof import Prover
from tasks.registry.promote import releases
from tasks.registry.release.report import Verification
from tasks.registry.verify import verification
from tests.recorded import record as stage_recorded
from tests.registry import house as house_module
from tests.registry.conftest import copied
from tests.registry.house import House, record_looks, writable
from tests.registry.test_recorded import rekeyed
from tests.stages.evaluate.browser import Page

OVERSIGHT = ("MAP 3.5", "MANAGE 1.1", "GOVERN 2.1", "5.3", "CC1.3", "DSS06")
"""Controls about people who oversee and decide."""


class Made(NamedTuple):
    """A dossier that tests copy before they change it."""

    house: House
    folder: Path
    told: Dossier


def dossier(house: House, target: Path, label: str = "triage-1", signed: bool = True, **how: bool) -> Dossier:
    """As `hallmark audit` writes it."""
    publication.publish(house.ledger, house.governance)
    prover = Prover(house.ledger, house.governance)
    gathered = release_facts.gather_facts(
        releases.get_release(house.ledger, house.governance, label), house.ledger, house.governance
    )
    signer = house.key("ledger") if signed else None
    told, _ = archive.write_dossier(
        gathered,
        lambda seq: canonical_json(prover.prove_inclusion(seq).model_dump(mode="json")),
        target,
        signer=signer,
        **how,
    )
    return told


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, released_once: Path) -> Iterator[Made]:
    """Of a release that people let through, of whose data somebody looked at something, in three ways."""
    house = copied(released_once, tmp_path_factory.mktemp("house") / "house")
    record_looks(house.ledger)
    house.adopt(lambda text: text.replace("at_least: 0.7", "at_least: 0.6"))
    yield Made(house, folder := tmp_path_factory.mktemp("outside") / "dossier", dossier(house, folder))
    house.ledger.close()


@pytest.fixture
def copy(made: Made, tmp_path: Path) -> Path:
    return writable(Path(shutil.copytree(made.folder, tmp_path / "copy")))


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory, founded_once: Path) -> Iterator[Made]:
    house = copied(founded_once, tmp_path_factory.mktemp("house") / "house")
    house.release("run-1", demo=True)
    yield Made(house, folder := tmp_path_factory.mktemp("outside") / "dossier", dossier(house, folder))
    house.ledger.close()


def outside(made: Made, folder: Path) -> Verification:
    return dossier_verification.verify_dossier_from_root(folder, made.house.root_of_trust)


def signed_anew(made: Made, folder: Path, by: str = "ledger", **other: Any) -> None:
    """Sign what lies there with the key of a machine or person; `other`: what the signature says otherwise."""
    said = json.loads((made.folder / SIGNATURE_FILE).read_bytes())
    before = dossier_signature.SIGNATURE_KIND.unverified_document(said).model_dump() | other
    (folder / SIGNATURE_FILE).unlink()
    envelope = dossier_signature.sign_dossier(DossierSignature(**before), tree_manifest(folder), made.house.key(by))
    (folder / SIGNATURE_FILE).write_bytes(canonical_json(envelope))


def test_one_command_checks_all_of_it(made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as ended:
        verify(made.folder, made.house.root_of_trust)
    told = capsys.readouterr().out
    assert ended.value.exit_code == 0, told
    entries = [path for path in (made.folder / "ledger").glob("*.json") if "proof" not in path.name]
    for expected in (
        f"is signed by the ledger's key {made.told.signed_by}", "files are those that were signed, no other is there",
        f"{len(entries)} of {len(entries)} are what their proofs lead to", "claims rests on files that are here",
        "gate data was approved by owner as data-owner", "its story is about this release",
    ):  # fmt: skip
        assert expected in told, expected
    assert told.strip().splitlines()[-1].startswith("valid: the dossier of triage-1, digest ")
    assert dossier_verification.verify_dossier(made.folder, made.house.governance).verdict == "valid"


def a_byte(name: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = sorted(folder.glob(name))[0]
        data = path.read_bytes()
        path.write_bytes(data[:-2] + bytes([data[-2] ^ 1]) + data[-1:])

    return change


def added(folder: Path) -> None:
    (folder / "ledger" / "999999.json").write_text("{}")


def removed(folder: Path) -> None:
    (folder / "index.html").unlink()


CHANGED = {
    **{name: a_byte(name) for name in (
        "index.html", "dossier.json", "SHA256SUMS", SIGNATURE_FILE, "governance/0001.json", "ledger/??????.json",
        "ledger/*.proof.json", "release/payload/README.md", "release/attestations/ledger.json",
    )},
    "a file more": added, "a file less": removed,
}  # fmt: skip


@pytest.mark.attack(rights="disk", stopped="a dossier lists every file by digest under the ledger's key")
@pytest.mark.parametrize("change", CHANGED.values(), ids=CHANGED.keys())
def test_nothing_in_it_can_be_changed(made: Made, copy: Path, change: Callable[[Path], None]) -> None:
    change(copy)
    assert outside(made, copy).verdict == "invalid"


@pytest.mark.attack(rights="disk", stopped="the ledger's key alone signs a dossier")
@pytest.mark.parametrize("by", ["gate", "worker", "risk-officer"])
def test_no_other_key_signs_one(made: Made, copy: Path, by: str) -> None:
    signed_anew(made, copy, by)
    assert f"expected {made.told.signed_by} alone" in outside(made, copy).against


def test_an_entry_is_held_against_its_own_proof(made: Made, copy: Path) -> None:
    """Even of a dossier that is signed anew."""
    path = sorted((copy / "ledger").glob("??????.json"))[0]
    path.write_bytes(canonical_json(json.loads(path.read_bytes()) | {"subject": "another"}))
    story = json.loads((copy / "dossier.json").read_bytes())
    digests = tree_manifest(copy)
    for claim in (claim for chapter in story["chapters"] for claim in chapter["claims"]):
        for artifact in claim["artifacts"]:
            artifact["sha256"] = digests[artifact["path"]]
    (copy / "dossier.json").write_bytes(canonical_json(story))
    signed_anew(made, copy)
    assert f"ledger/{path.name} is not the entry that its proof is about" in outside(made, copy).against


def test_a_claim_that_rests_on_nothing_here_is_found(made: Made, copy: Path) -> None:
    story = json.loads((copy / "dossier.json").read_bytes())
    story["chapters"][0]["claims"][0]["artifacts"][0]["sha256"] = "0" * 64
    (copy / "dossier.json").write_bytes(canonical_json(story))
    signed_anew(made, copy)
    assert "claim 1.1 of dossier.json rests on a file that is not here" in outside(made, copy).against


def test_it_is_signed_for_the_release_in_it(made: Made, copy: Path) -> None:
    signed_anew(made, copy, release_sha256="0" * 64)
    assert "is about another release than the signature" in outside(made, copy).against


def test_without_a_signature_it_is_incomplete_and_says_so(made: Made, copy: Path, tmp_path: Path) -> None:
    (copy / SIGNATURE_FILE).unlink()
    found = outside(made, copy)
    assert found.verdict == "incomplete" and "nobody signed this dossier" in found.conclusion()
    told = dossier(made.house, tmp_path / "unsigned", signed=False)
    assert any("Nobody signed this dossier" in text for text in told.missing)
    assert "by nobody" in Page((tmp_path / "unsigned" / archive.PAGE_FILE).read_text()).text


def test_entries_without_a_proof_leave_it_incomplete(made: Made, copy: Path) -> None:
    proof = sorted((copy / "ledger").glob("*.proof.json"))[0]
    story = (copy / "dossier.json").read_text().replace(f'"ledger/{proof.name}"', "null")
    (copy / "dossier.json").write_text(story)
    proof.unlink()
    signed_anew(made, copy)
    found = outside(made, copy)
    assert found.verdict == "incomplete" and f"covers entries {int(proof.name[:6])}" in found.conclusion()


def test_a_key_that_was_revoked_signs_for_nothing(released: House, tmp_path: Path) -> None:
    """Whoever has it could date a dossier back."""
    dossier(released, tmp_path / "before")
    rekeyed(released, "revoked_as_of: 2100-01-01, reason: stolen")
    found = dossier_verification.verify_dossier(tmp_path / "before", released.governance)
    assert found.verdict == "invalid" and "is revoked as of 2100-01-01" in found.against


def controls(told: Dossier) -> dict[str, list[str]]:
    return {control.id: control.claims for each in told.frameworks for control in each.controls}


def test_what_demo_identities_did_is_no_oversight_of_people(made: Made, demo: Made) -> None:
    assert all(controls(made.told)[name] for name in OVERSIGHT)
    found = controls(demo.told)
    assert [name for name in OVERSIGHT if found[name]] == []
    claims = [claim for chapter in demo.told.chapters for claim in chapter.claims]
    assert not any(claim.kind in ("decision", "separation", "waiver") for claim in claims)
    assert sum("no person looked at it" in claim.text for claim in claims) == 3
    assert all(demo.told.missing.index(text) < 2 for text in demo.told.missing if "Demo identities decided" in text)
    assert any("NIST AI RMF 1.0 MAP 3.5, NIST AI RMF 1.0 MANAGE 1.1" in text for text in demo.told.missing)


def test_every_head_and_last_line_says_demo(made: Made, demo: Made, capsys: pytest.CaptureFixture[str]) -> None:
    for folder in (demo.house.bundle(), demo.folder):
        with pytest.raises(typer.Exit) as ended:
            verify(folder, demo.house.root_of_trust)
        assert ended.value.exit_code == 0
        last = capsys.readouterr().out.strip().splitlines()[-1]
        assert last.startswith("valid (demonstration only, no person decided): ")
    seal = Page((demo.folder / archive.PAGE_FILE).read_text())
    assert ("class", "seal valid demo") in seal.attributes
    assert "demonstration only: verified, and no person decided" in seal.text and "✓" not in seal.text
    real = Page((made.folder / archive.PAGE_FILE).read_text())
    assert ("class", "seal valid") in real.attributes and "✓ verified" in real.text
    assert not verification.verify_from_root(made.house.bundle(), made.house.root_of_trust).demo


def test_what_is_missing_is_listed_whole(made: Made) -> None:
    told = "\n".join(made.told.missing)
    assert "signed off by nobody" in told
    assert "An editable install judged it" in told, "tests run from a checkout"
    assert "There was no champion to compare it with" in told
    assert "without a sandbox" not in told, "its records name one"


def test_stages_without_a_sandbox_are_told(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(house_module, "record", partial(stage_recorded, sandbox=None))
    house.release("run-1")
    told = "\n".join(dossier(house, tmp_path / "dossier").missing)
    assert "Computed without a sandbox" in told and "train" in told.partition("Computed without")[2]
    house.release("run-2", b"second")
    later = "\n".join(dossier(house, tmp_path / "later", "triage-2").missing)
    assert "no champion to compare it with" not in later


def test_the_policy_is_the_one_in_force_and_later_ones_stand_apart(made: Made) -> None:
    chapter = next(chapter for chapter in made.told.chapters if chapter.id == "decided")
    (policy,) = [claim for claim in chapter.claims if claim.kind == "policy"]
    adopted = made.house.ledger.entries("governance.adopted")
    at_promotion = [entry for entry in adopted if entry.time < made.house.ledger.entries("promotion.made")[0].time]
    assert [one.path for one in policy.artifacts[1:]] == [f"ledger/{at_promotion[-1].seq:06}.json"]
    assert "in force at the promotion" in policy.text
    (later,) = [claim for claim in chapter.claims if claim.text.startswith("Adopted after the promotion")]
    assert [one.path for one in later.artifacts] == [f"ledger/{entry.seq:06}.json" for entry in adopted[1:]]
    assert len(adopted) == len(at_promotion) + 1


def test_who_looked_at_personal_data_is_in_it(made: Made) -> None:
    chapter = made.told.chapters[-1]
    (table,) = chapter.tables
    assert [(row[0], row[1], row[3], row[4]) for row in table.rows] == [
        ("risk-officer", "where a person is", "–", "she wants to know"),
        ("owner", "a record, with what its tokens stand for", "–", "a customer asked"),
        ("owner", "a row, as its source has it", "tickets", "whose is it"),
    ]
    (claim,) = chapter.claims
    assert len(claim.artifacts) == 3 and all(one.proof for one in claim.artifacts)


@pytest.mark.attack(rights="worker", stopped="a dossier copies files alone, and names what it leaves out")
@pytest.mark.parametrize("weights", [True, False])
def test_a_link_in_a_release_takes_no_key_into_the_dossier(released_once: Path, tmp_path: Path, weights: bool) -> None:
    house = copied(released_once, tmp_path / "house")
    payload = house.state / "releases" / "triage-1" / "payload"
    payload.chmod(0o755)
    (payload / "notes.txt").symlink_to("../../../keys/gate")
    (payload / "more").symlink_to("../../../keys")
    os.mkfifo(payload / "pipe")
    told = dossier(house, tmp_path / "dossier", include_weights=weights)
    for name in ("notes.txt", "more", "pipe"):
        assert any(f"payload/{name}'" in text for text in told.missing)
        assert not (tmp_path / "dossier" / "release" / "payload" / name).exists()
    key = (house.state / "keys" / "gate").read_bytes()
    assert not [path for path in (tmp_path / "dossier").rglob("*") if path.is_file() and key in path.read_bytes()]
