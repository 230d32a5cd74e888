"""Sandbox of a stage, as command-line arguments of bubblewrap.

In the sandbox, a stage sees only mounted files, its own processes, and private /proc, /tmp and /dev. It has no
capabilities, only the given environment variables, and only a private loopback interface unless a network is granted.
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
OLDEST_BUBBLEWRAP_VERSION = (0, 8)
"""Oldest supported version of bubblewrap: the first that can prevent processes in the sandbox from creating namespaces
(`--disable-userns`)."""
OLDEST_VERSION_WITH_BIND_FD = (0, 10)
REQUIRE_SANDBOX_VARIABLE = "HALLMARK_BOXED"
"""Name of an environment variable. If its value is not empty, a stage must run in a sandbox or fail."""
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
    code_folder: Path
    """Folder that is mounted read-only at `root`."""
    output_folder: Path
    measurement_folder: Path
    download_folder: tuple[Path, Path] | None = None
    """Folder for files that the stage fetches, and the path in the sandbox at which this folder is mounted with write
    access."""
    read_only_mounts: Mapping[Path, int | None] = field(default_factory=dict)
    """Read-only mounts, by path in the sandbox. The value is the descriptor of an open file, or None to mount the file
    that has the same path outside the sandbox."""
    hidden_files: tuple[Path, ...] = ()
    """Files that are hidden from the stage although their folder is mounted for every stage."""
    writable_folders: tuple[Path, ...] = ()
    has_network: bool = False
    ports: Collection[int] | None = None
    has_accelerators: bool = False
    variables: Mapping[str, str] = field(default_factory=dict)


def uses_sandbox(environment: str) -> bool:
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
    if (program := _bubblewrap_path()) is None:
        return "bubblewrap is not installed (Debian and Ubuntu: `apt install bubblewrap`)"
    if _version_numbers() < OLDEST_BUBBLEWRAP_VERSION:
        return (
            f"bubblewrap {'.'.join(map(str, OLDEST_BUBBLEWRAP_VERSION))} or newer is needed, and this is "
            f"{sandbox_version() or 'unknown'}"
        )
    with system_call_filter.open_filter() as handle:
        tried = subprocess.run(
            [program, *_namespace_options(False, handle), *_system_mounts(), *_python_mounts(),
             sys.executable, "-I", "-c", ""],
            capture_output=True, text=True, pass_fds=inherited_descriptors(handle),
        )  # fmt: skip
    if not tried.returncode:
        return None
    said = tried.stderr.strip().splitlines() or ["it says nothing"]
    return f"bubblewrap cannot make a sandbox here ({said[-1]})"


@cache
def sandbox_version() -> str:
    """Return the name and version of the sandbox program for stage records, such as `bubblewrap 0.11.0`."""
    return subprocess.run(
        [_bubblewrap_path() or BUBBLEWRAP, "--version"], capture_output=True, text=True
    ).stdout.strip()


@cache
def _version_numbers() -> tuple[int, ...]:
    return tuple(int(part) for part in sandbox_version().rpartition(" ")[2].split(".")[:2] if part.isdigit())


def describe_machine() -> str:
    """Return the architecture, operating system and Python version. They can explain differences between two runs."""
    return f"{platform.machine()}, {platform.system()}, Python {platform.python_version()}"


def _bubblewrap_path() -> str | None:
    """Return the absolute path of bubblewrap. A program in the current folder is never used."""
    found = shutil.which(BUBBLEWRAP)
    return found if found and Path(found).is_absolute() else None


def require_not_mounted(path: Path) -> None:
    """Verify that `path` is not in a folder that is mounted for every stage.

    Raises:
        Unavailable: The path is in such a folder, so every stage would see it.
    """
    for place in (*map(Path, SYSTEM_FOLDERS), *_python_folders()):
        if path.resolve().is_relative_to(place.resolve()):
            raise Unavailable(
                f"{path} lies in {place}, which the sandbox of a stage shows; move the checkout or the environment"
            )


def sandbox_command(sandbox: Sandbox, inner_command: Iterable[str], filter_descriptor: int | None = None) -> list[str]:
    """Return the command that executes `inner_command` in the sandbox.

    The command must be started with no environment variables except those that `environment` returns. The sandbox's
    first process is bubblewrap, and the stage can read that process's variables in /proc.

    Args:
        sandbox: The sandbox.
        inner_command: Command to execute in the sandbox.
        filter_descriptor: File descriptor of a system call filter, which the command must inherit; None for no filter.
    """
    return [
        *(
            _bubblewrap_path() or BUBBLEWRAP,
            *_namespace_options(sandbox.has_network, filter_descriptor),
            *_system_mounts(),
            *_home_mount(),
            *_python_mounts(),
        ),
        *(word for path in sandbox.hidden_files for word in _mount("--ro-bind", Path(os.devnull), path)),
        *_device_mounts(sandbox.has_accelerators),
        *_mount("--ro-bind", sandbox.code_folder, sandbox.root),
        *_mount("--bind", sandbox.output_folder, sandbox.root / "artefacts"),
        *_mount("--bind", sandbox.measurement_folder, sandbox.root / "measured"),
        *(_mount("--bind", *sandbox.download_folder) if sandbox.download_folder else ()),
        *(word for path, opened in sandbox.read_only_mounts.items() for word in _mount_open_file(opened, path)),
        *(word for path in sandbox.writable_folders for word in _mount("--bind", path, path)),
        *("--remount-ro", "/", "--chdir", str(sandbox.root), "--", *inner_command),
    ]


def sandbox_environment(sandbox: Sandbox) -> dict[str, str]:
    """Return the environment variables in the sandbox.

    They are not passed as arguments, because every user can read the arguments of every process.
    """
    alone = (
        {} if sandbox.has_network else {"GLOO_SOCKET_IFNAME": "lo"}
    )  # workers choose an address outside the loopback
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home_folder() or "/tmp"),
        "TMPDIR": "/tmp",
        **alone,
        **sandbox.variables,
    }


def home_folder() -> Path | None:
    """Return the user's home folder; None if it does not exist or is the root folder.

    In the sandbox, this folder is empty.
    """
    try:
        path = Path.home()
    except RuntimeError:
        return None
    return path if path.is_dir() and path != Path("/") else None


def inherited_descriptors(filter_descriptor: int | None, sandbox: Sandbox | None = None) -> tuple[int, ...]:
    return tuple(
        each
        for each in (filter_descriptor, *(sandbox.read_only_mounts.values() if sandbox else ()))
        if each is not None
    )


def _namespace_options(network: bool, filter_descriptor: int | None) -> list[str]:
    filtered = [] if filter_descriptor is None else ["--seccomp", str(filter_descriptor)]
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
    return [word for place in _python_folders() for word in _mount("--ro-bind", place, place)]


def _python_folders() -> list[Path]:
    named = (Path(sys.base_prefix), Path(sys.prefix))
    return list(dict.fromkeys(place for path in named for place in (path.resolve(), path)))


def _device_mounts(granted: bool) -> list[str]:
    if not granted:
        return []
    found = [path for pattern in ACCELERATOR_DEVICES for path in Path("/").glob(pattern)]
    described = _mount("--ro-bind", Path("/sys"), Path("/sys")) if found else []
    return described + [word for path in found for word in _mount("--dev-bind", path, path)]


def _mount(option: str, source: Path, target: Path) -> list[str]:
    return [option, str(source), str(target)]


def _mount_open_file(descriptor: int | None, target: Path) -> list[str]:
    """Return the arguments that mount an open file read-only.

    The file descriptor leads outside the sandbox, so bubblewrap closes it before a process starts in the sandbox.
    """
    if descriptor is None or _version_numbers() < OLDEST_VERSION_WITH_BIND_FD:
        return _mount("--ro-bind", target, target)
    return ["--ro-bind-fd", str(descriptor), str(target)]
