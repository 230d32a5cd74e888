"""The dossier of a release: what it tells, that each claim rests on a file that is there, and that the page is safe."""

import hashlib
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from tasks.audit import archive, controls, gaps, release_facts
from tasks.audit.artifacts import ArtifactCollection
from tasks.audit.dossier import ClaimKind, Dossier
from tasks.consent import withdrawals
from tasks.core.errors import InputError
from tasks.core.files import read_json
from tasks.registry.promote import releases
from tests.registry.house import COMMIT, House, writable
from tests.registry.test_consent import declare
from tests.stages.evaluate.browser import Page

FRAMEWORKS = ["NIST AI RMF", "ISO/IEC 42001", "ISO/IEC 27001", "EU AI Act", "SOC 2", "HIPAA", "GDPR", "COBIT"]


def no_proof(seq: int) -> bytes:
    raise InputError("no head was signed")


def audited(house: House, target: Path, label: str = "triage-1", **how: bool) -> Dossier:
    release = releases.get_release(house.ledger, house.governance, label)
    told, _ = archive.write_dossier(
        release_facts.gather_facts(release, house.ledger, house.governance), no_proof, target, **how
    )
    return told


def said(told: Dossier) -> str:
    return "\n".join(claim.text for chapter in told.chapters for claim in chapter.claims)


def test_it_tells_the_story_in_order(succeeded: House, tmp_path: Path) -> None:
    succeeded.roll_back()
    told = audited(succeeded, tmp_path / "dossier")
    assert [chapter.id for chapter in told.chapters] == [
        "asked", "data", "checked", "trained", "figures", "decided", "promoted", "since", "looked",
    ]  # fmt: skip
    text = said(told)
    assert f"engineer (Engineer) asked for run run-1, under a signature over commit {COMMIT[:12]}" in text
    assert "The data gate was approved by owner as data-owner." in text
    assert "Nobody who asked for the run decided on it." in text
    assert (
        "triage-2 took its place" in text and "risk-officer as risk brought it back" in text and "wrong queue" in text
    )
    assert told.standing.startswith("champion as of")
    assert [moment.text for moment in told.timeline][:3] == [
        "engineer asks for run run-1", "data gate asked", "owner approved at the data gate",
    ]  # fmt: skip
    assert [moment.text for moment in told.timeline][
        -1
    ] == "triage-1 in production, brought back by risk-officer as risk"
    assert audited(succeeded, tmp_path / "other", "triage-2").standing.startswith("out of production since")


def test_every_claim_rests_on_a_file_of_the_archive(released: House, tmp_path: Path) -> None:
    told = audited(released, tmp_path / "dossier")
    for chapter in told.chapters:
        for claim in chapter.claims:
            assert claim.artifacts or claim.kind == "looks", claim.text
            for artifact in claim.artifacts:
                data = (tmp_path / "dossier" / artifact.path).read_bytes()
                assert hashlib.sha256(data).hexdigest() == artifact.sha256, artifact.path


def test_the_archive_lists_every_file_and_holds_the_folder(released: House, tmp_path: Path) -> None:
    audited(released, tmp_path / "dossier")
    folder = tmp_path / "dossier"
    lines = (folder / archive.SUMS_FILE).read_text().splitlines()
    listed = {name: sha256 for sha256, name in (line.split("  ") for line in lines)}
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert set(listed) == there - {archive.SUMS_FILE}
    assert all(hashlib.sha256((folder / name).read_bytes()).hexdigest() == sha256 for name, sha256 in listed.items())
    with zipfile.ZipFile(tmp_path / "dossier.zip") as zipped:
        assert {name.removeprefix("dossier/") for name in zipped.namelist()} == there
    assert releases.verify_release(folder / "release", released.governance).verdict != "invalid"
    assert read_json(folder / archive.DOCUMENT_FILE)["release"] == "triage-1"


def test_the_page_loads_nothing_and_every_link_leads_somewhere(succeeded: House, tmp_path: Path) -> None:
    succeeded.roll_back("<script>alert(1)</script>")
    audited(succeeded, tmp_path / "dossier")
    page = Page((tmp_path / "dossier" / archive.PAGE_FILE).read_text())
    assert not page.open and "script" not in page.tags and "img" not in page.tags
    assert "<script>alert(1)</script>" in page.text
    assert len(page.ids) == len(set(page.ids))
    links = [value for name, value in page.attributes if name in ("href", "src")]
    for link in links:
        assert link[1:] in page.ids if link.startswith("#") else (tmp_path / "dossier" / link).is_file(), link
    assert any(link.startswith("#claim-") for link in links)


def test_an_approval_of_before_that_has_no_reason_is_told(released: House) -> None:
    """Nobody signs one now; those that were signed count."""
    release = releases.get_release(released.ledger, released.governance, "triage-1")
    known = release_facts.gather_facts(release, released.ledger, released.governance)
    (one,) = known.decisions["data"]
    mute = replace(one, signed=replace(one.signed, decision=one.decision.model_copy(update={"reason": ""})))
    told = gaps.evidence_gaps(
        replace(known, decisions={"data": [mute]}), ArtifactCollection(released.bundle(), no_proof), []
    )
    assert "Approved without a reason: owner at the data gate." in list(told)


def test_what_is_missing_is_said(released: House, tmp_path: Path) -> None:
    told = "\n".join(audited(released, tmp_path / "dossier").missing)
    assert "Approved without a reason" not in told
    assert "Not evaluated: " in told and "toxicity" in told
    assert "There are" not in told and "judged in production" in told and "adopted" in told
    assert "without a proof" in told and "no head was signed" in told
    assert "was not built again" in told
    assert "EU AI Act Art. 20" in told, "nothing was taken back, so no evidence on corrective actions"


def test_a_dossier_begins_with_demo_identities_where_they_decided(house: House, tmp_path: Path) -> None:
    told = audited(house, tmp_path / "dossier", house.release("run-1", demo=True).label)
    assert any("Demo identities decided" in text for text in told.missing)


def test_a_release_that_was_changed_is_not_called_verified(released: House, tmp_path: Path) -> None:
    card = writable(released.bundle()) / "payload" / "README.md"
    card.write_text(card.read_text() + "better than it is\n")
    told = audited(released, tmp_path / "dossier")
    assert told.verdict == "invalid"
    assert told.missing[0].startswith("The release does NOT verify: changed")
    assert "not verified" in Page((tmp_path / "dossier" / archive.PAGE_FILE).read_text()).text


def test_a_source_taken_back_since_is_told_with_its_entry(released: House, tmp_path: Path) -> None:
    declare(released)
    withdrawals.withdraw_source(released.ledger, released.governance, "tickets", "owner", "no longer ours to give")
    told = audited(released, tmp_path / "dossier")
    (claim,) = [claim for claim in told.chapters[-2].claims if "no longer ours to give" in claim.text]
    assert claim.artifacts[0].path.startswith("ledger/")


def test_weights_may_be_left_out_and_that_is_said(released: House, tmp_path: Path) -> None:
    told = audited(released, tmp_path / "dossier", include_weights=False)
    assert not list((tmp_path / "dossier").rglob("*.safetensors"))
    assert (
        "weights (7 bytes) were left out" in told.missing[-1] and "adapter_model.safetensors (SHA" in told.missing[-1]
    )


def test_a_folder_that_is_no_dossier_is_left_alone(released: House, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep")
    with pytest.raises(InputError, match="is there and is no dossier"):
        audited(released, tmp_path / "mine")
    assert (tmp_path / "mine" / "notes.txt").read_text() == "keep"
    audited(released, tmp_path / "again")
    audited(released, tmp_path / "again")
    (tmp_path / "again" / "notes.md").write_text("an auditor's own")
    with pytest.raises(InputError, match=r"notes\.md is not of this dossier"):
        audited(released, tmp_path / "again")
    assert (tmp_path / "again" / "notes.md").exists()
    (tmp_path / "other.zip").write_text("somebody's")
    with pytest.raises(InputError, match=r"other\.zip is there"):
        audited(released, tmp_path / "other")
    assert (tmp_path / "other.zip").read_text() == "somebody's" and not (tmp_path / "other").exists()


def test_controls_are_those_of_the_eight_frameworks_and_every_kind_of_claim_serves_one() -> None:
    listed = controls.load_controls()
    for name in FRAMEWORKS:
        assert any(one.name.startswith(name) for one in listed), name
    used = {kind for one in listed for control in one.controls for kind in control.evidence}
    assert used == set(get_args(ClaimKind)) - {"demonstration"}, "what demo identities did is evidence for nothing"
    for one in listed:
        ids = [control.id for control in one.controls]
        assert len(ids) == len(set(ids))


def test_it_never_says_that_anything_complies(released: House, tmp_path: Path) -> None:
    audited(released, tmp_path / "dossier")
    text = Page((tmp_path / "dossier" / archive.PAGE_FILE).read_text()).text.lower()
    assert "complies" not in text and "compliant" not in text and "evidence for" in text
