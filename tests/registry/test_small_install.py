"""An auditor's machine has no platform on it: `pip install hallmark` is enough to check what others made."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tasks.ledger import export as ledger_export
from tasks.ledger import proof as ledger_proof
from tests import small_install
from tests.registry.conftest import copied
from tests.registry.house import copy
from tests.registry.test_dossier import dossier as write_dossier
from tests.small_install import Installed


@pytest.fixture(scope="module")
def small() -> Iterator[Installed]:
    with small_install.installed() as found:
        yield found


class HandedOut(NamedTuple):
    """What an auditor is given. Tests read it only."""

    outside: Path
    """Folder with a release, its dossier, an export of the ledger and a proof."""
    project: Path
    """A checkout with the same in it."""
    root_of_trust: str
    key: str
    """Public key of the ledger."""


@pytest.fixture(scope="module")
def handed_out(tmp_path_factory: pytest.TempPathFactory, released_once: Path) -> HandedOut:
    house = copied(released_once, tmp_path_factory.mktemp("house") / "house")
    copy(house.bundle(), (outside := tmp_path_factory.mktemp("outside")) / "triage-1")
    write_dossier(house, outside / "dossier")
    ledger_export.export_ledger(house.ledger, house.governance, outside / "ledger.jsonl")
    (outside / "proof.json").write_text(
        ledger_proof.prove_inclusion(house.ledger, house.governance, 1).model_dump_json()
    )
    project = Path(shutil.copytree(outside, house.checkout(), dirs_exist_ok=True))
    return HandedOut(outside, project, house.root_of_trust, house.key("ledger").public_line)


def test_a_release_is_checked(handed_out: HandedOut, small: Installed) -> None:
    words = ("releases", "verify", "triage-1", "--root", handed_out.root_of_trust)
    done = small.run(*words, cwd=handed_out.outside)
    assert done.returncode == 0, done.stderr + done.stdout


def test_a_dossier_is_checked_by_one_command(handed_out: HandedOut, small: Installed) -> None:
    done = small.run("releases", "verify", "dossier", "--root", handed_out.root_of_trust, cwd=handed_out.outside)
    assert done.returncode == 0 and "valid: the dossier of triage-1, " in done.stdout, done.stderr + done.stdout


def test_an_export_of_the_ledger_and_a_proof_are_checked(handed_out: HandedOut, small: Installed) -> None:
    for command in (("verify", "--file", "ledger.jsonl"), ("verify-proof", "proof.json")):
        done = small.run("ledger", *command, "--key", handed_out.key, cwd=handed_out.outside)
        assert done.returncode == 0, done.stderr + done.stdout


@pytest.mark.parametrize("place", ["project", "outside"])
@pytest.mark.parametrize(
    ("command", "wanted"),
    [
        ("releases verify triage-1", "say --root FINGERPRINT"),
        ("ledger verify --file ledger.jsonl", "Give --key"),
        ("ledger verify-proof proof.json", "Give --key"),
    ],
)
def test_what_it_promises_asks_for_what_is_missing_and_for_no_library(
    handed_out: HandedOut, small: Installed, command: str, wanted: str, place: str
) -> None:
    """Without the key or the fingerprint that counts these cannot be answered; no installation would help."""
    done = small.run(*command.split(), cwd=getattr(handed_out, place))
    assert done.returncode == 2 and wanted in done.stderr, done.stderr
    assert "pip install" not in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["run --as ada", "gates list", "releases list"])
def test_what_takes_the_platform_says_so(small: Installed, tmp_path: Path, command: str) -> None:
    done = small.run(*command.split(), cwd=tmp_path)
    assert done.returncode == 3 and "pip install -c constraints.txt '.[platform]'" in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
