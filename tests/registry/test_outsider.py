"""An outsider has a release's folder and a fingerprint: no project, no ledger, no network, nobody to ask."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.registry.release import bundle
from tasks.registry.verify import attestation_checks, verification
from tests.in_process import hallmark, hallmark_json
from tests.loaded_modules import HEAVY, loaded
from tests.registry.house import House, copy

ROOT = Path(__file__).parents[2]
STRANGER = "SHA256:" + "A" * 43
NO_NETWORK = ["unshare", "--user", "--map-root-user", "--net"]


@pytest.fixture
def root(released: House) -> str:
    return released.root_of_trust


@pytest.fixture
def folder(released: House, root: str, tmp_path: Path) -> Iterator[Path]:
    """The bundle alone in an otherwise empty place; what made it is gone."""
    found = copy(released.bundle(), tmp_path / "outside" / "triage-1")
    shutil.rmtree(released.root)
    yield found
    assert {path.name for path in found.parent.iterdir()} == {"triage-1"}, "verification left something behind"


def verify_alone(folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """Run `hallmark releases verify` as on a machine that has nothing but Hallmark installed."""
    can = shutil.which("unshare") and subprocess.run([*NO_NETWORK, "true"]).returncode == 0
    return subprocess.run(
        [*(NO_NETWORK if can else []), sys.executable, "-m", "infra.cli", "releases", "verify", folder.name, *more],
        cwd=folder.parent,
        env={"HOME": str(folder.parent), "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )


def verify(folder: Path, *more: str, code: int) -> str:
    """Return what `hallmark releases verify` says before it ends with `code`."""
    return hallmark(folder.parent, "releases", "verify", folder.name, *more, code=code)


def test_the_folder_and_the_root_are_enough(folder: Path, root: str) -> None:
    done = verify_alone(folder, "--root", root)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    for expected in (
        "root of trust      ok",
        "policy and people  ok  policy and people are those of adoption 1",
        "gate data          ok  gate data passed on this very output",
        "gate release was approved by risk-officer as risk",
        "provenance         ok  SLSA provenance: made by run run-1",
        "model signature    ok  OpenSSF Model Signing over the 15 files",
        "ledger             ok  entry ",
        "not checked, since no folder can show it:",
        "valid: triage-1, digest ",
    ):
        assert expected in done.stdout, done.stdout
    told = hallmark_json(folder.parent, "releases", "verify", folder.name, "--root", root)
    assert (told["verdict"], told["ok"], told["release"], told["root"]) == ("valid", True, "triage-1", root)
    assert {check["state"] for check in told["checks"]} == {"ok"} and told["unchecked"]


def test_a_release_without_its_proof_is_incomplete_and_no_other_file_may_miss(folder: Path, root: str) -> None:
    (folder / bundle.LEDGER_PROOF).unlink()
    told = verify(folder, "--root", root, code=3)
    assert "ledger             --  the release lacks attestations/ledger.json" in told
    assert "INCOMPLETE: nothing is wrong with triage-1, but" in told
    for name in bundle.list_digests(folder):
        kept = (folder / name).rename(folder.parent / "kept")
        assert verification.verify_from_root(folder, root).verdict == "invalid", name
        kept.rename(folder / name)


def test_another_root_is_invalid_and_says_so(folder: Path) -> None:
    told = verify(folder, "--root", STRANGER, code=1)
    assert STRANGER in told and "NOT valid" in told


def test_what_is_wrong_ends_with_another_code_than_what_is_no_release(folder: Path, root: str) -> None:
    (folder / "payload" / "README.md").write_text("better than it was")
    assert "NO  changed: payload/README.md" in verify(folder, "--root", root, code=1)
    verify(folder.parent / "nowhere", "--root", root, code=2)
    wrong = verify_alone(folder, "--root", "my root")
    assert wrong.returncode == 2 and "expected a fingerprint" in wrong.stderr and "Traceback" not in wrong.stderr
    assert "--root FINGERPRINT" in verify(folder, code=2)


def test_verifying_needs_no_library_that_opens_models_or_databases(folder: Path, root: str) -> None:
    assert not loaded("releases", "verify", str(folder), "--root", root) & (HEAVY | {"sqlalchemy"})


def test_a_file_that_changes_while_it_is_verified_is_noticed(
    folder: Path, root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks = attestation_checks.verify_attestations

    def meanwhile(*given: object) -> Iterator[object]:
        (folder / "payload" / "model" / "adapter_model.safetensors").write_bytes(b"evil")
        yield from checks(*given)

    monkeypatch.setattr(attestation_checks, "verify_attestations", meanwhile)
    checked = verification.verify_from_root(folder, root)
    assert checked.verdict == "invalid" and "changed while it was verified" in checked.against


def test_files_that_nothing_lists_are_refused_before_gigabytes_are_hashed(folder: Path, root: str) -> None:
    for number in range(3):
        with (folder / "payload" / f"huge-{number}.safetensors").open("wb") as file:
            os.truncate(file.fileno(), 2**40)
    checked = verification.verify_from_root(folder, root)
    assert "not listed by the promotion statement: payload/huge-0" in checked.against


def test_an_adoption_of_gigabytes_or_a_pipe_is_not_read(folder: Path, root: str) -> None:
    genesis = folder / bundle.GOVERNANCE_ADOPTIONS / "0001.json"
    os.truncate(genesis, 2**40)
    assert "1,099,511,627,776 bytes" in verification.verify_from_root(folder, root).against
    genesis.unlink()
    os.mkfifo(genesis)
    assert "not a plain file" in verification.verify_from_root(folder, root).against
