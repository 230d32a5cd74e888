"""The sandbox of a stage, as arguments of bubblewrap.

A file system of its own that holds what is mounted, a /proc, /tmp and /dev of its own, no other processes, a loopback
of its own where no network is granted, no capabilities, and the variables that are named.
https://github.com/containers/bubblewrap
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

BUBBLEWRAP = "bwrap"
OLDEST = (0, 8)
"""The first that keeps a process inside from making name spaces of its own (`--disable-userns`)."""
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/opt")
SETTINGS = (
    "/etc/ld.so.cache", "/etc/ssl", "/etc/ca-certificates", "/etc/pki", "/etc/nsswitch.conf", "/etc/hosts",
    "/etc/host.conf", "/etc/resolv.conf", "/etc/services", "/etc/protocols", "/etc/localtime", "/etc/timezone",
    "/etc/mime.types", "/etc/pip.conf", "/etc/xdg/pip",
)  # fmt: skip
"""Of /etc, what libraries ask for. No accounts and no keys."""
ACCELERATORS = ("/dev/nvidia*", "/dev/dri", "/dev/kfd")
HOME = "/tmp"
"""Of a stage; empty when it starts, and gone when it ends."""


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
    reads: tuple[Path, ...] = ()
    writes: tuple[Path, ...] = ()
    network: bool = False
    devices: bool = False
    variables: Mapping[str, str] = field(default_factory=dict)


def why_not() -> str | None:
    """Why this machine has no sandbox; None where it has one."""
    return _why_not()


@cache
def _why_not() -> str | None:
    if sys.platform != "linux":
        return "bubblewrap needs Linux"
    if shutil.which(BUBBLEWRAP) is None:
        return "bubblewrap is not installed (Debian and Ubuntu: `apt install bubblewrap`)"
    told = subprocess.run([BUBBLEWRAP, "--version"], capture_output=True, text=True).stdout
    version = tuple(int(part) for part in told.split()[-1].split(".")[:2] if part.isdigit()) if told else ()
    if version < OLDEST:
        return f"bubblewrap {'.'.join(map(str, OLDEST))} or newer is needed, and this is {told.strip() or 'unknown'}"
    tried = subprocess.run([BUBBLEWRAP, *_apart(False), *_system(), "true"], capture_output=True, text=True)
    if not tried.returncode:
        return None
    said = tried.stderr.strip().splitlines() or ["it says nothing"]
    return f"bubblewrap cannot make a sandbox here ({said[-1]})"


def command(box: Box, words: Iterable[str]) -> list[str]:
    """`words` inside the box. To be started with `environment` and no other: the first process inside is bubblewrap
    itself, and /proc tells with what it was started."""
    return [
        *(BUBBLEWRAP, *_apart(box.network), *_system(), *_python(), *_devices(box.devices)),
        *_mounted("--ro-bind", box.tree, box.root),
        *_mounted("--bind", box.outputs, box.root / "artefacts"),
        *_mounted("--bind", box.measured, box.root / "measured"),
        *(word for path in box.reads for word in _mounted("--ro-bind", path, path)),
        *(word for path in box.writes for word in _mounted("--bind", path, path)),
        *("--chdir", str(box.root), "--", *words),
    ]


def environment(box: Box) -> dict[str, str]:
    """The variables inside. They are no arguments, since everybody can read those of every process."""
    alone = {} if box.network else {"GLOO_SOCKET_IFNAME": "lo"}  # workers look for an address that others can reach
    return {"PATH": os.environ["PATH"], "HOME": HOME, "TMPDIR": HOME, **alone, **box.variables}


def _apart(network: bool) -> list[str]:
    alone = ["user", "ipc", "pid", "uts", *([] if network else ["net"])]
    return [
        *(f"--unshare-{name}" for name in alone),
        *("--unshare-cgroup-try", "--disable-userns", "--cap-drop", "ALL", "--die-with-parent"),
    ]


def _system() -> list[str]:
    mounts: list[str] = []
    for name in SYSTEM:
        path = Path(name)
        if path.is_symlink():
            mounts += ["--symlink", str(path.readlink()), name]
        elif path.exists():
            mounts += _mounted("--ro-bind", path, path)
    for name in SETTINGS:
        if Path(name).exists():
            mounts += ["--ro-bind", name, name]
    return [
        *mounts,
        *("--proc", "/proc", "--dev", "/dev", "--perms", "1777", "--tmpfs", "/dev/shm", "--perms", "1777", "--tmpfs"),
        "/tmp",
    ]


def _python() -> list[str]:
    """This environment and the Python that it is made of; more than once is no harm."""
    places = dict.fromkeys((Path(sys.base_prefix).resolve(), Path(sys.prefix).resolve(), Path(sys.prefix)))
    return [word for place in places for word in _mounted("--ro-bind", place, place)]


def _devices(granted: bool) -> list[str]:
    found = [path for pattern in ACCELERATORS for path in Path("/").glob(pattern[1:])] if granted else []
    return [word for path in found for word in _mounted("--dev-bind", path, path)]


def _mounted(how: str, source: Path, place: Path) -> list[str]:
    return [how, str(source), str(place)]
