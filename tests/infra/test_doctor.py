"""`hallmark doctor` finds what is wrong with a checkout, says what to type, and changes nothing."""

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from infra.doctor import diagnostics, software, storage
from tests import in_process
from tests.checkouts import Checkouts
from tests.editing import edit
from tests.tiny_project import commit, hallmark


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, checkouts: Checkouts) -> Path:
    folder = checkouts.made(tmp_path_factory.mktemp("doctor") / "project")
    assert "hallmark init" in in_process.hallmark(folder, "doctor", code=1), "nothing was made here yet"
    assert not (folder / ".hallmark" / "ledger.db").exists(), "the doctor makes nothing"
    hallmark(folder, "init")
    return folder


def test_all_is_well(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HALLMARK_SHARED", raising=False)
    before = _files(project)
    assert "all is well" in hallmark(project, "doctor")
    assert _files(project) == before


def _files(project: Path) -> dict[Path, bytes]:
    state = project / ".hallmark"
    return {path: path.read_bytes() for path in state.rglob("*") if path.is_file() and path.suffix not in (".db-shm",)}


def todo(project: Path, look: str) -> str:
    """What a look found, and what it asks for."""
    return " ".join(
        f"{line.says}: {line.do}"
        for line in diagnostics.run_diagnostics(project, {look: diagnostics.DIAGNOSTICS[look]})
        if line.do
    )


WRONG_SETTINGS = {
    "a name nobody reads": ("HALLMARK_WORKRS", "3", "settings", "set HALLMARK_WORKERS in its place"),
    "no number": ("HALLMARK_WORKERS", "many", "settings", "expected a number of at least 1, got 'many'"),
    "no target of notices": ("HALLMARK_NOTIFY", "mail", "settings", "expected a Prefect notification block"),
    "another root key": ("HALLMARK_ROOT_FINGERPRINT", f"SHA256:{'A' * 43}", "governance", "find out who replaced it"),
    "no such database": ("HALLMARK_VAULT_URL", "mysql://a/b", "databases", "expected postgresql://"),
    "a ledger that is away": (
        "HALLMARK_LEDGER_URL",
        "postgresql://a:secret@127.0.0.1:1/c",
        "databases",
        "cannot be used",
    ),
    "MLflow that is away": ("MLFLOW_TRACKING_URI", "http://127.0.0.1:1", "MLflow", "127.0.0.1:1 does not answer"),
    "Ray that is away": ("RAY_ADDRESS", "127.0.0.1:1", "Ray", "start the cluster, or unset RAY_ADDRESS"),
    "a Ray without a port": ("RAY_ADDRESS", "headnode", "Ray", "set it to where the cluster's head is"),
    "no place for heads": ("HALLMARK_LEDGER_HEADS", "s3://", "heads", "expected s3://BUCKET/PREFIX"),
}


@pytest.mark.parametrize("case", WRONG_SETTINGS)
def test_a_wrong_setting(project: Path, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    name, value, look, told = WRONG_SETTINGS[case]
    monkeypatch.setenv(name, value)
    found = todo(project, look)
    assert told in found and "secret" not in found


def _append(name: str, more: str) -> Callable[[Path], None]:
    def change(project: Path) -> None:
        path = project / name
        path.write_text(path.read_text() + more)

    return change


def _without_source(project: Path) -> None:
    """A run reads the committed file while there is one."""
    (project / "examples" / "messages.csv").unlink()
    commit(project, "Without the messages")


def _dangling(project: Path) -> None:
    gate = project / ".hallmark" / "keys" / "gate"
    gate.unlink()
    gate.symlink_to("nowhere")


def _execute(statement: str) -> Callable[[Path], None]:
    def change(project: Path) -> None:
        with sqlite3.connect(project / ".hallmark" / "ledger.db") as database:
            database.execute(statement)
        database.close()

    return change


_newer_ledger = _execute("UPDATE hallmark_ledger_schema SET version = 99")
_without_triggers = _execute("DROP TRIGGER hallmark_ledger_no_update")
_with_a_trigger = _execute("CREATE TRIGGER planted BEFORE INSERT ON hallmark_ledger BEGIN SELECT RAISE(IGNORE); END")


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def _lose_ledger(project: Path, keep: bytes | None = None) -> None:
    """There is another or none, and a head that speaks of entries."""
    (project / ".hallmark" / "heads").mkdir(exist_ok=True)
    (project / ".hallmark" / "heads" / "000000000003.json").write_text("{}")
    for file in (project / ".hallmark").glob("ledger.db*"):
        file.unlink()
    if keep is not None:
        _write(project / ".hallmark" / "ledger.db", keep)


WRONG_FILES: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "a key others can read": (lambda p: (p / ".hallmark/keys/gate").chmod(0o644), "keys", "chmod 600"),
    "a lost key": (lambda p: (p / ".hallmark/keys/gate").unlink(), "keys", "no private key of gate here"),
    "a lost key of the vault": (lambda p: (p / ".hallmark/keys/vault").unlink(), "keys", "restore it"),
    "a file of other bytes": (
        lambda p: (p / "constraints.txt").write_bytes(b"\xff"),
        "packages",
        "it could not be looked at",
    ),
    "a key that leads nowhere": (_dangling, "keys", "no private key of gate here"),
    "other stages": (_append("dvc.yaml", "# mine\n"), "dvc.yaml", "python -m tasks.core.graph > dvc.yaml"),
    "a mistake in params": (_append("params.yaml", "\nmore: 1\n"), "params.yaml", "more"),
    "policy that nobody adopted": (
        lambda p: edit(p / "infra/governance/policy.yaml", "max_days: 90", "max_days: 30"),
        "governance",
        "says something else than what is in force; to adopt it: hallmark policy adopt",
    ),
    "another version of a package": (
        lambda p: (p / "constraints.txt").write_text("pydantic==1.0\n"),
        "packages",
        "in place of ==1.0",
    ),
    "a source that is away": (_without_source, "runs", "correct its location"),
    "a ledger that is lost": (lambda p: _lose_ledger(p, keep=b""), "governance", "restore BACKUP"),
    "a ledger that is empty": (lambda p: _lose_ledger(p), "governance", "speaks of"),
    "a ledger that is no database": (lambda p: _lose_ledger(p, b"text" * 9999), "databases", "is damaged"),
    "a ledger with somebody's trigger": (_with_a_trigger, "governance", "that are not Hallmark's: 'planted'"),
    "a ledger without triggers": (_without_triggers, "governance", "lacks triggers that keep it append-only"),
    "a restore that was cut short": (lambda p: (p / "..hallmark.0123").mkdir(), "state", "restore BACKUP once more"),
    "a root key that is no text": (lambda p: _write(p / ".hallmark/keys/root.pub", b"\xff"), "governance", "root.pub"),
    "a ledger of a newer version": (_newer_ledger, "databases", "schema 99, of a newer Hallmark"),
}


def test_a_full_disk_and_another_python(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "MIN_FREE_GIB", 1e9)
    monkeypatch.setattr(software, "PYTHON_VERSIONS", ((2, 7),))
    assert "make room" in todo(project, "disk") and "make PYTHON" in todo(project, "Python")


def test_any_free_port_is_a_port(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HALLMARK_PREFECT_PORT", "0")
    assert not todo(project, "settings")


@pytest.mark.parametrize("keep", [None, b""])
def test_a_ledger_that_is_lost_is_not_begun_anew(copied: Path, keep: bytes | None) -> None:
    _lose_ledger(copied, keep)
    for command in (("init",), ("ledger", "verify")):
        told = in_process.hallmark(copied, *command, code=3)
        assert "is lost" in told and "hallmark restore" in told
    assert keep is not None or not (copied / ".hallmark" / "ledger.db").exists()


@pytest.fixture
def copied(project: Path, tmp_path: Path) -> Path:
    """A copy of all that a test changes; the rest, some hundred files of code, is linked."""
    target = tmp_path / "copied"
    (target / "infra").mkdir(parents=True)
    for path in (*project.iterdir(), *(project / "infra").iterdir()):
        place = target / path.relative_to(project)
        if path.name in (".hallmark", ".dvc", "governance", "examples"):
            shutil.copytree(path, place, symlinks=True)
        elif path.is_file():
            shutil.copy2(path, place)
        elif path.name != "infra":
            place.symlink_to(path)
    return target


@pytest.mark.parametrize("case", WRONG_FILES)
def test_a_wrong_file(copied: Path, case: str) -> None:
    change, look, told = WRONG_FILES[case]
    change(copied)
    assert told in todo(copied, look)
