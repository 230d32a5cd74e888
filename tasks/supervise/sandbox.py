"""Sandbox of a stage, as arguments of bubblewrap.

The sandbox has a file system with mounted files only; private /proc, /tmp and /dev; no other processes; a private
loopback interface unless a network is granted; no capabilities; and only the given environment variables.
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
from tasks.supervise import system_call_filter

BUBBLEWRAP = "bwrap"
OLDEST_VERSION = (0, 8)
"""First version of bubblewrap that can prevent processes in the sandbox from creating namespaces
(`--disable-userns`)."""
BIND_FD_VERSION = (0, 10)
SANDBOX_VARIABLE = "HALLMARK_BOXED"
"""Environment variable. If it is not empty, a stage must run in a sandbox or fail."""
LOCAL_ENVIRONMENT = "local"
SYSTEM_FOLDERS = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/opt", "/sys/fs/cgroup")
ETC_FILES = (
    "/etc/ld.so.cache", "/etc/ssl/certs", "/etc/ssl/openssl.cnf", "/etc/ca-certificates", "/etc/pki/tls/certs",
    "/etc/pki/ca-trust", "/etc/nsswitch.conf", "/etc/hosts", "/etc/host.conf", "/etc/resolv.conf", "/etc/services",
    "/etc/protocols", "/etc/localtime", "/etc/timezone", "/etc/mime.types",
)  # fmt: skip
"""Files and folders in /etc that libraries need. They contain no accounts and no keys."""
ACCELERATOR_DEVICES = ("dev/nvidia*", "dev/dri", "dev/kfd")


@dataclass(frozen=True)
class Sandbox:
    root: Path
    tree: Path
    """Folder that is mounted at `root`, read-only."""
    outputs: Path
    measured: Path
    download_folder: tuple[Path, Path] | None = None
    """Folder for files that the stage fetches, and the path in the sandbox at which it is mounted with write access."""
    read_only_mounts: Mapping[Path, int | None] = field(default_factory=dict)
    """Read-only mounts by path: the descriptor of an open file, or None to mount the file at that path."""
    hidden_files: tuple[Path, ...] = ()
    """Files that are hidden from the stage although their folder is mounted for every stage."""
    writable_folders: tuple[Path, ...] = ()
    network: bool = False
    ports: Collection[int] | None = None
    devices: bool = False
    variables: Mapping[str, str] = field(default_factory=dict)


def is_used(environment: str) -> bool:
    """Return whether stages run in a sandbox in this environment.

    Raises:
        Unavailable: The environment requires a sandbox, and this machine has none.
    """
    why = unavailable_reason()
    if why and environment != LOCAL_ENVIRONMENT:
        raise Unavailable(f"stages run in a sandbox in environment {environment}, and {why}")
    return why is None


@cache
def unavailable_reason() -> str | None:
    if sys.platform != "linux":
        return "bubblewrap needs Linux"
    if (program := _program()) is None:
        return "bubblewrap is not installed (Debian and Ubuntu: `apt install bubblewrap`)"
    if _version() < OLDEST_VERSION:
        return (
            f"bubblewrap {'.'.join(map(str, OLDEST_VERSION))} or newer is needed, and this is "
            f"{version_text() or 'unknown'}"
        )
    with system_call_filter.open_filter() as handle:
        tried = subprocess.run(
            [program, *_namespace_options(False, handle), *_system_mounts(), *_python_mounts(),
             sys.executable, "-I", "-c", ""],
            capture_output=True, text=True, pass_fds=inherited_handles(handle),
        )  # fmt: skip
    if not tried.returncode:
        return None
    said = tried.stderr.strip().splitlines() or ["it says nothing"]
    return f"bubblewrap cannot make a sandbox here ({said[-1]})"


@cache
def version_text() -> str:
    """Return name and version of the sandbox program, such as `bubblewrap 0.11.0`, for stage records."""
    return subprocess.run([_program() or BUBBLEWRAP, "--version"], capture_output=True, text=True).stdout.strip()


@cache
def _version() -> tuple[int, ...]:
    return tuple(int(part) for part in version_text().rpartition(" ")[2].split(".")[:2] if part.isdigit())


def describe_machine() -> str:
    """Return architecture, operating system and Python version, which can explain a difference between two runs."""
    return f"{platform.machine()}, {platform.system()}, Python {platform.python_version()}"


def _program() -> str | None:
    """Return the absolute path of bubblewrap. A program in the current folder is never used."""
    found = shutil.which(BUBBLEWRAP)
    return found if found and Path(found).is_absolute() else None


def require_not_mounted(path: Path) -> None:
    """Verify that `path` is not in a folder that is mounted for every stage.

    Raises:
        Unavailable: Every stage would see the path.
    """
    for place in (*map(Path, SYSTEM_FOLDERS), *_prefixes()):
        if path.resolve().is_relative_to(place.resolve()):
            raise Unavailable(
                f"{path} lies in {place}, which the sandbox of a stage shows; move the checkout or the environment"
            )


def command(box: Sandbox, words: Iterable[str], handle: int | None = None) -> list[str]:
    """Return the command that executes `words` in the sandbox.

    The command must be started with only the sandbox's own environment variables: the first process in the sandbox is
    bubblewrap, and /proc shows the variables with which it was started.

    Args:
        box: The sandbox.
        words: Command to execute in the sandbox.
        handle: File descriptor of a system call filter, which the command inherits; None for no filter.
    """
    return [
        *(
            _program() or BUBBLEWRAP,
            *_namespace_options(box.network, handle),
            *_system_mounts(),
            *_home_mount(),
            *_python_mounts(),
        ),
        *(word for path in box.hidden_files for word in _mount("--ro-bind", Path(os.devnull), path)),
        *_device_mounts(box.devices),
        *_mount("--ro-bind", box.tree, box.root),
        *_mount("--bind", box.outputs, box.root / "artefacts"),
        *_mount("--bind", box.measured, box.root / "measured"),
        *(_mount("--bind", *box.download_folder) if box.download_folder else ()),
        *(word for path, opened in box.read_only_mounts.items() for word in _mount_open_file(opened, path)),
        *(word for path in box.writable_folders for word in _mount("--bind", path, path)),
        *("--remount-ro", "/", "--chdir", str(box.root), "--", *words),
    ]


def environment(box: Sandbox) -> dict[str, str]:
    """Return the environment variables in the sandbox.

    They are not passed as arguments, because every user can read the arguments of every process.
    """
    alone = {} if box.network else {"GLOO_SOCKET_IFNAME": "lo"}  # workers choose an address outside the loopback
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home_folder() or "/tmp"),
        "TMPDIR": "/tmp",
        **alone,
        **box.variables,
    }


def home_folder() -> Path | None:
    """Return the user's home folder, which is empty in the sandbox; None if it does not exist or is the root folder."""
    try:
        path = Path.home()
    except RuntimeError:
        return None
    return path if path.is_dir() and path != Path("/") else None


def inherited_handles(handle: int | None, box: Sandbox | None = None) -> tuple[int, ...]:
    return tuple(each for each in (handle, *(box.read_only_mounts.values() if box else ())) if each is not None)


def _namespace_options(network: bool, handle: int | None) -> list[str]:
    filtered = [] if handle is None else ["--seccomp", str(handle)]
    alone = ["user", "ipc", "pid", "uts", *([] if network else ["net"])]
    return [
        *(f"--unshare-{name}" for name in alone),
        *("--unshare-cgroup-try", "--disable-userns", "--cap-drop", "ALL", "--die-with-parent", *filtered),
    ]


def _system_mounts() -> list[str]:
    mounts: list[str] = []
    for name in SYSTEM_FOLDERS:
        path = Path(name)
        if path.is_symlink():
            mounts += ["--symlink", str(path.readlink()), name]
        elif path.exists():
            mounts += _mount("--ro-bind", path, path)
    for path in map(Path, ETC_FILES):
        if path.exists():
            mounts += _mount("--ro-bind", path, path)
    mounts += ["--proc", "/proc", "--dev", "/dev"]
    mounts += _mount("--ro-bind", Path("/proc/sys"), Path("/proc/sys"))  # root may write it even without capabilities
    for name in ("/dev/shm", "/tmp"):
        mounts += ["--perms", "1777", "--tmpfs", name]
    return mounts


def _home_mount() -> list[str]:
    path = home_folder()
    return ["--tmpfs", str(path)] if path else []


def _python_mounts() -> list[str]:
    return [word for place in _prefixes() for word in _mount("--ro-bind", place, place)]


def _prefixes() -> list[Path]:
    named = (Path(sys.base_prefix), Path(sys.prefix))
    return list(dict.fromkeys(place for path in named for place in (path.resolve(), path)))


def _device_mounts(granted: bool) -> list[str]:
    if not granted:
        return []
    found = [path for pattern in ACCELERATOR_DEVICES for path in Path("/").glob(pattern)]
    described = _mount("--ro-bind", Path("/sys"), Path("/sys")) if found else []
    return described + [word for path in found for word in _mount("--dev-bind", path, path)]


def _mount(how: str, source: Path, place: Path) -> list[str]:
    return [how, str(source), str(place)]


def _mount_open_file(handle: int | None, place: Path) -> list[str]:
    """Return the arguments that mount an open file read-only.

    bubblewrap closes the file descriptor, which leads outside the sandbox, before a process starts in the sandbox.
    """
    if handle is None or _version() < BIND_FD_VERSION:
        return _mount("--ro-bind", place, place)
    return ["--ro-bind-fd", str(handle), str(place)]
