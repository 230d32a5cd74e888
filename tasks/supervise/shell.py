"""`hallmark-stage -c COMMAND`: the shell by which DVC starts a stage of a run. It starts it in the sandbox, and signs
what it read and left.

DVC is the supervisor's: it keeps what the stage leaves. Of COMMAND, which stands in the run's own dvc.yaml, the name of
the stage is taken and nothing else. Where this machine has no sandbox, the stage runs without one and the record says
so: whoever starts it has looked whether that may be (`box.wanted`).
"""

import contextlib
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil

from tasks.core.errors import HallmarkError, Unavailable
from tasks.core.files import open_plain, read_json, write_bytes
from tasks.core.graph import RUNS
from tasks.core.layout import Layout
from tasks.sources import vault_keys
from tasks.stages.__main__ import STARTED_BY, error_file
from tasks.stages.train import tracking
from tasks.supervise import box, grants, kept, materials, process, shown, taken
from tasks.supervise.box import Box
from tasks.trust import keys, stage_record
from tasks.trust.keys import Signer
from tasks.trust.stage_record import Environment, StageRecord

NAME = "hallmark-stage"
PLACE = "boxes"
"""Folder below .hallmark/ for stages at work. Each has a folder there, which begins with its supervisor's pid."""
FOLLOWED = (vault_keys.FOLDER, grants.TRACKED)
"""Folders that a stage keeps something in and that others open without looking for links."""
MOST_OF_AN_ERROR = 64 * 1024
"""Bytes that a failed stage may say."""


def installed() -> Path:
    """Where this command is. Raises Unavailable where an installation has none."""
    path = Path(sys.executable).with_name(NAME)
    if not path.exists():
        raise Unavailable(f"{path} is not there; install Hallmark again (`make` does, or `pip install --editable .`)")
    return path


def main() -> int:
    stage = sys.argv[-1].rpartition(" ")[2]
    layout = Layout(Path.cwd().resolve())
    if stage not in RUNS:
        print(f"{NAME}: {stage!r} is no stage; they are {', '.join(RUNS)}", file=sys.stderr)
        return 2
    try:
        return run(stage, layout)
    except HallmarkError as error:
        write_bytes(error_file(layout.root, stage), str(error).encode(errors="replace"))
        print(f"{stage}: {error}", file=sys.stderr)
        return error.exit_code


def run(stage: str, layout: Layout) -> int:
    """Run the stage, and where it ended well sign what it read and left. Returns its exit code.

    Raises as `_in_a_box`, InputError where the worker has no key here.
    """
    signer = keys.signer(keys.load_private(layout.state / "keys" / "worker"))
    error_file(layout.root, stage).unlink(missing_ok=True)
    read = materials.read(stage, layout)
    command = [sys.executable, "-I", str(layout.root / "tasks" / "stages" / "start.py"), stage]
    starter = int(os.environ[STARTED_BY]) if STARTED_BY in os.environ else None
    if box.why_not():
        made, code = None, process.run(command, os.environ, starter, boxed=False)
    else:
        made, code = _in_a_box(stage, layout, command, starter)
    if not code:
        _sign(stage, layout, read, made, signer)
    return code


def _sign(stage: str, layout: Layout, read: Mapping[str, str], made: Box | None, signer: Signer) -> None:
    record = StageRecord(
        name=stage,
        command=["python", "-I", "tasks/stages/start.py", stage],
        materials=stage_record.materials(read),
        environment=Environment(
            run=layout.root.name,
            sandbox=box.name() if made else None,
            network=made.network if made else True,
            platform=box.machine(),
        ),
        tree_sha256=read_json(layout.code)["tree_sha256"],
    )
    kept.keep(layout, stage_record.sign(record, materials.left(stage, layout), signer), record.inputs_sha256)


def _in_a_box(stage: str, layout: Layout, command: list[str], starter: int | None) -> tuple[Box, int]:
    """The sandbox in which the stage ran, and its exit code; what it left is in place where it ended well.

    Raises Refused for what is not to be taken, Unavailable where a sandbox would show what it is to hide.
    """
    box.require_hidden(layout.state)
    with _place(layout.state / PLACE) as place:
        made = _box(stage, layout, place)
        code = process.run(box.command(made, command), box.environment(made), starter)
        for folder in (layout.state / name for name in FOLLOWED):
            if folder in made.writes:
                taken.require_no_links(folder, stage)
        _keep_error(stage, layout, place) if code else _take(stage, layout, made)
    return made, code


def _box(stage: str, layout: Layout, place: Path) -> Box:
    """What the stage finds, laid out in `place`."""
    grant = grants.of(stage)
    online = grant.network(layout, os.environ)
    reads = (*shown.inputs(stage, layout), *grants.outside(stage, layout, online))
    made = Box(
        root=layout.root,
        tree=place / "tree",
        outputs=place / "artefacts",
        measured=place / "measured",
        reads=reads,
        writes=tuple(grant.keeps(layout)),
        network=online,
        devices=grant.devices,
        variables=grants.variables(stage, layout, os.environ, online) | (_tracked(layout) if grant.tracks else {}),
    )
    within = Path(stage.replace("@", "/")).parent
    for folder in (made.tree, made.outputs / within, made.measured / within, *made.writes):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    shown.lay_out(stage, layout, reads, made.tree)
    return made


def _tracked(layout: Layout) -> dict[str, str]:
    """What tracking shows, for a stage that sees neither git nor the use case."""
    asked = subprocess.run(["git", "rev-parse", "HEAD"], cwd=layout.root, capture_output=True, text=True)
    return {tracking.COMMIT: asked.stdout.strip(), tracking.USE_CASE: tracking.use_case(layout)}


def _take(stage: str, layout: Layout, made: Box) -> None:
    folder = stage.replace("@", "/")
    places = [(made.outputs / folder, layout.stage(folder)), (made.measured / folder, layout.measured(folder))]
    for left, target in places if RUNS[stage].measures else places[:1]:
        if left.exists():
            taken.take(left, target, stage)


def _keep_error(stage: str, layout: Layout, place: Path) -> None:
    with contextlib.suppress(OSError), open_plain(error_file(place, stage)) as file:
        write_bytes(error_file(layout.root, stage), file.read(MOST_OF_AN_ERROR))


@contextmanager
def _place(home: Path) -> Iterator[Path]:
    """A folder for one sandbox, on the disk of the run. What killed supervisors left goes first."""
    home.mkdir(mode=0o700, exist_ok=True)
    for left in home.iterdir():
        pid = left.name.partition("-")[0]
        if not (pid.isdigit() and psutil.pid_exists(int(pid))):
            taken.remove(left)
    folder = home / f"{os.getpid()}-{secrets.token_hex(4)}"
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        taken.remove(folder)
