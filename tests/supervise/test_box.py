"""What a stage reaches from inside its sandbox: what it was given, and nothing else."""

import os
import signal
import socket
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any
from uuid import uuid4

import psutil
import pytest

from tasks.core.errors import Unavailable
from tasks.supervise import process, sandbox
from tests.patience import patience, wait_until
from tests.sandbox import inside, make, needs_sandbox

pytestmark = needs_sandbox

SECRET = "planted where no stage has any business"
SYSTEM = {
    "/proc",
    "/sys",
    "/dev",
    *sandbox.SYSTEM_FOLDERS,
    str(Path(sys.prefix).resolve()),
    str(Path(sys.base_prefix).resolve()),
}

EVERY_FILE = f"""
import os
found = []
for folder, folders, names in os.walk("/"):
    folders[:] = [name for name in folders if os.path.join(folder, name) not in {SYSTEM!r}]
    for name in names:
        path = os.path.join(folder, name)
        try:
            with open(path, "rb") as file:
                if {SECRET!r}.encode() in file.read(1_000_000):
                    found.append(path)
        except OSError:
            pass
"""


@pytest.mark.attack(rights="stage", stopped="a stage sees what is mounted in its sandbox")
def test_no_path_leads_to_keys_ledger_vault_or_other_runs(tmp_path: Path) -> None:
    """All of the sandbox is walked but the system's and Python's own files, which were there before the secrets."""
    made = make(tmp_path)
    state, given = made.root.parent.parent, made.root / "artefacts" / "ingest" / "rows"
    (made.code_folder / "artefacts" / "ingest").mkdir()
    planted = [
        *(state / name for name in ("keys/gate", "keys/vault", "ledger.db", "vault/vault.db", "prefect/secret")),
        *(state / name for name in ("runs/r2/artefacts/split/train.parquet", "cache/files/md5/00/1", "releases/a-1/x")),
        *(made.root / name for name in (".git", "sitecustomize.py", "artefacts/split/train.parquet")),
        *(tmp_path / name for name in ("home/.ssh/id_ed25519", "checkout/.env")),
        given,
    ]
    for path in planted:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(SECRET)
    found = inside(replace(made, read_only_mounts={given.parent: None}), EVERY_FILE)
    assert found == [str(given)], "what was given it sees, so the walk finds what is there"


@pytest.mark.attack(rights="stage", stopped="code and inputs are mounted for reading alone")
def test_code_and_inputs_are_not_written_and_outputs_are(tmp_path: Path) -> None:
    made = make(tmp_path)
    given, kept = tmp_path / "given", tmp_path / "kept"
    for folder in (given, kept):
        folder.mkdir()
    source = f"""
from pathlib import Path
root, found = Path({str(made.root)!r}), {{}}
for path in (root / "code.py", root / "new.py", Path({str(given)!r}, "x"), Path("/usr/x"), Path("/etc/x"),
             Path({sys.prefix!r}, "x"), root / "artefacts" / "x", root / "measured" / "x", Path({str(kept)!r}, "x")):
    try:
        path.write_text("changed")
        found[str(path)] = "written"
    except OSError as error:
        found[str(path)] = type(error).__name__
"""
    found = inside(replace(made, read_only_mounts={given: None}, writable_folders=(kept,)), source)
    written = {path for path, how in found.items() if how == "written"}
    assert written == {str(place / "x") for place in (made.root / "artefacts", made.root / "measured", kept)}
    assert (made.code_folder / "code.py").read_text() == "as reviewed\n" and not Path("/etc/x").exists()


@pytest.mark.attack(rights="stage", stopped="a stage is given the variables that are named")
def test_only_the_variables_that_are_named_are_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_SECRET_ACCESS_KEY", "SSH_AUTH_SOCK", "HALLMARK_VAULT_KEY", "LD_PRELOAD", "PYTHONPATH"):
        monkeypatch.setenv(name, "/secret")
    source = "import os; found = [dict(os.environ), open('/proc/1/environ').read()]"
    variables, first = inside(replace(make(tmp_path), variables={"LANG": "C.UTF-8"}), source)
    assert set(variables) <= {"PATH", "HOME", "TMPDIR", "LANG", "PWD", "LC_CTYPE", "GLOO_SOCKET_IFNAME"}
    assert "/secret" not in first, "nor does the first process tell with what its own was started"


@pytest.mark.attack(rights="stage", stopped="a stage has a loopback of its own unless it is granted a network")
@pytest.mark.parametrize("granted", [False, True])
def test_no_port_of_this_machine_answers_without_a_network(tmp_path: Path, granted: bool) -> None:
    source = """
import socket
found = []
for family, address in ((socket.AF_INET, ("127.0.0.1", PORT)), (socket.AF_UNIX, "\\0hallmark-test-PORT")):
    try:
        with socket.socket(family) as client:
            client.connect(address)
            found.append("reached")
    except OSError as error:
        found.append(type(error).__name__)
"""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as abstract:
        port = server.getsockname()[1]
        abstract.bind(f"\0hallmark-test-{port}")
        abstract.listen()
        found = inside(replace(make(tmp_path), has_network=granted), source.replace("PORT", str(port)))
    assert found == (["reached", "reached"] if granted else ["ConnectionRefusedError", "ConnectionRefusedError"])


@pytest.mark.attack(rights="stage", stopped="a stage sees no other processes and has no capabilities")
def test_other_processes_and_rights_are_out_of_reach(tmp_path: Path) -> None:
    source = """
import ctypes, os
status = dict(line.split(":\\t", 1) for line in open("/proc/self/status").read().splitlines())
libc = ctypes.CDLL(None)
found = {
    "processes": sorted(int(name) for name in os.listdir("/proc") if name.isdigit()),
    "capabilities": status["CapEff"], "new privileges": status["NoNewPrivs"],
    "a name space of users": libc.unshare(0x10000000), "a mount": libc.mount(b"none", b"/tmp", b"tmpfs", 0, None),
}
"""
    found = inside(make(tmp_path), source)
    assert len(found.pop("processes")) <= 2
    assert found == {"capabilities": "0" * 16, "new privileges": "1", "a name space of users": -1, "a mount": -1}


def test_it_is_alone_in_tmp_and_leaves_nothing_there(tmp_path: Path) -> None:
    made = make(tmp_path)
    place = Path(f"/tmp/hallmark-{uuid4().hex}")
    source = f"import os; found = os.listdir('/dev/shm'); open('/dev/shm/x', 'w'); open('{place}', 'w')"
    assert inside(made, source) == []
    assert not place.exists()


SUPERVISED = """
import sys
from tasks.supervise import process
sys.exit(process.run_process(sys.argv[2:], {}, int(sys.argv[1]) or None))
"""
WAITS = """
import signal, sys, time
def end(*_):
    open("artefacts/asked", "w").write("asked to end")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
open("artefacts/started", "w").write("1")
time.sleep(600)
"""


@pytest.mark.attack(rights="stage", stopped="what a stage left is looked at once no process of it is left")
def test_no_process_outlives_its_sandbox(tmp_path: Path) -> None:
    """A sandbox whose first process was kept alive from inside ends for its supervisor, as this command does."""
    told = tmp_path / "pid"
    command = ["sh", "-c", f"setsid sleep 600 & echo $! > {told}"]
    subprocess.run([sys.executable, "-c", SUPERVISED, "0", *command], check=True, timeout=patience(60))
    assert not psutil.pid_exists(int(told.read_text()))


@pytest.mark.parametrize("how", ["asked", "killed", "left alone"])
def test_it_ends_with_its_supervisor_and_is_asked_to_first(tmp_path: Path, how: str) -> None:
    made = make(tmp_path)
    starter = subprocess.Popen(["sleep", "600"])
    command = sandbox.sandbox_command(made, [sys.executable, "-I", "-c", WAITS])
    wanted_by = starter.pid if how == "left alone" else 0
    supervisor = subprocess.Popen([sys.executable, "-c", SUPERVISED, str(wanted_by), *command])
    wait_until((made.output_folder / "started").exists, "the stage to start", process=supervisor)
    inside_it = psutil.Process(supervisor.pid).children(recursive=True)
    if how == "left alone":
        starter.kill()
        starter.wait()
    else:
        os.kill(supervisor.pid, signal.SIGTERM if how == "asked" else signal.SIGKILL)
    supervisor.wait(timeout=patience(30))
    _, alive = psutil.wait_procs(inside_it, timeout=patience(30))
    starter.kill()
    starter.wait()
    assert inside_it and not alive
    assert supervisor.returncode != 0, "asked to end it has failed, whatever it says itself"
    assert (made.output_folder / "asked").exists() == (how != "killed")


COUNTS = """
import os, signal, sys, time
asked = []
signal.signal(signal.SIGTERM, lambda *_: asked.append(1))
open(sys.argv[1], "w").write("1")
while not os.path.exists(sys.argv[1] + ".enough"):
    time.sleep(0.05)
open(sys.argv[1] + ".asked", "w").write(str(len(asked)))
"""


def test_a_stage_is_asked_once_however_many_ask(tmp_path: Path) -> None:
    """Its supervisor is told to end twice, and whoever wants it is gone; it ends once the supervisor knows all that."""
    starter, told = subprocess.Popen(["sleep", "600"]), tmp_path / "told"
    command = [sys.executable, "-I", "-c", COUNTS, str(told)]
    supervisor = subprocess.Popen([sys.executable, "-c", UNBOXED, str(starter.pid), *command])
    wait_until(told.exists, "the stage to start", process=supervisor)
    threads = psutil.Process(supervisor.pid).num_threads
    wait_until(lambda: threads() == 5, "the supervisor to watch", process=supervisor, saw=threads)
    for _ in range(2):
        os.kill(supervisor.pid, signal.SIGTERM)
    starter.kill()
    starter.wait()
    wait_until(lambda: threads() == 4, "the supervisor to miss who wants it", process=supervisor, saw=threads)
    (tmp_path / "told.enough").touch()
    assert supervisor.wait(timeout=patience(60)) == 128 + signal.SIGTERM
    assert (tmp_path / "told.asked").read_text() == "1"


def test_a_signal_in_the_middle_of_another_is_no_end_to_wait_for() -> None:
    """A second handler begins wherever the first one is."""
    asked = process.StopRequest()

    def again(frame: FrameType, event: str, _: object) -> Any:
        if event == "line":
            sys.settrace(None)
            asked.set()
            sys.settrace(again)
        return again

    def twice() -> None:
        sys.settrace(again)
        asked.set()
        sys.settrace(None)

    thread = threading.Thread(target=twice, daemon=True)
    thread.start()
    thread.join(patience(20))
    assert not thread.is_alive() and asked.is_set()
    asked.wait()


UNBOXED = SUPERVISED.replace(" or None)", " or None, is_sandboxed=False)")
AT_ONCE = """
import os, signal, subprocess
from tasks.supervise import process
class Asked(subprocess.Popen):
    def __init__(self, *given, **named):
        super().__init__(*given, **named)
        os.kill(os.getpid(), signal.SIGTERM)
process.subprocess.Popen, process.TERMINATION_SECONDS = Asked, 600
"""


@needs_sandbox
def test_asked_as_it_starts_it_ends_as_soon_as_there_is_a_stage(tmp_path: Path) -> None:
    command = sandbox.sandbox_command(make(tmp_path), [sys.executable, "-I", "-c", WAITS])
    done = subprocess.run([sys.executable, "-c", AT_ONCE + SUPERVISED, "0", *command], timeout=patience(120))
    assert done.returncode == 128 + signal.SIGTERM


def test_where_there_is_none_it_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def forget() -> None:
        for known in (sandbox.unavailable_reason, sandbox.sandbox_version, sandbox._version_numbers):
            known.cache_clear()

    def why() -> str | None:
        forget()
        return sandbox.unavailable_reason()

    monkeypatch.setenv("PATH", str(tmp_path))
    try:
        assert "bubblewrap is not installed" in str(why())
        assert not sandbox.uses_sandbox("local")
        with pytest.raises(Unavailable, match="stages run in a sandbox in environment production, and bubblewrap is"):
            sandbox.uses_sandbox("production")
        for text, told in (
            ("echo bubblewrap 0.4.1", "0.8 or newer is needed, and this is bubblewrap 0.4.1"),
            ('[ "$1" = --version ] && echo bubblewrap 0.12.0 || { echo "bwrap: not permitted" >&2; exit 1; }',
             "cannot make a sandbox here (bwrap: not permitted)"),
        ):  # fmt: skip
            (tmp_path / sandbox.BUBBLEWRAP).write_text(f"#!/bin/sh\n{text}\n")
            (tmp_path / sandbox.BUBBLEWRAP).chmod(0o755)
            assert told in str(why())
    finally:
        forget()


def test_a_checkout_in_what_every_stage_sees_is_refused() -> None:
    sandbox.require_not_mounted(Path.cwd() / ".hallmark")
    with pytest.raises(Unavailable, match="which the sandbox of a stage shows; move the checkout or the environment"):
        sandbox.require_not_mounted(Path(sys.prefix) / "checkout" / ".hallmark")
