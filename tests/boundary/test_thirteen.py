"""Thirteen ways in that were found in earlier versions, tried again by the code of a stage: what each reaches."""

import re
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.answering import listening
from tests.boundary.stage_of import ROOT, SECRET, Ended, a_run, as_it_is, bring
from tests.forking import Forking
from tests.sandbox import needs_sandbox

pytestmark = needs_sandbox

TRIES = r"""
import base64, ctypes, glob, pickle, signal, socket, subprocess

def reads(*paths):
    out = []
    for path in map(str, paths):
        try:
            with open(path, "rb") as file:
                out.append(path) if SECRET.encode() in file.read(1_000_000) else None
        except OSError:
            pass
    return out

def writes(*paths):
    "What lies in an empty folder of the sandbox's own counts where it shows outside, which is looked at there."
    out = []
    for path in map(str, paths):
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "ab") as file:
                file.write(b"mine")
            out.append(path) if path.startswith(str(root)) or not path.startswith(str(state)) else None
        except OSError:
            pass
    return out

def answers(address, family=socket.AF_INET):
    try:
        with socket.socket(family) as client:
            client.settimeout(2)
            client.connect(address)
            return [str(address)]
    except OSError:
        return []

def terminals(*paths):
    out = []
    for path in paths:
        try:
            os.close(os.open(path, os.O_WRONLY))
            out.append(path)
        except OSError:
            pass
    return out

def variables(*beginnings):
    return [name for name in os.environ if name.startswith(beginnings)]

site, other = Path(sys.prefix), state / "runs" / "r2"
packages = next(site.glob("lib/python*/site-packages"))
found["Prefect's API changes what a deployment pulls"] = [
    *answers(("127.0.0.1", PORT)), *reads(state / "prefect" / "secret"), *variables("PREFECT")]
found["a sitecustomize.py, and DVC's run cache"] = writes(
    root / "sitecustomize.py", packages / "sitecustomize.py", packages / "own.pth",
    state / "cache" / "runs" / "ab" / "cd" / "ef", root / "dvc.lock")
found["other code for the gates"] = writes(
    Path(INSTALLED) / "tasks" / "gates" / "gates.py", root / "tasks" / "gates" / "gates.py",
    root / "dvc.yaml", root / "gates" / "data.json", root / "gates" / "release.json")
found["sources.yaml leads to a password"] = [
    *variables("AWS", "HALLMARK_VAULT", "PGPASS"), *writes(root / "inputs" / "sources.json"),
    *reads(*glob.glob("/proc/*/environ"))]
found["bytecode in its own code, and a file in a parked run"] = writes(
    root / "tasks" / "core" / "__pycache__" / "files.cpython-311.pyc", root / CLEAN, other / "params.yaml",
    other / "tasks" / "new.py", packages / "yaml.pyc")
found["what another run was approved for"] = [
    *writes(root / "evidence" / "data.json", root / "inputs" / "champion.json", state / "ledger.db"),
    *reads(other / "params.yaml", state / "ledger.db", *state.glob("releases/*/payload/*"))]
installed = subprocess.run(
    [sys.executable, "-I", "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "."],
    cwd="/tmp", capture_output=True, stdin=subprocess.DEVNULL)
found["a package that is built as it is installed"] = [
    *(["pip"] if installed.returncode == 0 else []), *variables("PIP", "HF_"), *answers(("127.0.0.1", PORT))]
keys = [state / "keys" / name for name in ("gate", "ledger", "vault", "scheduler", "worker", "ml-engineer")]
found["the environment and keys of who started it"] = [
    *reads(f"/proc/{os.getppid()}/environ", *keys, root / ".dvc" / "config.local"),
    *(str(path) for path in keys if path.exists()), *([] if os.getppid() < 3 else ["a process above it"])]
found["control characters on a terminal"] = [
    *(f"terminal {number}" for number in range(3) if os.isatty(number)),
    *terminals("/dev/tty", "/dev/console", "/dev/pts/0")]
stored = [state / "prefect" / "storage" / "result.pickle", Path.home() / ".prefect" / "storage" / "x"]
found["a pickle among Prefect's results"] = [
    *reads(*stored, state / "keys" / "scheduler"), *writes(stored[0])]
writes(stored[1])
(root / "artefacts" / "clean").mkdir(exist_ok=True)
found["its own bar"] = [
    *writes(root / "params.yaml", root / "inputs" / "stages.json"),
    *(["use_case"] if "success_metrics" in (root / "params.yaml").read_text() else [])]
with open(root / "measured" / "clean.error", "wb") as file:
    file.write(b"x" * 200_000)
    file.truncate(1 << 40)
found["a file that unpacks to everything"] = []
os.chmod(root / "artefacts", 0o777)
os.chmod(root / "artefacts" / "clean", 0o777)
interfaces = [name for _, name in socket.if_nameindex()]
found["state that others read, ports on all interfaces"] = [
    *(name for name in interfaces if name != "lo"),
    *(str(path) for path in (state, state / "keys") if os.access(path, os.W_OK) and path.name == "keys")]
print("\x1b]0;mine\x07\x1b[2J\u202e as it was", flush=True)
print("FOUND " + json.dumps(found), flush=True)
os._exit(3)
"""
WAYS = re.findall(r'^found\["(.+)"\] = ', TRIES, re.MULTILINE)
"""Names of the ways, as the stage prints them; docs/attacks.md has one row for each."""


@pytest.fixture(scope="module")
def tried(
    tmp_path_factory: pytest.TempPathFactory, supervisors: Forking
) -> Iterator[tuple[Ended, Path, dict[str, str]]]:
    """What the stage says, the state of its checkout, and all files of that before."""
    layout = a_run(tmp_path_factory.mktemp("thirteen"))
    before = as_it_is(layout.state)
    with listening("") as (port, _):
        text = TRIES.replace("SECRET", repr(SECRET)).replace("PORT", str(port))
        text = text.replace("INSTALLED", repr(str(ROOT))).replace("CLEAN", "'tasks/stages/data/clean/clean.py'")
        names = ("AWS_SECRET_ACCESS_KEY", "PREFECT_API_AUTH_STRING", "HALLMARK_VAULT_KEY", "PIP_INDEX_URL", "HF_TOKEN")
        ended = bring(supervisors, layout, text, dict.fromkeys(names, SECRET))
    yield ended, layout.state, before


@pytest.mark.attack(rights="stage", stopped="a stage sees its own code and inputs, and writes its own outputs")
@pytest.mark.parametrize("way", WAYS)
def test_an_old_way_in_reaches_nothing_from_a_stage(tried: tuple[Ended, Path, dict[str, str]], way: str) -> None:
    ended, state, before = tried
    assert ended.code == 3 and ended.found is not None, ended.told
    assert [path for path in ended.found[way] if not is_a_file_of_its_own(path)] == []
    if way == "a file that unpacks to everything":
        assert (state / "runs" / "r1" / "measured" / "clean.error").stat().st_size <= 64 * 1024
    if way == "state that others read, ports on all interfaces":
        assert not list(state.glob("boxes/*")) and not list(state.glob("runs/r1/artefacts/clean"))
    after = as_it_is(state)
    own = ("runs/r1/tasks/", "runs/r1/inputs/stages.json", "runs/r1/measured/clean.error")
    assert {name: sha256 for name, sha256 in after.items() if not name.startswith(own)} == before


def is_a_file_of_its_own(path: str) -> bool:
    """Written where the sandbox has an empty folder in place of a home or /tmp, in which this checkout may lie."""
    there = ROOT in Path(path).parents
    return there and not Path(path).read_bytes().endswith(b"mine")


def test_the_stage_finds_what_it_may(supervisors: Forking, tmp_path: Path) -> None:
    """So that a row above is no row because nothing was tried."""
    layout = a_run(tmp_path)
    with socket.create_server(("127.0.0.1", 0)):
        ended = bring(
            supervisors,
            layout,
            "(root / 'artefacts' / 'clean').mkdir(exist_ok=True)\n"
            "(root / 'artefacts' / 'clean' / 'x').write_text((root / 'artefacts/ingest/rows.parquet').read_text())\n"
            "found = sorted(os.environ)",
        )
    assert ended.code == 0 and (layout.artefacts("clean") / "x").read_text() == "as it was"
    assert "PATH" in ended.found and Path(sys.executable).exists()
