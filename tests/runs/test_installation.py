"""A checkout is known by an id; a copy of it is another one."""

import shutil
from pathlib import Path

import pytest

from tasks.core.errors import InputError
from tasks.runs import installation


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "checkout" / ".hallmark").mkdir(parents=True)
    return tmp_path / "checkout"


def test_a_checkout_keeps_its_id_also_where_it_is_moved(checkout: Path) -> None:
    first = installation.installation_id(checkout)
    assert installation.installation_id(checkout) == first
    assert installation.installation_id(checkout.rename(checkout.with_name("moved"))) == first


def test_a_copy_has_an_id_of_its_own(checkout: Path) -> None:
    first, copy = installation.installation_id(checkout), checkout.with_name("copy")
    shutil.copytree(checkout, copy)
    assert installation.installation_id(copy) != first == installation.installation_id(checkout)


def test_a_copy_under_the_same_path_of_another_machine_has_one_too(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = installation.installation_id(checkout)
    (tmp_path / "machine-id").write_text("another\n")
    monkeypatch.setattr(installation, "MACHINE_ID_FILE", tmp_path / "machine-id")
    assert installation.installation_id(checkout) != first


@pytest.mark.parametrize("damaged", ["", "{}", "[1]", '{"id": 1}'])
def test_a_damaged_file_is_told(checkout: Path, damaged: str) -> None:
    (checkout / ".hallmark" / "installation.json").write_text(damaged)
    with pytest.raises(InputError, match=r"installation\.json: cannot be read .* delete it"):
        installation.installation_id(checkout)
