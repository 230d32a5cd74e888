"""Execution of stages with `dvc repro` in the worktree of a run, with the cache that all worktrees share."""

import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
from configobj import ConfigObj

from tasks.core import graph
from tasks.core.databases.addresses import VAULT_URL_VARIABLE
from tasks.core.documents.config import FrozenModel
from tasks.core.errors import InputError, TimeLimitExceeded, Unavailable
from tasks.core.files import write_bytes
from tasks.core.formatting import format_duration
from tasks.core.layout import EXPERIMENTS_FOLDER, Layout
from tasks.core.machine.processes import is_running
from tasks.core.machine.transfers import run_transfer
from tasks.runs.environment import CODE_LOADING_PREFIXES
from tasks.runs.outputs import dvc_lock, dvc_output
from tasks.runs.outputs.dvc_output import DvcOutput
from tasks.stages.runner import STARTER_PID_VARIABLE
from tasks.supervise.sandbox import REQUIRE_SANDBOX_VARIABLE
from tasks.trust.stage_record import SignedRecord

INGEST_STAGE = "ingest"
DVC_PSEUDO_STAGE = "push"
"""Pseudo stage name for DVC itself in STAGES_BY_VARIABLE."""

ASKING_STAGES = ("predict", "probe", "leakage")
CLUSTER_STAGES = ("train", *(name for name, stage in graph.DVC_STAGES.items() if stage.name in ASKING_STAGES))
"""Stages whose workers can run on a cluster. Whether they do in a given run depends on the stage's grant
(tasks/supervise/grants.py)."""

STAGES_BY_VARIABLE: Mapping[str, tuple[str, ...]] = {
    "PREFECT": (),
    "GIT_": (),
    "HALLMARK_LEDGER": (),
    "HALLMARK_GIT_REMOTE": (),
    "HALLMARK_VAULT": (INGEST_STAGE,),
    "PGPASS": (INGEST_STAGE,),  # the password of the vault's database, if its URL has none
    "AWS_": (INGEST_STAGE, DVC_PSEUDO_STAGE),
    "SSH_": (DVC_PSEUDO_STAGE,),
    "MLFLOW_": (),
    "RAY_AUTH": CLUSTER_STAGES,
    "HALLMARK_TRAINING": CLUSTER_STAGES,
}
"""Stages that receive an environment variable, by prefix of the variable's name. No other stage gets the variable.
These variables hold passwords or give access to services that stages must not use, because stages execute the run's own
code."""

DVC_COMMAND = (sys.executable, "-I", "-m", "dvc")
"""Command that starts DVC. Option `-I` prevents imports of modules from the worktree."""

DVC_DATABASE_FOLDER = Path(".dvc", "tmp", "site")
"""Folder of DVC's databases, relative to the worktree.

DVC's default is below /var/tmp, in a folder that every user of the machine can write to.
"""

SHARED_SERVICE_PREFIXES = (VAULT_URL_VARIABLE,)
"""Prefixes of environment variables that give access to shared services. They are withheld from stages that must not
change such a service."""

FIXED_FILES: Mapping[str, bytes] = {
    ".dvc/config": b"[core]\n    analytics = false\n    check_update = false\n    autostage = false\n",
    ".dvcignore": b"# What DVC passes over in a run: nothing.\n",
}
"""Fixed content of files in a run's worktree, by path. It replaces the content in the commit."""

DVC_HINTS = ("To track the changes", "git add", "To enable auto staging", "dvc config core.autostage", "Use `dvc push`")
"""Beginnings of the hints that DVC prints after every stage. They are not logged, because a run does these steps
automatically."""


class StageOutcome(FrozenModel):
    stage: str
    seconds: float
    """Wall-clock time in seconds that it took to compute the outputs or to restore them from the cache."""
    cached: bool
    """Whether the outputs already existed or came from the cache, so that the stage was not executed."""
    record: SignedRecord | None = None
    """Signed stage record; null if the stage was not executed for a run."""


def configure_dvc(layout: Layout) -> None:
    """Configure DVC in a worktree: use the checkout's cache, and ignore DVC settings in the commit.

    A commit must not choose a remote, the folder of DVC's database, or files that DVC ignores, because the run's
    outputs are verified with the help of DVC.

    Other settings in `.dvc/config.local` are kept, including comments, because the file can contain a developer's
    remotes and credentials. The path of the cache is relative to that file, so that a copied checkout has its own
    cache.
    """
    _write_fixed_files(layout)
    path = layout.root / ".dvc" / "config.local"
    cache = os.path.relpath(layout.run_state / "cache", path.parent.resolve())
    settings = ConfigObj(str(path), encoding="utf-8")
    before = settings.dict()
    settings.setdefault("cache", {}).update({"dir": cache, "type": "reflink,copy"})
    if settings.dict() != before:
        text = io.BytesIO()
        settings.write(text)
        write_bytes(path, text.getvalue())


def repro(
    layout: Layout,
    stage: str,
    on_line: Callable[[str], None],
    force: bool = False,
    without_shared_services: bool = False,
    supervised: bool = False,
    sandboxed: bool = True,
    max_seconds: float | None = None,
) -> StageOutcome:
    """Run one stage, without the stages before it.

    If this process is interrupted, the whole process group of the stage is terminated, and the exception is raised
    again.

    Args:
        layout: Worktree in which the stage runs.
        stage: Name of the stage in DVC, such as `predict@base`.
        on_line: Called with each line of output.
        force: Whether to run the stage even if nothing has changed.
        without_shared_services: Whether to withhold access to shared services, so that the stage uses the vault in the
            worktree's own state.
        supervised: Whether `tasks.supervise` runs the stage and signs its record. This is required in a run.
        sandboxed: Whether a supervised stage must run in a sandbox. If no sandbox is available, the stage fails.
        max_seconds: Maximum duration in seconds; None for no limit.

    Raises:
        InputError: The stage failed with this error.
        Refused: The stage failed with this error.
        Unavailable: The stage failed with this error.
        TimeLimitExceeded: The stage exceeded its maximum duration and was terminated.
    """
    started = time.monotonic()
    environment = _dvc_environment(layout, stage)
    if without_shared_services:
        environment = {
            name: value for name, value in environment.items() if not name.startswith(SHARED_SERVICE_PREFIXES)
        }
    if supervised:
        environment |= {"SHELL": _shell_command(layout), REQUIRE_SANDBOX_VARIABLE: "1" if sandboxed else ""}
    output, code = _run_dvc(
        layout, ["repro", "--single-item", *["--force"] * force, "--", stage], environment, on_line, max_seconds
    )
    if code:
        exited = output.stage_exit_code()
        raise dvc_output.stage_error(layout.root, stage, code if exited is None else exited, output)
    return StageOutcome(stage=stage, seconds=time.monotonic() - started, cached=not output.has_run_stage)


def commit_outputs(layout: Layout, stage: str) -> None:
    """Store the current outputs of a stage in the cache and in dvc.lock.

    Raises:
        Unavailable: DVC failed; its message is included.
    """
    output, code = _run_dvc(
        layout, ["commit", "--force", "--", stage], _dvc_environment(layout, DVC_PSEUDO_STAGE), lambda _: None
    )
    if code:
        raise Unavailable(f"dvc commit of stage {stage} failed:\n{output.last_lines()}")


def _run_dvc(
    layout: Layout,
    words: list[str],
    environment: Mapping[str, str],
    on_line: Callable[[str], None],
    max_seconds: float | None = None,
) -> tuple[DvcOutput, int]:
    output = DvcOutput()
    _write_fixed_files(layout)
    dvc_lock.back_up_lock(layout.root)
    with subprocess.Popen(
        [*DVC_COMMAND, *words], cwd=layout.root, env=environment, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as process, _time_limit(max_seconds, process) as late:  # fmt: skip
        try:
            for line in output.follow_process(process):
                if line and not line.lstrip().startswith(DVC_HINTS):
                    on_line(line)
            code = process.wait()
        except BaseException:
            end_process_group(process)
            raise
    if code >= 0:
        dvc_lock.remove_backup(layout.root)
    if late.is_set():
        raise TimeLimitExceeded(
            f"stage {words[-1]} took longer than the {format_duration(max_seconds or 0)} that it has, and was ended"
        )
    return output, code


@contextmanager
def _time_limit(max_seconds: float | None, process: "subprocess.Popen[bytes]") -> Iterator[threading.Event]:
    late = threading.Event()

    def too_late() -> None:
        late.set()
        end_process_group(process)

    timer = threading.Timer(max_seconds, too_late) if max_seconds is not None else None
    if timer:
        timer.daemon = True
        timer.start()
    try:
        yield late
    finally:
        if timer:
            timer.cancel()


def _write_fixed_files(layout: Layout) -> None:
    if layout.root.resolve() != layout.state.parent:
        for name, content in FIXED_FILES.items():
            if not (layout.root / name).exists() or (layout.root / name).read_bytes() != content:
                write_bytes(layout.root / name, content)


def require_matching_dvc_yaml(layout: Layout) -> None:
    """Verify that the run's dvc.yaml matches this version of Hallmark, because DVC executes the commands in it.

    Raises:
        InputError: The file differs.
    """
    if (layout.root / "dvc.yaml").read_bytes() != graph.render_dvc_yaml().encode():
        raise InputError(
            "dvc.yaml of the commit is not that of this Hallmark, which decides what stages read and leave; write it "
            "anew (`python -m tasks.core.graph > dvc.yaml`), or ask for the run with the Hallmark of that commit"
        )


def _shell_command(layout: Layout) -> str:
    from tasks.supervise import shell  # imports a database, which most commands do not need

    require_matching_dvc_yaml(layout)
    return str(shell.command_path())


def push_outputs(layout: Layout) -> None:
    """Push the outputs in a run's dvc.lock to the checkout's default remote, if it has one.

    Raises:
        Unavailable: DVC failed; its message is included.
    """
    if _has_remote(layout) and (stages := dvc_lock.stage_names(layout.root)):
        _push_or_pull(layout, "push", *stages)


def pull_outputs(layout: Layout) -> None:
    """Pull the outputs in a run's dvc.lock from the checkout's default remote.

    Raises:
        InputError: The checkout has no default remote.
        Unavailable: DVC failed; its message is included.
    """
    if not _has_remote(layout):
        raise InputError(f"{layout.state.parent}: DVC has no default remote here; `dvc remote add --default NAME URL`")
    if stages := dvc_lock.stage_names(layout.root):
        _push_or_pull(layout, "pull", *stages)


def has_remote(root: Path) -> bool:
    return "remote" in _load_config(root)["core"]


def default_remote_url(root: Path) -> str | None:
    """Return the location of a checkout's default remote; None if it has none."""
    config = _load_config(root)
    name = config["core"].get("remote")
    return str(config["remote"][name]["url"]) if name in config["remote"] else None


def _has_remote(layout: Layout) -> bool:
    _copy_remotes(layout)
    return has_remote(layout.root)


def _push_or_pull(layout: Layout, *words: str) -> None:
    environment = _dvc_environment(layout, DVC_PSEUDO_STAGE)
    done = run_transfer(f"dvc {words[0]}", [*DVC_COMMAND, *words], layout.root, environment)
    if done.returncode:
        lines = done.stderr.decode(errors="replace").splitlines()
        said = [line for line in lines if line.startswith("ERROR")] or lines[-1:]
        raise Unavailable(f"dvc {words[0]} failed: {' '.join(said)}")


def _copy_remotes(layout: Layout) -> None:
    """Copy the checkout's current remotes to the worktree's config.local.

    DVC is configured to verify the digests of fetched files, because all runs share the cache.
    """
    checkout = _load_config(layout.state.parent)
    with _load_config(layout.root).edit("local") as local:
        for theirs in (checkout.load_one("repo"), checkout.load_one("local")):
            local["core"] |= {name: value for name, value in theirs["core"].items() if name == "remote"}
            for name, remote in theirs["remote"].items():
                local["remote"][name] = dict(remote)
        for remote in local["remote"].values():
            remote |= _verify_setting(remote.get("url", ""))
            if layout.is_experiment:
                remote["url"] = f"{remote['url'].rstrip('/')}/{EXPERIMENTS_FOLDER}"


def _verify_setting(url: str) -> dict[str, bool]:
    """Return the setting that makes DVC verify the digests of fetched files; empty for hdfs remotes, which lack it."""
    from dvc.config_schema import REMOTE_SCHEMAS

    return {"verify": True} if "verify" in REMOTE_SCHEMAS.get(urlsplit(url).scheme, {}) else {}


def _load_config(root: Path) -> Any:
    from dvc.config import Config

    return Config(str(root / ".dvc"))


def stage_environment(stage: str) -> dict[str, str]:
    """Return the environment variables with which a stage is started.

    PATH begins with the folder of the current Python. Variables that STAGES_BY_VARIABLE assigns to other stages are
    removed. Progress bars of libraries are disabled, because each update would be a line of the log; stages report
    their own progress.
    """
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    withheld = _withheld_variables(stage)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(withheld)}
    return kept | {
        "PATH": path,
        "TQDM_DISABLE": "1",
        STARTER_PID_VARIABLE: str(os.getpid()),
    }


def _dvc_environment(layout: Layout, stage: str) -> dict[str, str]:
    folder = layout.root.resolve() / DVC_DATABASE_FOLDER
    (folder / "repo").mkdir(mode=0o700, parents=True, exist_ok=True)  # DVC would let everybody write to it
    return stage_environment(stage) | {"DVC_SITE_CACHE_DIR": str(folder)}


def _withheld_variables(stage: str) -> tuple[str, ...]:
    return (
        *CODE_LOADING_PREFIXES,
        *(beginning for beginning, given in STAGES_BY_VARIABLE.items() if stage not in given),
    )


TERMINATION_SECONDS = 28.0
"""Time limit in seconds for DVC and the stage's supervisor to exit after SIGTERM. Prefect gives a flow run 30 seconds,
and the supervisor gives the stage slightly less time (`supervise/process.py`)."""
TERMINATION_NOTICE_SECONDS = 3.0
"""Time in seconds from SIGTERM to the message that the stage is still shutting down."""


def end_process_group(process: "subprocess.Popen[bytes]") -> None:
    """Terminate a process group and wait until all of its processes have exited.

    SIGTERM is sent first, and SIGKILL after a time limit. DVC exits immediately, but its stage can take longer.
    """
    for sign, patience in (
        (signal.SIGTERM, TERMINATION_NOTICE_SECONDS),
        (None, TERMINATION_SECONDS - TERMINATION_NOTICE_SECONDS),
        (signal.SIGKILL, 10.0),
    ):
        if not _is_running(process):
            return
        if sign:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, sign)
        else:
            print(f"the stage ends: it has {patience:.0f} s for that", file=sys.stderr, flush=True)
        until = time.monotonic() + patience
        while _is_running(process) and time.monotonic() < until:
            time.sleep(0.1)


def _is_running(leader: "subprocess.Popen[bytes]") -> bool:
    if leader.poll() is None:
        return True
    for process in psutil.process_iter():
        with suppress(ProcessLookupError):
            if os.getpgid(process.pid) == leader.pid and is_running(process):
                return True
    return False
