"""A stage through `dvc repro`, in the run's worktree, with the cache that all worktrees share."""

import io
import os
import re
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
from tasks.core.config import Frozen
from tasks.core.errors import InputError, Late, Unavailable
from tasks.core.files import write_bytes
from tasks.core.layout import EXPERIMENTS, Layout
from tasks.core.processes import runs
from tasks.core.progress import duration
from tasks.runs import dvc_lock, dvc_told
from tasks.runs.dvc_told import Told
from tasks.runs.environment import INTO_A_PROCESS
from tasks.stages.runner import STARTED_BY
from tasks.supervise.box import BOXED
from tasks.trust.stage_record import SignedRecord

PROGRESS = re.compile(r"^progress \S+ (?P<how>(?:(?P<done>\d+)/(?P<total>\d+))?.*)$")
"""What a stage prints while it works (`core.progress`): `progress train 120/480 loss 0.412 330 tok/s eta 4m10s`, or
words alone."""

VAULTED = "ingest"
"""The stage that fills the vault, and the one that reads the sources."""
PUSH = "push"
"""No stage: DVC as a run calls it itself, to push what its stages made, or to pull it elsewhere."""

ON_A_CLUSTER = ("train", *(name for name, stage in graph.RUNS.items() if stage.name == "predict"))
"""Stages whose workers may be on one. Their grants (tasks/supervise/grants.py) say whether those of a run are."""

GIVEN_TO: Mapping[str, tuple[str, ...]] = {
    "PREFECT": (),
    "GIT_": (),
    "HALLMARK_LEDGER": (),
    "HALLMARK_GIT_REMOTE": (),
    "HALLMARK_VAULT": (VAULTED,),
    "PGPASS": (VAULTED,),  # its own vault's, where the URL has none
    "AWS_": (VAULTED, PUSH),
    "SSH_": (PUSH,),
    "MLFLOW_": (),
    "RAY_AUTH": ON_A_CLUSTER,
    "HALLMARK_TRAINING": ON_A_CLUSTER,
}
"""Beginnings of the names of variables that not every stage gets, with the stages that do. They are passwords or the
way to what a stage has no business with, and a stage is the run's own code."""

DVC = (sys.executable, "-I", "-m", "dvc")
"""Isolated: it starts in the worktree, and would import whatever has the name of a module there."""

APART = ("HALLMARK_VAULT_URL",)
"""Beginnings of the names of variables that lead to what is shared: a stage that is to leave nothing there has none."""

OURS: Mapping[str, bytes] = {
    ".dvc/config": b"[core]\n    analytics = false\n    check_update = false\n    autostage = false\n",
    ".dvcignore": b"# What DVC passes over in a run: nothing.\n",
}
"""What stands in a run's worktree in place of what its commit has there."""

ADVICE = ("To track the changes", "git add", "To enable auto staging", "dvc config core.autostage", "Use `dvc push`")
"""What DVC tells a person after every stage, and a run does by itself."""


class StageOutcome(Frozen):
    stage: str
    seconds: float
    """Wall-clock seconds of the whole `dvc repro`."""
    cached: bool
    """True where nothing was computed: unchanged, or restored from the cache."""
    record: SignedRecord | None = None
    """What it read and left; null for work by hand."""


def configure(layout: Layout) -> None:
    """Point a worktree's DVC at the cache of its checkout. Kept out of git by DVC's own ignore file.

    Of what a commit says of DVC itself nothing counts: a remote, a place for DVC's own database or a file to pass over
    would be the commit's, and DVC works for whoever judges it.

    Everything else in that file stays, comments too: a developer's remotes and their credentials stand there. The path
    is relative, as DVC reads it from the folder of that file, so that a copy of the checkout has a cache of its own.
    """
    _put_ours(layout)
    path = layout.root / ".dvc" / "config.local"
    cache = os.path.relpath(layout.world / "cache", path.parent.resolve())
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
    say: Callable[[str], None],
    force: bool = False,
    apart: bool = False,
    supervised: bool = False,
    boxed: bool = True,
    most: float | None = None,
) -> StageOutcome:
    """Run one stage and nothing before it; with `force` even where nothing changed. `say` gets every line of output.
    With `apart`, the vault is that of the worktree's own state, wherever the environment has another. With
    `supervised`, `tasks.supervise` runs the stage and signs what it left, as it does for every stage of a run; with
    `boxed` in the sandbox or not at all. After `most` seconds it is ended, which raises Late.

    Raises the stage's own error with its own message: InputError, Refused or Unavailable. An interruption ends the
    stage's whole process group before it is passed on.
    """
    started = time.monotonic()
    environment = environment_of(stage)
    if apart:
        environment = {name: value for name, value in environment.items() if not name.startswith(APART)}
    if supervised:
        environment |= {"SHELL": _shell(layout), BOXED: "1" if boxed else ""}
    told, code = _dvc(layout, ["repro", "--single-item", *["--force"] * force, "--", stage], environment, say, most)
    if code:
        exited = told.exited()
        raise dvc_told.failure(layout.root, stage, code if exited is None else exited, told)
    return StageOutcome(stage=stage, seconds=time.monotonic() - started, cached=not told.ran)


def commit(layout: Layout, stage: str) -> None:
    """Have the cache, and dvc.lock, hold a stage's outputs as they lie there. Raises Unavailable with DVC's message."""
    told, code = _dvc(layout, ["commit", "--force", "--", stage], environment_of(PUSH), lambda _: None)
    if code:
        raise Unavailable(f"dvc commit of stage {stage} failed:\n{told.end()}")


def _dvc(
    layout: Layout,
    words: list[str],
    environment: Mapping[str, str],
    say: Callable[[str], None],
    most: float | None = None,
) -> tuple[Told, int]:
    """What DVC printed, and its exit code. An interruption ends its whole process group before it is passed on, and so
    does the end of the time that it has, after which Late is raised."""
    told = Told()
    _put_ours(layout)
    dvc_lock.keep(layout.root)
    with subprocess.Popen(
        [*DVC, *words], cwd=layout.root, env=environment, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as process, _within(most, process) as late:  # fmt: skip
        try:
            for line in told.follow(process):
                if line and not line.lstrip().startswith(ADVICE):
                    say(line)
            code = process.wait()
        except BaseException:
            end(process)
            raise
    if code >= 0:
        dvc_lock.release(layout.root)
    if late.is_set():
        raise Late(f"stage {words[-1]} took longer than the {duration(most or 0)} that it has, and was ended")
    return told, code


@contextmanager
def _within(most: float | None, process: "subprocess.Popen[bytes]") -> Iterator[threading.Event]:
    """End the process where the block takes longer than `most` seconds; the event tells that it was."""
    late = threading.Event()

    def too_late() -> None:
        late.set()
        end(process)

    timer = threading.Timer(most, too_late) if most is not None else None
    if timer:
        timer.daemon = True
        timer.start()
    try:
        yield late
    finally:
        if timer:
            timer.cancel()


def _put_ours(layout: Layout) -> None:
    if layout.root.resolve() != layout.state.parent:
        for name, ours in OURS.items():
            if not (layout.root / name).exists() or (layout.root / name).read_bytes() != ours:
                write_bytes(layout.root / name, ours)


def require_our_graph(layout: Layout) -> None:
    """Raises InputError where a run brings another dvc.yaml: DVC, which keeps the cache, would do what that says."""
    if (layout.root / "dvc.yaml").read_bytes() != graph.dvc_yaml().encode():
        raise InputError(
            "dvc.yaml of the commit is not that of this Hallmark, which decides what stages read and leave; write it "
            "anew (`python -m tasks.core.graph > dvc.yaml`), or ask for the run with the Hallmark of that commit"
        )


def _shell(layout: Layout) -> str:
    from tasks.supervise import shell  # loads a database, which most commands need not wait for

    require_our_graph(layout)
    return str(shell.installed())


def push(layout: Layout) -> None:
    """Push the outputs in a run's dvc.lock to its checkout's default remote; nothing where it has none.

    Raises Unavailable with DVC's own message.
    """
    if _has_remote(layout) and (stages := dvc_lock.stages(layout.root)):
        _carry(layout, "push", *stages)


def pull(layout: Layout) -> None:
    """Fetch the outputs in a run's dvc.lock from its checkout's default remote.

    Raises InputError where it has none, Unavailable with DVC's own message.
    """
    if not _has_remote(layout):
        raise InputError(f"{layout.state.parent}: DVC has no default remote here; `dvc remote add --default NAME URL`")
    if stages := dvc_lock.stages(layout.root):
        _carry(layout, "pull", *stages)


def has_remote(root: Path) -> bool:
    """Whether a checkout has a default remote."""
    return "remote" in _config(root)["core"]


def _has_remote(layout: Layout) -> bool:
    _take_remotes(layout)
    return has_remote(layout.root)


def _carry(layout: Layout, *words: str) -> None:
    done = subprocess.run(
        [*DVC, *words], cwd=layout.root, env=environment_of(PUSH), text=True,
        check=False, stdin=subprocess.DEVNULL, capture_output=True,
    )  # fmt: skip
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or done.stderr.splitlines()[-1:]
        raise Unavailable(f"dvc {words[0]} failed: {' '.join(said)}")


def _take_remotes(layout: Layout) -> None:
    """Copy the checkout's remotes, of .dvc/config and config.local, to the worktree's config.local, as they are now.

    What comes from one is compared with its digest, since all runs share the cache.
    """
    checkout = _config(layout.state.parent)
    with _config(layout.root).edit("local") as local:
        for theirs in (checkout.load_one("repo"), checkout.load_one("local")):
            local["core"] |= {name: value for name, value in theirs["core"].items() if name == "remote"}
            for name, remote in theirs["remote"].items():
                local["remote"][name] = dict(remote)
        for remote in local["remote"].values():
            remote |= _compared(remote.get("url", ""))
            if layout.is_apart:
                remote["url"] = f"{remote['url'].rstrip('/')}/{EXPERIMENTS}"


def _compared(url: str) -> dict[str, bool]:
    """The setting by which DVC compares what it fetches with its digest; hdfs has none."""
    from dvc.config_schema import REMOTE_SCHEMAS

    return {"verify": True} if "verify" in REMOTE_SCHEMAS.get(urlsplit(url).scheme, {}) else {}


def _config(root: Path) -> Any:
    """DVC's own configuration of a folder; paths in it come back absolute and are written relative to where they go."""
    from dvc.config import Config

    return Config(str(root / ".dvc"))


def environment_of(stage: str) -> dict[str, str]:
    """What a stage is started with. Its `python` is this one; of what `GIVEN_TO` names it holds its own.

    Libraries draw no progress bars into the log, where every frame would be a line; a stage tells its own progress.
    """
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    withheld = _withheld(stage)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(withheld)}
    return kept | {
        "PATH": path,
        "TQDM_DISABLE": "1",
        STARTED_BY: str(os.getpid()),
    }


def _withheld(stage: str) -> tuple[str, ...]:
    """Beginnings of the names of variables that a stage does not get."""
    return (*INTO_A_PROCESS, *(beginning for beginning, given in GIVEN_TO.items() if stage not in given))


PATIENCE = 28.0
"""Seconds that DVC and the supervisor of its stage have to end in, of the 30 that Prefect gives a flow run. The
supervisor gives the stage a little less (`supervise/process.py`)."""
SILENT = 3.0
"""Seconds after which a person is told what is waited for."""


def end(process: "subprocess.Popen[bytes]") -> None:
    """Ask the process group to stop, then make it, and wait for all of it: DVC ends at once, its stage later."""
    for sign, patience in ((signal.SIGTERM, SILENT), (None, PATIENCE - SILENT), (signal.SIGKILL, 10.0)):
        if not _goes_on(process):
            return
        if sign:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, sign)
        else:
            print(f"the stage ends: it has {patience:.0f} s for that", file=sys.stderr, flush=True)
        until = time.monotonic() + patience
        while _goes_on(process) and time.monotonic() < until:
            time.sleep(0.1)


def _goes_on(leader: "subprocess.Popen[bytes]") -> bool:
    """Whether a process of its group has not ended."""
    if leader.poll() is None:
        return True
    for process in psutil.process_iter():
        with suppress(ProcessLookupError):
            if os.getpgid(process.pid) == leader.pid and runs(process):
                return True
    return False
