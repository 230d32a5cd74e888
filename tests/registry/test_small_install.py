"""An auditor's machine has no platform on it: `pip install hallmark` is enough to check what others made."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.ledger import export as ledger_export
from tasks.ledger import proof as ledger_proof
from tasks.ledger.heads import publish
from tests import small_install
from tests.registry.house import House, copy
from tests.small_install import Installed


@pytest.fixture(scope="module")
def small() -> Iterator[Installed]:
    with small_install.installed() as found:
        yield found


def test_a_release_is_checked(released: House, small: Installed, tmp_path: Path) -> None:
    folder = copy(released.bundle(), tmp_path / "outside" / "triage-1")
    done = small.run("releases", "verify", folder.name, "--root", released.root_of_trust, cwd=folder.parent)
    assert done.returncode == 0, done.stderr + done.stdout


def handed_out(house: House, where: Path) -> None:
    """An export of the ledger and a proof, as files."""
    publish.publish(house.ledger, house.governance)
    ledger_export.export(house.ledger, house.governance, where / "ledger.jsonl")
    (where / "proof.json").write_text(ledger_proof.prove(house.ledger, house.governance, 1).model_dump_json())


def test_an_export_of_the_ledger_and_a_proof_are_checked(released: House, small: Installed, tmp_path: Path) -> None:
    (where := tmp_path / "outside").mkdir()
    handed_out(released, where)
    for command in (("verify", "--file", "ledger.jsonl"), ("check", "proof.json")):
        done = small.run("ledger", *command, "--key", released.key("ledger").public_line, cwd=where)
        assert done.returncode == 0, done.stderr + done.stdout


@pytest.mark.parametrize("place", ["in a project", "elsewhere"])
@pytest.mark.parametrize(
    ("command", "wanted"),
    [
        ("releases verify triage-1", "say --root FINGERPRINT"),
        ("ledger verify --file ledger.jsonl", "Give --key"),
        ("ledger check proof.json", "Give --key"),
    ],
)
def test_what_it_promises_asks_for_what_is_missing_and_for_no_library(
    released: House, small: Installed, tmp_path: Path, command: str, wanted: str, place: str
) -> None:
    """Without the key or the fingerprint that counts these cannot be answered; no installation would help."""
    where = released.checkout() if place == "in a project" else tmp_path / "outside"
    copy(released.bundle(), where / "triage-1")
    handed_out(released, where)
    done = small.run(*command.split(), cwd=where)
    assert done.returncode == 2 and wanted in done.stderr, done.stderr
    assert "pip install" not in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["run --as ada", "gates list", "releases list"])
def test_what_takes_the_platform_says_so(small: Installed, tmp_path: Path, command: str) -> None:
    done = small.run(*command.split(), cwd=tmp_path)
    assert done.returncode == 3 and "pip install -c constraints.txt '.[platform]'" in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
