"""More that the code of a stage tries from inside its sandbox, beyond `tests/supervise`."""

import ctypes
import errno
import fcntl
import os
import platform
import pty
import stat
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tasks.core import code_digest
from tasks.core.errors import Refused
from tasks.core.files import write_json
from tasks.core.graph import DVC_STAGES
from tasks.core.layout import EXPERIMENT_TIER, Layout
from tasks.supervise import output_check, sandbox, shell
from tasks.supervise.open_files import open_files
from tasks.supervise.sandbox import Sandbox
from tests.boundary.stage_of import ROOT, a_run, as_it_is, bring, sparse
from tests.forking import Forking
from tests.patience import patience
from tests.sandbox import inside, inside_each, make, needs_sandbox

pytestmark = needs_sandbox
x86 = pytest.mark.skipif(platform.machine() != "x86_64", reason="numbers of system calls of x86-64")

IDENTITIES = """
import os
wanted, seen, found = WANTED, 0, []
names = {tuple(key): name for key, name in wanted}
places = ["/"]
while places:
    place = places.pop()
    try:
        entries = list(os.scandir(place))
    except OSError:
        continue
    for entry in entries:
        seen += 1
        try:
            it = entry.stat(follow_symlinks=False)
            followed = os.stat(entry.path) if entry.is_symlink() else it
        except OSError:
            continue
        found += [names[key] for key in ((it.st_dev, it.st_ino), (followed.st_dev, followed.st_ino)) if key in names]
        if entry.is_dir(follow_symlinks=False) and entry.path not in SKIPPED:
            places.append(entry.path)
found = [seen, sorted(set(found))]
"""


def reached(made: Any, state: Path, skipped: list[str]) -> tuple[int, set[str]]:
    """How many names the walk met, and which files of the state are among them, by device and inode: no name hides
    what a file is, and nothing has to be read for it."""
    files = {path.relative_to(state).as_posix(): path.stat() for path in state.rglob("*") if path.is_file()}
    wanted = [[[it.st_dev, it.st_ino], name] for name, it in files.items()]
    seen, found = inside(made, IDENTITIES.replace("WANTED", repr(wanted)).replace("SKIPPED", repr(skipped)))
    return seen, {name for name in found if not name.startswith(("runs/r1/", "boxes/"))}


def grown(folder: Path) -> Layout:
    """A run that has all inputs that the table of grants asks for."""
    layout = a_run(folder)
    for name, stage in DVC_STAGES.items():
        for item in stage.dependencies(name.partition("@")[2]):
            path = layout.root / item if "." in item else layout.root / item / "x"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("as it was")
    (layout.root / "data.csv").write_text("text,label\na,b\n")
    layout.params.write_text(f"data: {{}}\nuse_case: {{name: t}}\nbase_model: {{hub: a/b, sha256: {'0' * 64}}}\n")
    write_json(layout.champion, {"payload": "releases/a-1/payload"})
    write_json(layout.authority, {"tier": "low"})
    write_json(
        layout.sources,
        {
            "sources": [
                {
                    "source": {
                        "id": "m", "kind": "csv", "location": "data.csv", "owner": "o", "steward": "o",
                        "access": ["r"], "classification": "internal", "lawful_basis": "b", "licence": "l",
                        "retention_days": 1, "region": "eu", "refresh_days": 1, "approved_uses": ["t"],
                        "mapping": {"prompt": "text", "response": "label"}, "constants": {"task": "t"},
                    },
                    "sha256": "0" * 64, "bytes": 1,
                }
            ],
            "as_of": "2026-01-01", "vault": "x",
        },
    )  # fmt: skip
    (layout.root / "tasks").symlink_to(ROOT / "tasks")
    write_json(layout.stages, code_digest.stage_digests(ROOT))
    (layout.root / "tasks").unlink()
    return layout


MAY = {
    "base_model": {"models/0/config.json"},
    "predict@base": {"releases/a-1/payload/x"},
}
"""What a stage sees of the state beside its own run; the champion's for all that predict."""


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    """A run that every stage reads and no stage changes."""
    return grown(tmp_path_factory.mktemp("grown"))


SYSTEM = ["/usr", "/opt", sys.prefix, sys.base_prefix]
"""Files of the machine and of Python, mounted for reading; nothing is mounted below them (`mounts`)."""


@pytest.mark.attack(rights="stage", stopped="a stage sees what its line in the table of grants names, and no more")
@pytest.mark.parametrize("stage", list(DVC_STAGES))
def test_no_path_of_a_stage_leads_to_what_another_keeps(
    layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    monkeypatch.setattr(shell.visible_files, "require_code", lambda *_: None)
    monkeypatch.setattr(shell.visible_files.code_digest, "stage_files", lambda *_: [])
    with open_files() as read:
        made = shell._make_sandbox(stage, layout, tmp_path / "place", read)
        _, found = reached(made, layout.state, ["/proc", "/sys", *SYSTEM])
    assert found == MAY.get("predict@base" if stage.startswith("predict") else stage, set())


@pytest.mark.attack(
    rights="stage", stopped="no stage sees a vault: neither that of governed runs nor that of experiments"
)
def test_no_path_of_an_experiment_leads_to_a_vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shell.visible_files, "require_code", lambda *_: None)
    monkeypatch.setattr(shell.visible_files.code_digest, "stage_files", lambda *_: [])
    layout = grown(tmp_path / "grown")
    write_json(layout.authority, {"tier": EXPERIMENT_TIER})
    for name in ("keys/vault", "vault/vault.db"):
        (layout.run_state / name).parent.mkdir(parents=True)
        (layout.run_state / name).write_text("the experiments' own")
    with open_files() as read:
        made = shell._make_sandbox("ingest", layout, tmp_path / "place", read)
        _, found = reached(made, layout.state, ["/proc", "/sys", *SYSTEM])
    assert not found


@pytest.mark.attack(rights="stage", stopped="a stage sees what is mounted in its sandbox")
def test_no_path_at_all_leads_to_what_judges(layout: Layout, tmp_path: Path) -> None:
    """Every name in the sandbox is walked, those of all processes too, without the files of the system."""
    seen, found = reached(make(tmp_path / "box"), layout.state, SYSTEM)
    assert seen > 1_000 and not found


@pytest.mark.soak
@pytest.mark.attack(rights="stage", stopped="a stage sees what is mounted in its sandbox")
def test_no_path_of_the_system_leads_to_what_judges(layout: Layout, tmp_path: Path) -> None:
    seen, found = reached(make(tmp_path / "box"), layout.state, [])
    assert seen > 10_000 and not found


CALLS = {
    "mount": (165, b"none", b"/tmp", b"tmpfs", 0, None),
    "take a mount away": (166, b"/tmp", 0),
    "another root": (155, b"/tmp", b"/tmp"),
    "change the root": (161, b"/tmp"),
    "a tree of mounts that is its own": (428, -100, b"/", 1),
    "a file system that is its own": (430, b"tmpfs", 0),
    "change how something is mounted": (442, -100, b"/", 0, b"\1" + b"\0" * 31, 32),
    "a module of the kernel": (175, None, 0, b""),
    "another kernel": (246, 0, 0, None, 0),
    "start the machine again": (169, 1, 1, 1, None),
    "the time": (227, 0, b"\0" * 16),
    "the machine's name": (170, b"x", -1),
    "memory on a disk": (167, None, 0),
    "an account of all processes": (163, None),
    "ports of the machine": (172, 3),
    "the kernel's log": (103, 5, None, 0),
    "a higher priority": (141, 0, 0, -20),
    "a device": (133, b"/tmp/device", 0o20666, 0x101),
    "another owner of a file": (92, b"/tmp", 4242, 4242),
    "another user": (105, 4242),
    "another group": (106, 4242),
    "more groups": (116, 1, b"\1\0\0\0"),
}
"""By number of the system call and its arguments. Where it were allowed each would fail by its arguments, and otherwise
than for want of rights, or do what ends with the sandbox."""


@x86
@pytest.mark.attack(rights="stage", stopped="a stage has no capabilities, and its mounts and names are its own")
@pytest.mark.parametrize("what", list(CALLS))
def test_a_call_that_needs_rights_fails(called: dict[str, list[int]], what: str) -> None:
    result, number = called[what]
    no_user = errno.EINVAL if what.startswith("another ") else errno.EPERM  # a user that the sandbox has not
    assert result == -1 and number in (errno.EPERM, errno.EACCES, errno.ENOSYS, no_user)


@pytest.fixture(scope="module")
def called(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[int]]:
    source = f"""
import ctypes
libc, found = ctypes.CDLL(None, use_errno=True), {{}}
for what, (number, *given) in {CALLS!r}.items():
    result = libc.syscall(number, *given)
    found[what] = [result, ctypes.get_errno()]
"""
    found: dict[str, list[int]] = inside(make(tmp_path_factory.mktemp("called")), source)
    return found


SPACES = {"mounts": 0x20000, "groups": 0x2000000, "a host": 0x4000000, "shared memory": 0x8000000,
          "users": 0x10000000, "processes": 0x20000000, "a network": 0x40000000, "a clock": 0x80}  # fmt: skip


@pytest.fixture(scope="module")
def unshared(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[int]]:
    """Answers of the system to who asks for each name space, alone and with users of its own."""
    ask = "import ctypes; libc = ctypes.CDLL(None); found = [libc.unshare({:#x}), libc.unshare({:#x})]"
    asked = {of: ask.format(bits, bits | SPACES["users"]) for of, bits in SPACES.items()}
    return inside_each(make(tmp_path_factory.mktemp("unshared")), asked)


@pytest.mark.attack(rights="stage", stopped="a stage makes no name spaces, so it gets no rights in one of its own")
@pytest.mark.parametrize("of", list(SPACES))
def test_no_name_space_of_its_own(unshared: dict[str, list[int]], of: str) -> None:
    """With users of its own it would have every right over them."""
    assert unshared[of] == [-1, -1]


@pytest.fixture(scope="module")
def mounted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Sandbox, dict[str, set[str]]]:
    """A sandbox, and the flags of every mount in it by its place."""
    made = make(tmp_path_factory.mktemp("mounted"))
    lines = inside(made, "found = open('/proc/self/mountinfo').read().splitlines()")
    return made, {line.split()[4]: set(line.split()[5].split(",")) for line in lines}


@pytest.mark.attack(rights="stage", stopped="nothing that is mounted for a stage gives rights or is a device")
@pytest.mark.parametrize("what", ["runs as its owner", "is a device", "is written"])
def test_what_is_mounted_gives_nothing(mounted: tuple[Sandbox, dict[str, set[str]]], what: str) -> None:
    made, mounts = mounted
    if what == "runs as its owner":
        assert all("nosuid" in flags for flags in mounts.values())
    elif what == "is a device":
        assert {place for place, flags in mounts.items() if "nodev" not in flags} <= {
            *(f"/dev/{name}" for name in ("null", "zero", "full", "random", "urandom", "tty", "console", "pts")),
        }
    else:
        own = {"/tmp", str(Path.home()), str(made.root / "artefacts"), str(made.root / "measured")}
        system = {"/proc", *(place for place in mounts if place.startswith("/dev"))}
        assert {place for place, flags in mounts.items() if "rw" in flags} <= own | system


def test_nothing_is_mounted_below_the_system(mounted: tuple[Sandbox, dict[str, set[str]]]) -> None:
    """So a walk that leaves the system out leaves out nothing else."""
    below = [place for place in mounted[1] for system in SYSTEM if place.startswith(f"{system}/")]
    assert set(below) <= {
        str(place) for named in (sys.prefix, sys.base_prefix) for place in (Path(named).resolve(), named)
    }


KEY = 0x48414C4C
SHARED = {
    "shared memory": ("shmget(KEY, 4096, {})", lambda libc, made: libc.shmctl(made, 0, None)),
    "semaphores": ("semget(KEY, 1, {})", lambda libc, made: libc.semctl(made, 0, 0)),
    "queue": ("msgget(KEY, {})", lambda libc, made: libc.msgctl(made, 0, None)),
}
"""The call that finds or makes one, by its flags, and how it is removed."""


@pytest.fixture(scope="module")
def shared_inside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, tuple[int, int, int]]]:
    """Memory of other processes as a stage finds it, and as its owner finds it before and after."""
    libc = ctypes.CDLL(None, use_errno=True)

    def get(what: str, flags: int) -> int:
        return int(eval(f"libc.{SHARED[what][0].format(flags)}", {"libc": libc, "KEY": KEY}))

    made = {what: get(what, 0o1600) for what in SHARED}
    look = f"import ctypes; libc, KEY = ctypes.CDLL(None), {KEY}; found = libc."
    looks = {what: look + call.format(0) for what, (call, _) in SHARED.items()}
    try:
        found = inside_each(make(tmp_path_factory.mktemp("shared")), looks)
        yield {what: (made[what], found[what], get(what, 0)) for what in SHARED}
    finally:
        for what, (_, remove) in SHARED.items():
            if made[what] >= 0:
                remove(libc, made[what])


@pytest.mark.attack(rights="stage", stopped="shared memory, semaphores and queues of the machine are not the sandbox's")
@pytest.mark.parametrize("what", list(SHARED))
def test_what_processes_share_is_its_own(shared_inside: dict[str, tuple[int, int, int]], what: str) -> None:
    made, found, still = shared_inside[what]
    if made < 0:
        pytest.skip("the machine gives none")
    assert found == -1 and still == made, "outside it is there"


HANDED = """
import os, sys
from tasks.supervise import process
for number in map(int, sys.argv[1].split(",")):
    os.set_inheritable(number, True)
sys.exit(process.run(sys.argv[2:], {"PATH": os.environ["PATH"]}, None))
"""
NUMBERS = "import os; found = os.listdir('/proc/self/fd'); open('artefacts/numbers', 'w').write(' '.join(found))"


@pytest.fixture(scope="module")
def handed(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, set[str]], set[str]]:
    """Numbers of open files that the supervisor has, by kind, and those that its stage has."""
    place = tmp_path_factory.mktemp("handed")
    made, key = make(place), place / "gate"
    key.write_text("secret")
    ends = {"a key": [os.open(key, os.O_RDONLY)], "a folder": [os.open(place, os.O_RDONLY)], "a pipe": [*os.pipe()]}
    every = [end for kind in ends.values() for end in kind]
    words = sandbox.command(made, [sys.executable, "-I", "-c", NUMBERS])
    command = [sys.executable, "-c", HANDED, ",".join(map(str, every)), *words]
    try:
        subprocess.run(command, pass_fds=every, check=True, timeout=patience(60))
    finally:
        for end in every:
            os.close(end)
    numbers = set((made.outputs / "numbers").read_text().split())
    return {kind: set(map(str, own)) for kind, own in ends.items()}, numbers


@pytest.mark.attack(rights="stage", stopped="a stage is handed no open files")
@pytest.mark.parametrize("kind", ["a key", "a folder", "a pipe"])
def test_no_open_file_is_handed_on(handed: tuple[dict[str, set[str]], set[str]], kind: str) -> None:
    """A stage could climb out by an open folder, which leads to all that lies beside it."""
    supervisors, stages = handed
    assert not supervisors[kind] & stages and stages <= {"0", "1", "2", "3"}, "the last is the folder that it lists"


TYPES = """
import fcntl, os, termios
for number in (0, 1, 2):
    for ask in (lambda: fcntl.ioctl(number, termios.TIOCSCTTY, 1),
                lambda: [fcntl.ioctl(number, termios.TIOCSTI, bytes([each])) for each in b"mine\\n"],
                lambda: os.open(f"/proc/self/fd/{number}", os.O_RDWR),
                lambda: fcntl.ioctl(number, 0x541C, bytes([2, 0]))):
        try:
            ask()
        except OSError:
            pass
open("artefacts/tried", "w").close()
"""


@pytest.mark.attack(rights="stage", stopped="the terminal of who started it is not a stage's")
def test_it_types_nothing_into_the_terminal_of_who_started_it(tmp_path: Path) -> None:
    made, (main, side) = make(tmp_path), pty.openpty()
    settings = termios.tcgetattr(side)
    settings[3] &= ~(termios.ECHO | termios.ICANON)
    termios.tcsetattr(side, termios.TCSANOW, settings)
    words = sandbox.command(made, [sys.executable, "-I", "-c", TYPES])
    command = [sys.executable, "-c", HANDED.replace("map(int, sys.argv[1].split(','))", "()"), "1", *words]
    try:
        subprocess.run(
            command, stdin=side, stdout=side, stderr=side, start_new_session=True, check=True,
            timeout=patience(60),
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )  # fmt: skip
        waiting = fcntl.ioctl(side, termios.FIONREAD, b"\0" * 4)
    finally:
        os.close(main)
        os.close(side)
    assert (made.outputs / "tried").exists() and waiting == b"\0" * 4


RAISES = """
import os, resource
found = []
for what, wanted in ((resource.RLIMIT_CORE, 1 << 20), (resource.RLIMIT_NICE, 40), (resource.RLIMIT_RTPRIO, 99)):
    try:
        resource.setrlimit(what, (wanted, wanted))
        found.append("limit")
    except (ValueError, OSError):
        pass
try:
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50))
    found.append("goes first")
except OSError:
    pass
"""


@pytest.mark.attack(rights="stage", stopped="a stage raises none of its limits")
def test_it_takes_no_more_of_the_machine_than_others(tmp_path: Path) -> None:
    made = make(tmp_path)
    source = f"import resource\nresource.setrlimit(resource.RLIMIT_CORE, (0, 0))\n{RAISES}"
    assert inside(made, source) == []


@pytest.fixture(scope="module")
def linked(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], set[str]]:
    """How each way to give a file another name ended, and the names among the outputs."""
    place = tmp_path_factory.mktemp("linked")
    made, given, kept = make(place), place / "given" / "x", place / "kept" / "x"
    for path in (given, kept):
        path.parent.mkdir()
        path.write_text("x")
    ways = {
        "by name": f"os.link({str(given)!r}, target)",
        "by an open file": f"os.link('/proc/self/fd/%d' % os.open({str(given)!r}, os.O_RDONLY), target)",
        "of what it keeps": f"os.link({str(kept)!r}, target)",
        "by a rename": f"os.rename({str(kept)!r}, target)",
    }
    source = """
import os
target = TARGET
try:
    WAY
    found = "linked"
except OSError as error:
    found = error.errno
"""
    asked = {
        how: source.replace("TARGET", repr(str(made.root / "artefacts" / how))).replace("WAY", way)
        for how, way in ways.items()
    }
    found = inside_each(replace(made, read_only_mounts={given.parent: None}, writable_folders=(kept.parent,)), asked)
    return found, {path.name for path in made.outputs.iterdir()}


@pytest.mark.attack(rights="stage", stopped="files are not linked from one mount to another")
@pytest.mark.parametrize("how", ["by name", "by an open file", "of what it keeps", "by a rename"])
def test_a_file_that_others_change_later_is_no_output(linked: tuple[dict[str, Any], set[str]], how: str) -> None:
    """A second name of a file that it may write in the next run would change what was signed."""
    assert linked[0][how] in (errno.EXDEV, errno.EPERM, errno.EROFS) and how not in linked[1]


LEFT = {
    "outputs of another stage": "artefacts/validate/result.json",
    "figures that it does not measure": "measured/clean/facts.json",
    "figures of another stage": "measured/train/facts.json",
    "a report beside its figures": "measured/report.html",
    "the error of another stage": "measured/train.error",
    "a folder that leads to its code": "artefacts/tasks/x",
}
LEAVES = f"""
for name in {[*LEFT.values(), "artefacts/clean/x"]!r}:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text("x")
"""


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory, supervisors: Forking) -> set[str]:
    """What a run has of a stage that left all of these, beside its code and record."""
    layout = a_run(tmp_path_factory.mktemp("left"))
    before = as_it_is(layout.state)
    ended = bring(supervisors, layout, LEAVES)
    assert ended.code == 0, ended.told
    new = as_it_is(layout.state).keys() - before.keys()
    return {name for name in new if not name.startswith(("runs/r1/tasks/", "records/"))}


@pytest.mark.attack(rights="stage", stopped="of the folder of its outputs what is its own is taken")
@pytest.mark.parametrize("what", list(LEFT))
def test_what_it_leaves_in_the_name_of_another_is_not_taken(left: set[str], what: str) -> None:
    assert f"runs/r1/{LEFT[what]}" not in left


def test_what_is_its_own_is_taken_and_nothing_more(left: set[str]) -> None:
    assert left == {"runs/r1/inputs/stages.json", "runs/r1/artefacts/clean/x"}


@pytest.mark.attack(rights="stage", stopped="a supervisor is no process of the sandbox, and signs what ended well")
@pytest.mark.parametrize(
    "how",
    [
        "os.kill(-1, 9)",
        "os.kill(1, 9); os.kill(os.getppid(), 9); os._exit(1)",
        "os.killpg(0, 9)",
        "__import__('ctypes').CDLL(None).prctl(1, 0); os.kill(os.getpid(), 11)",
        "os.execv(Path(sys.executable).with_name('hallmark-stage'), ['hallmark-stage', '-c', 'x clean'])",
    ],
)
def test_who_ends_others_is_not_signed(supervisors: Forking, tmp_path: Path, how: str) -> None:
    layout = a_run(tmp_path)
    before = as_it_is(layout.state / "records")
    ours = str(Path("/proc/self/ns/pid").readlink())
    apart = f"assert os.readlink('/proc/self/ns/pid') != {ours!r}, 'or it ends processes of this machine'"
    ended = bring(supervisors, layout, f"(root / 'artefacts/clean').mkdir(exist_ok=True)\n{apart}\n{how}")
    assert ended.code and not layout.artefacts("clean").exists() and not list((layout.state / "boxes").iterdir())
    assert as_it_is(layout.state / "records") == before


PLANTS: dict[str, Callable[[Path], object]] = {
    "fifo": os.mkfifo,
    "folder": Path.mkdir,
    "loop": lambda path: path.symlink_to(path),
    "without_end": sparse,
    "no_text": lambda path: path.write_bytes(b"\xff\x1b]0;mine\x07" * 9),
}


@pytest.mark.attack(rights="stage", stopped="why a stage failed is read from a file of its own alone")
@pytest.mark.parametrize("plant", PLANTS.values(), ids=PLANTS)
def test_why_it_failed_is_read_to_an_end(tmp_path: Path, plant: Callable[[Path], object]) -> None:
    layout, place = Layout(tmp_path / ".hallmark" / "runs" / "r1"), tmp_path / "place"
    (place / "measured").mkdir(parents=True)
    layout.root.mkdir(parents=True)
    plant(place / "measured" / "clean.error")
    shell._keep_error("clean", layout, place)
    said = layout.root / "measured" / "clean.error"
    assert not said.exists() or said.stat().st_size <= shell.MAX_ERROR_BYTES


@pytest.mark.attack(rights="stage", stopped="of what a stage leaves, plain files and folders are taken")
@pytest.mark.parametrize("place", ["keys", "."])
def test_a_link_for_its_whole_folder_moves_nothing(tmp_path: Path, place: str) -> None:
    layout = a_run(tmp_path)
    before = as_it_is(layout.state)
    outputs = tmp_path / "box" / "artefacts"
    outputs.mkdir(parents=True)
    (outputs / "clean").symlink_to(layout.state / place)
    with pytest.raises(Refused, match="which is no folder; nothing of it is taken"):
        output_check.copy_checked(outputs, "clean", layout.artefacts("clean"), "clean")
    assert as_it_is(layout.state) == before


@pytest.mark.attack(rights="stage", stopped="what is taken belongs to its owner alone")
@pytest.mark.parametrize("mode", [0o777, 0o2777, 0o1777, 0o666])
def test_what_it_leaves_is_nobody_elses_to_read(tmp_path: Path, mode: int) -> None:
    layout = a_run(tmp_path)
    outputs = tmp_path / "box" / "artefacts" / "clean"
    outputs.mkdir(parents=True)
    (outputs / "x").write_text("x")
    for path in (outputs / "x", outputs):
        path.chmod(mode if path.is_dir() or not mode & stat.S_ISGID else 0o777)
    output_check.copy_checked(outputs.parent, "clean", layout.artefacts("clean"), "clean")
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (layout.artefacts("clean"), layout.artefacts("clean") / "x")}
    assert modes <= {0o700, 0o600}
