"""Another user of the same machine: what the state of a checkout, its processes and its names in /tmp let them do."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra import ports
from infra.prefect import access
from tasks.core import files
from tasks.stages.cluster import connection
from tests.in_process import hallmark
from tests.private_state import open_to_others
from tests.registry.conftest import empty_registry, founded_once  # noqa: F401
from tests.registry.house import open_house
from tests.tiny_project import commit, git

NOBODY = 65534
PYTHON = Path("/usr/bin/python3")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may work as somebody else")
needs_python = pytest.mark.skipif(not PYTHON.exists(), reason="no Python that every user may start")


def as_nobody(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        words, user=NOBODY, group=NOBODY, extra_groups=[], cwd="/", env={"PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip


@pytest.fixture(scope="module")
def project(founded_once: Path) -> Iterator[Path]:  # noqa: F811
    """A checkout that everybody may enter, as in a shared folder: what pytest makes is its owner's alone."""
    place = Path(tempfile.mkdtemp(prefix="hm-shared-"))
    place.chmod(0o755)
    shutil.copytree(founded_once, place / "house")
    house = open_house(place / "house")
    made = house.checkout()
    house.ledger.close()
    git(made, "init", "--quiet")
    commit(made, "A checkout")
    before = os.umask(files.STATE_UMASK)
    access.server_secret(made)
    (made / ".hallmark" / "runs" / "r1" / "inputs").mkdir(parents=True)
    (made / ".hallmark" / "runs" / "r1" / "inputs" / "rows").write_text("raw")
    os.umask(before)
    made.chmod(0o755)
    assert "for its owner alone now" in hallmark(made, "ledger", "publish")
    yield made
    shutil.rmtree(place)


@needs_root
def test_what_is_no_state_is_read_by_everybody(project: Path) -> None:
    """So what is refused below is refused by the state's own permissions."""
    assert as_nobody("cat", str(project / "params.yaml")).returncode == 0


def files_of(project: Path) -> list[Path]:
    """But those of SQLite's that go with a connection, whenever Python collects that."""
    found = (project / ".hallmark").rglob("*")
    return sorted(path for path in found if not path.name.endswith(("-shm", "-wal")))


@needs_root
@pytest.mark.attack(rights="disk", stopped="the state of a checkout is for its owner alone")
@pytest.mark.parametrize(
    "deed",
    [
        ("ls", ""),
        ("cat", "keys/gate"),
        ("cat", "keys/risk-officer"),
        ("cat", "keys/vault"),
        ("cat", "keys/gate.pub"),
        ("cat", "ledger.db"),
        ("cat", "vault/vault.db"),
        ("cat", "prefect/secret"),
        ("cat", "runs/r1/inputs/rows"),
        ("touch", "keys/root.pub"),
        ("touch", "prefect/up.json"),
        ("mkdir", "heads"),
        ("rm", "ledger.db"),
        ("ln", "keys/gate"),
    ],
    ids=" ".join,
)
def test_another_user_neither_reads_nor_writes_the_state(project: Path, deed: tuple[str, str]) -> None:
    verb, path = deed
    before = files_of(project)
    place = str(project / ".hallmark" / path)
    done = as_nobody(verb, place, *([f"/tmp/hm-linked-{os.getpid()}"] if verb == "ln" else []))
    assert done.returncode and "Permission denied" in done.stderr, done.stdout
    assert files_of(project) == before


@pytest.mark.attack(rights="disk", stopped="commands set the umask under which they make state")
@pytest.mark.parametrize("words", [("init",), ("backup", "BACKUP"), ("ledger", "publish")], ids=" ".join)
def test_whoever_has_no_umask_makes_private_state(project: Path, tmp_path: Path, words: tuple[str, ...]) -> None:
    """An account, a container or a service whose umask is 0."""
    target, before = tmp_path / "backup", open_to_others(project / ".hallmark")
    program = str(Path(sys.executable).with_name("hallmark"))
    command = [program, *(word.replace("BACKUP", str(target)) for word in words)]
    done = subprocess.run(command, cwd=project, umask=0, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert open_to_others(project / ".hallmark") == before
    assert not target.exists() or target.stat().st_mode & 0o777 == 0o700


@needs_root
@needs_python
@pytest.mark.attack(rights="orchestrator", stopped="an answer counts once the port is the started process's own")
def test_a_port_that_somebody_else_holds_is_not_taken_for_the_servers() -> None:
    """Somebody who answers as Prefect's server does, on the port that it would take."""
    answers = (
        "import http.server as s\n"
        "class H(s.BaseHTTPRequestHandler):\n"
        "    def do_GET(self): self.send_response(200); self.end_headers(); self.wfile.write(b'true')\n"
        "    def log_message(self, *a): pass\n"
        "server = s.HTTPServer(('127.0.0.1', 0), H); print(server.server_port, flush=True); server.serve_forever()\n"
    )
    other = subprocess.Popen(
        [PYTHON, "-c", answers], user=NOBODY, group=NOBODY, extra_groups=[], cwd="/", stdout=subprocess.PIPE, text=True
    )
    ours = subprocess.Popen(["sleep", "60"])
    try:
        assert other.stdout
        port = int(other.stdout.readline())
        assert ports.prefect_responds(f"http://127.0.0.1:{port}/api", seconds=5)
        assert ports.free_port(port) is None
        assert not ports.listens(ours.pid, port)
    finally:
        for process in (other, ours):
            process.kill()
            process.communicate()


@needs_root
@pytest.mark.attack(
    rights="disk", stopped="what lies in /tmp under a name of Ray's is swept up without following links"
)
@pytest.mark.parametrize("left", ["a link", "a folder", "a file"])
def test_a_name_that_another_user_took_in_tmp_leads_nowhere(tmp_path: Path, left: str) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "work").write_text("of the owner")
    place = Path(f"/tmp/{connection.SESSION_FOLDER_PREFIX}999999999-{os.getpid()}")
    words = {"a link": ("ln", "-s", str(victim)), "a folder": ("mkdir",), "a file": ("touch",)}[left]
    assert as_nobody(*words, str(place)).returncode == 0
    try:
        with connection.ray_session_folder() as folder:
            assert (victim / "work").read_text() == "of the owner"
            assert folder.stat().st_uid == os.getuid() and folder.stat().st_mode & 0o777 == 0o700
        assert not folder.exists()
    finally:
        if place.is_symlink() or place.is_file():
            place.unlink()
        shutil.rmtree(place, ignore_errors=True)


@needs_root
@pytest.mark.attack(rights="disk", stopped="what is written aside has a name that nobody can guess, and is made anew")
@pytest.mark.parametrize("how", ["a link", "a file"])
def test_a_file_is_written_through_nothing_that_lies_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """Also by somebody who guessed the name."""
    monkeypatch.setattr(files.secrets, "token_hex", lambda size: "0" * 2 * size)
    victim, target = tmp_path / "victim", tmp_path / "shared" / "ledger.json"
    victim.write_text("of the owner")
    target.parent.mkdir()
    aside = files._temporary_path(target)
    aside.symlink_to(victim) if how == "a link" else aside.write_text("of another")
    with pytest.raises(FileExistsError):
        files.write_bytes(target, b"mine", mode=0o600)
    assert victim.read_text() == "of the owner" and not target.exists()


@needs_root
@pytest.mark.attack(rights="orchestrator", stopped="no process gets the secret on its command line")
def test_who_sees_every_process_sees_no_secret(project: Path) -> None:
    secret = access.server_secret(project)
    given = access.server_environment(project, "http://127.0.0.1:1/api")
    process = subprocess.Popen(["sleep", "60"], env=given)
    try:
        assert as_nobody("cat", f"/proc/{process.pid}/cmdline").stdout == "sleep\x0060\x00"
        told = as_nobody("cat", f"/proc/{process.pid}/environ")
        assert told.returncode and secret not in told.stdout + told.stderr
        assert secret.encode() in Path(f"/proc/{process.pid}/environ").read_bytes()
    finally:
        process.kill()
        process.wait()


def test_a_free_port_is_on_loopback() -> None:
    port = ports.free_port(0)
    assert port
    with socket.socket() as probe:
        probe.settimeout(1)
        assert probe.connect_ex(("127.0.0.1", port))
