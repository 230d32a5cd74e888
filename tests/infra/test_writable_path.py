"""A file that a user names replaces nothing of the state, of git, or of another form."""

import re
from pathlib import Path

import pytest

from infra.cli import shared
from tasks.core.errors import InputError

CLI = Path(shared.__file__).parent
NAMED_BY_USERS = {
    "compare.py", "ledger.py", "data/quarantine.py", "data/conflicts.py", "erase/certificate.py", "labels/finish.py",
    "labels/round_context.py", "evaluate/errors.py",
}  # fmt: skip


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("dvc.yaml", "params.yaml", ".hallmark/ledger.db", ".hallmark/keys/gate", ".git/config"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        (tmp_path / name).write_text("kept")
    (tmp_path / "link").symlink_to(".hallmark/ledger.db")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", [".hallmark/ledger.db", ".hallmark/keys/gate", ".hallmark/new", ".git/config", "link"])
def test_a_file_of_the_state_or_of_git_is_not_written(root: Path, name: str) -> None:
    with pytest.raises(InputError, match="which is not written by hand"), shared.writable_path(Path(name), None):
        pass


def test_a_file_of_another_form_is_not_replaced(root: Path) -> None:
    with pytest.raises(InputError, match="another kind of file"), shared.writable_path(Path("params.yaml"), b"{"):
        pass
    for text in ("", '\n{"type": 1}'):
        (root / "export").write_text(text)
        with shared.writable_path(Path("export"), b"{") as target:
            assert target == root / "export"


def test_every_caller_that_writes_what_a_user_names_stays_out_of_the_state() -> None:
    calls = {
        path.relative_to(CLI).as_posix(): re.findall(r"shared\.writable_path\((.*)\)", path.read_text())
        for path in CLI.rglob("*.py")
    }
    within = {name for name, every in calls.items() if any("in_state=True" in call for call in every)}
    assert within == {"identity.py"}, "which never replaces a file"
    new_files = within | {"environment_setup/root_key.py"}
    assert {name for name, every in calls.items() if any(", None," in f"{call}," for call in every)} == new_files
    assert {name for name, every in calls.items() if every} == NAMED_BY_USERS | new_files
    assert "require_outside_state(to)" in (CLI / "audit.py").read_text()
