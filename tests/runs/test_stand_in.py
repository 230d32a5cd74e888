"""What stands in for a checkout has its files and models, and a state of its own."""

import os
from pathlib import Path

import pytest

from tasks.runs.stand_in import fill_stand_in

FILES = ("params.yaml", "examples/model/config.json", ".git/HEAD", ".hallmark/ledger.db", ".hallmark/models/abc",
         ".hallmark/models/def/sub/weights", ".hallmark/models/.fetch.1/half")  # fmt: skip


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A checkout."""
    folder = tmp_path / "checkout"
    for name in FILES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


@pytest.fixture
def stand_in(tmp_path: Path, own: Path) -> Path:
    """A folder that stands in for it."""
    folder = tmp_path / "stand-in"
    folder.mkdir()
    fill_stand_in(folder, own)
    return folder


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_it_links_to_the_checkout_and_has_a_state_of_its_own(stand_in: Path) -> None:
    assert (stand_in / "examples" / "model" / "config.json").read_text() == "examples/model/config.json"
    assert not (stand_in / ".git").exists()
    assert names(stand_in / ".hallmark") == {"models/abc", "models/def/sub/weights"}


def test_its_models_take_no_space(own: Path, stand_in: Path) -> None:
    assert (stand_in / ".hallmark" / "models" / "abc").samefile(own / ".hallmark" / "models" / "abc")


def test_it_is_filled_again_after_the_checkout_has_changed(own: Path, stand_in: Path) -> None:
    (own / "params.yaml").unlink()
    (own / "bases.yaml").write_text("x")
    (stand_in / ".hallmark" / "models" / "fetched-here").write_text("x")
    fill_stand_in(stand_in, own)
    assert not os.path.lexists(stand_in / "params.yaml") and (stand_in / "bases.yaml").exists()
    assert (stand_in / ".hallmark" / "models" / "fetched-here").exists()
