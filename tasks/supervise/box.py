"""The sandbox of a stage, as arguments of bubblewrap.

A file system of its own that holds what is mounted, a /proc, /tmp and /dev of its own, no other processes, a loopback
of its own where no network is granted, no capabilities, and the variables that are named.
https://github.com/containers/bubblewrap
"""

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from tasks.core.errors import Unavailable
from tasks.supervise import calls

BUBBLEWRAP = "bwrap"
OLDEST = (0, 8)
"""The first that keeps a process inside from making name spaces of its own (`--disable-userns`)."""
BY_HANDLE = (0, 10)
"""The first that mounts what is open (`--ro-bind-fd`)."""
BOXED = "HALLMARK_BOXED"
"""Environment variable: not empty where a stage runs in the sandbox or not at all."""
LOCAL = "local"
"""The environment in which stages may run without a sandbox."""
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/opt", "/sys/fs/cgroup")
SETTINGS = (
    "/etc/ld.so.cache", "/etc/ssl/certs", "/etc/ssl/openssl.cnf", "/etc/ca-certificates", "/etc/pki/tls/certs",
    "/etc/pki/ca-trust", "/etc/nsswitch.conf", "/etc/hosts", "/etc/host.conf", "/etc/resolv.conf", "/etc/services",
    "/etc/protocols", "/etc/localtime", "/etc/timezone", "/etc/mime.types",
)  # fmt: skip
"""Of /etc, what libraries ask for. No accounts and no keys."""
ACCELERATORS = ("dev/nvidia*", "dev/dri", "dev/kfd")


@dataclass(frozen=True)
class Box:
    """What a stage finds inside, each thing at its own place."""

    root: Path
    """Of the run's worktree."""
    tree: Path
    """The files that stand there."""
    outputs: Path
    """Folder that artefacts/ is written to."""
    measured: Path
    """Folder that measured/ is written to."""
    fetched: tuple[Path, Path] | None = None
    """Folder that is written to, and the place where the stage finds it: what it fetches from elsewhere."""
    reads: Mapping[Path, int | None] = field(default_factory=dict)
    """What is mounted for reading alone, by its place; its handle, or None: whatever lies at that place."""
    writes: tuple[Path, ...] = ()
    network: bool = False
    ports: Collection[int] | None = None
    """TCP ports that a stage with a network may connect to; None: all."""
    devices: bool = False
    variables: Mapping[str, str] = field(default_factory=dict)


def wanted(environment: str) -> bool:
    """Whether stages run in a sandbox. Raises Unavailable where they have to and this machine has none."""
    why = why_not()
    if why and environment != LOCAL:
        raise Unavailable(f"stages run in a sandbox in environment {environment}, and {why}")
    return why is None


@cache
def why_not() -> str | None:
    """Why this machine has no sandbox; None where it has one."""
    if sys.platform != "linux":
        return "bubblewrap needs Linux"
    if (program := _program()) is None:
        return "bubblewrap is not installed (Debian and Ubuntu: `apt install bubblewrap`)"
    if _version() < OLDEST:
        return f"bubblewrap {'.'.join(map(str, OLDEST))} or newer is needed, and this is {name() or 'unknown'}"
    with calls.filtered() as handle:
        tried = subprocess.run(
            [program, *_separated(False, handle), *_system(), *_python(), sys.executable, "-I", "-c", ""],
            capture_output=True, text=True, pass_fds=handles(handle),
        )  # fmt: skip
    if not tried.returncode:
        return None
    said = tried.stderr.strip().splitlines() or ["it says nothing"]
    return f"bubblewrap cannot make a sandbox here ({said[-1]})"


@cache
def name() -> str:
    """The sandbox of this machine, as records name it: `bubblewrap 0.11.0`."""
    return subprocess.run([_program() or BUBBLEWRAP, "--version"], capture_output=True, text=True).stdout.strip()


@cache
def _version() -> tuple[int, ...]:
    """Its first two numbers; empty where it says something else."""
    return tuple(int(part) for part in name().rpartition(" ")[2].split(".")[:2] if part.isdigit())


def machine() -> str:
    """Its kind, for whoever looks for the reason of a difference."""
    return f"{platform.machine()}, {platform.system()}, Python {platform.python_version()}"


def _program() -> str | None:
    """Never one that lies in the folder that a command is started in."""
    found = shutil.which(BUBBLEWRAP)
    return found if found and Path(found).is_absolute() else None


def require_hidden(path: Path) -> None:
    """Raises Unavailable where every stage would see `path`, since it lies in what is mounted for all of them."""
    for place in (*map(Path, SYSTEM), *_prefixes()):
        if path.resolve().is_relative_to(place.resolve()):
            raise Unavailable(
                f"{path} lies in {place}, which the sandbox of a stage shows; move the checkout or the environment"
            )


def command(box: Box, words: Iterable[str], handle: int | None = None) -> list[str]:
    """`words` inside the box. To be started with `environment` and no other: the first process inside is bubblewrap
    itself, and /proc tells with what it was started. `handle`: of a filter of system calls, which it inherits."""
    return [
        *(_program() or BUBBLEWRAP, *_separated(box.network, handle), *_system(), *_home(), *_python()),
        *_devices(box.devices),
        *_mounted("--ro-bind", box.tree, box.root),
        *_mounted("--bind", box.outputs, box.root / "artefacts"),
        *_mounted("--bind", box.measured, box.root / "measured"),
        *(_mounted("--bind", *box.fetched) if box.fetched else ()),
        *(word for path, opened in box.reads.items() for word in _mounted_open(opened, path)),
        *(word for path in box.writes for word in _mounted("--bind", path, path)),
        *("--remount-ro", "/", "--chdir", str(box.root), "--", *words),
    ]


def environment(box: Box) -> dict[str, str]:
    """The variables inside. They are no arguments, since everybody can read those of every process."""
    alone = {} if box.network else {"GLOO_SOCKET_IFNAME": "lo"}  # workers look for an address that others can reach
    return {"PATH": os.environ["PATH"], "HOME": str(home() or "/tmp"), "TMPDIR": "/tmp", **alone, **box.variables}


def home() -> Path | None:
    """The home of whoever runs the stage, which is empty inside; None for who has none, or has the root."""
    try:
        path = Path.home()
    except RuntimeError:
        return None
    return path if path.is_dir() and path != Path("/") else None


def handles(handle: int | None, box: Box | None = None) -> tuple[int, ...]:
    """What a process inherits besides its standard streams."""
    return tuple(each for each in (handle, *(box.reads.values() if box else ())) if each is not None)


def _separated(network: bool, handle: int | None) -> list[str]:
    """From the machine: everything that bubblewrap can take away."""
    filtered = [] if handle is None else ["--seccomp", str(handle)]
    alone = ["user", "ipc", "pid", "uts", *([] if network else ["net"])]
    return [
        *(f"--unshare-{name}" for name in alone),
        *("--unshare-cgroup-try", "--disable-userns", "--cap-drop", "ALL", "--die-with-parent", *filtered),
    ]


def _system() -> list[str]:
    mounts: list[str] = []
    for name in SYSTEM:
        path = Path(name)
        if path.is_symlink():
            mounts += ["--symlink", str(path.readlink()), name]
        elif path.exists():
            mounts += _mounted("--ro-bind", path, path)
    for path in map(Path, SETTINGS):
        if path.exists():
            mounts += _mounted("--ro-bind", path, path)
    mounts += ["--proc", "/proc", "--dev", "/dev"]
    mounts += _mounted("--ro-bind", Path("/proc/sys"), Path("/proc/sys"))  # which root may write, capabilities or not
    for name in ("/dev/shm", "/tmp"):
        mounts += ["--perms", "1777", "--tmpfs", name]
    return mounts


def _home() -> list[str]:
    """Empty. What a stage is granted of it is mounted into it."""
    path = home()
    return ["--tmpfs", str(path)] if path else []


def _python() -> list[str]:
    return [word for place in _prefixes() for word in _mounted("--ro-bind", place, place)]


def _prefixes() -> list[Path]:
    """This environment and the Python that it is made of, also where links lead through another place."""
    named = (Path(sys.base_prefix), Path(sys.prefix))
    return list(dict.fromkeys(place for path in named for place in (path.resolve(), path)))


def _devices(granted: bool) -> list[str]:
    if not granted:
        return []
    found = [path for pattern in ACCELERATORS for path in Path("/").glob(pattern)]
    described = _mounted("--ro-bind", Path("/sys"), Path("/sys")) if found else []
    return described + [word for path in found for word in _mounted("--dev-bind", path, path)]


def _mounted(how: str, source: Path, place: Path) -> list[str]:
    return [how, str(source), str(place)]


def _mounted_open(handle: int | None, place: Path) -> list[str]:
    """For reading alone. bubblewrap closes the handle, which would lead out, before anything runs inside."""
    if handle is None or _version() < BY_HANDLE:
        return _mounted("--ro-bind", place, place)
    return ["--ro-bind-fd", str(handle), str(place)]
