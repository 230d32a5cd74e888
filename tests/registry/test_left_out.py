"""A dossier without weights is incomplete: all the rest is checked, and nothing invalid hides behind what is gone."""

from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from infra.cli.releases.verify import verify
from tasks.audit import archive, release_facts
from tasks.core import files
from tasks.core.errors import Refused
from tasks.registry.admit import admission
from tasks.registry.promote import releases
from tasks.registry.release import bundle
from tasks.registry.verify import omitted_weights, verification
from tests.registry.house import NAME, House, copy, writable
from tests.registry.test_audit import no_proof

WEIGHTS = f"{bundle.PAYLOAD}/model/adapter_model.safetensors"


@pytest.fixture
def folder(released: House, tmp_path: Path) -> Path:
    """The release as `hallmark audit --no-weights` hands it on."""
    release = releases.get_release(released.ledger, released.governance, "triage-1")
    told = release_facts.gather_facts(release, released.ledger, released.governance)
    archive.write_dossier(told, no_proof, tmp_path / "dossier", include_weights=False)
    return tmp_path / "dossier" / "release"


def test_it_is_incomplete_and_names_what_is_gone(
    released: House, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit) as ended:
        verify(folder, released.root_of_trust)
    assert ended.value.exit_code == 3
    told = capsys.readouterr().out
    digest = files.sha256_file(released.bundle() / WEIGHTS)
    assert f"not here, left out on purpose: {WEIGHTS} (SHA-256 {digest})" in told
    assert "OpenSSF Model Signing over" in told and "INCOMPLETE" in told
    assert releases.verify_release(folder, released.governance).verdict == "incomplete"


def test_with_the_weights_put_back_it_is_valid(released: House, folder: Path) -> None:
    (folder / WEIGHTS).write_bytes((released.bundle() / WEIGHTS).read_bytes())
    (folder / bundle.OMITTED_WEIGHTS).unlink()
    assert verification.verify_from_root(folder, released.root_of_trust).verdict == "valid"


def test_any_other_byte_that_is_changed_is_invalid(released: House, folder: Path) -> None:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != "ledger.json":
            before = path.read_bytes()
            path.write_bytes(bytes([before[0] ^ 1]) + before[1:])
            assert verification.verify_from_root(folder, released.root_of_trust).verdict == "invalid", path
            path.write_bytes(before)


def marked(*names: str) -> Callable[[Path], None]:
    """Takes files away and says that they were left out."""

    def change(folder: Path) -> None:
        listing = bundle.list_digests(folder)
        for name in names:
            (folder / name).unlink()
        omitted_weights.write_omitted_weights(folder, {name: listing[name] for name in names})

    return change


def changed_and_marked(folder: Path) -> None:
    """Other weights in their place, under a mark that they are not there."""
    marked(WEIGHTS)(folder)
    (folder / WEIGHTS).write_bytes(b"another")


def another_digest(folder: Path) -> None:
    (folder / WEIGHTS).unlink()
    omitted_weights.write_omitted_weights(folder, {WEIGHTS: "0" * 64})


ATTACKS: dict[str, Callable[[Path], None]] = {
    "taken away without a word": lambda folder: (folder / WEIGHTS).unlink(),
    "other weights": lambda folder: (folder / WEIGHTS).write_bytes(b"another"),
    "other weights, said to be left out": changed_and_marked,
    "another digest": another_digest,
    "parameters": marked(f"{bundle.PAYLOAD}/params.yaml"),
    "evidence": marked(f"{bundle.ATTESTATIONS}/evidence/evaluation.json"),
    "weights and the tokenizer": marked(WEIGHTS, f"{bundle.PAYLOAD}/model/tokenizer.json"),
    "nothing": lambda folder: omitted_weights.write_omitted_weights(folder, {}),
    "no list": lambda folder: files.write_bytes(folder / bundle.OMITTED_WEIGHTS, b'{"files":[]}'),
    "a list of lists": lambda folder: files.write_bytes(folder / bundle.OMITTED_WEIGHTS, b"[" * 100_000),
    "a name from outside": lambda folder: omitted_weights.write_omitted_weights(folder, {"../../etc/passwd": "0" * 64}),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_nothing_invalid_is_called_incomplete(released: House, tmp_path: Path, attack: str) -> None:
    folder = copy(released.bundle(), tmp_path / "copied")
    ATTACKS[attack](folder)
    found = verification.verify_from_root(folder, released.root_of_trust)
    assert found.verdict == "invalid", found.checks


def test_nothing_is_served_without_its_weights(released: House) -> None:
    folder = copy(released.bundle(), released.root / "copied")
    marked(WEIGHTS)(folder)
    with pytest.raises(Refused, match=f"missing: {WEIGHTS}"):
        verification.require_valid_release(folder, released.governance)
    marked(WEIGHTS)(writable(released.bundle()))
    with pytest.raises(Refused, match="missing"):
        admission.admit_in_checkout(released.checkout(), NAME, server="here")
