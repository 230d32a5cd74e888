"""One stage in a worktree of `place.py`: in the sandbox that stages of a run have, and by the same supervisor.

Without DVC: nothing is cached, and what is there is not done again.
"""

import shutil
import subprocess
from collections.abc import Callable
from typing import Protocol

from tasks.core.layout import Layout
from tasks.runs import dvc, dvc_told
from tasks.runs.dvc_told import Told
from tasks.supervise import shell
from tasks.supervise.box import BOXED

Say = Callable[[str], None]


class Watcher(Protocol):
    """Who is told how trials go."""

    def working(self, what: str, how: str = "") -> None:
        """That is at work; `how` is its own word on how far it is."""

    def line(self, text: str) -> None:
        """Something has ended, in words."""


def bring(layout: Layout, stage: str, boxed: bool, say: Say) -> None:
    """Have the stage's outputs lie in the worktree. `say` gets every line of its output.

    Raises the stage's own error, with its own message. An interruption ends the stage before it is passed on.
    """
    outputs = layout.outputs(stage, measures=True)
    if (outputs[0] / "result.json").is_file():
        return
    for path in outputs:
        shutil.rmtree(path, ignore_errors=True)
    environment = {name: value for name, value in dvc.environment_of(stage).items() if not name.startswith(dvc.APART)}
    told, code = _run(layout, stage, environment | {BOXED: "1" if boxed else ""}, say)
    if code:
        raise dvc_told.failure(layout.root, stage, code, told)


def _run(layout: Layout, stage: str, environment: dict[str, str], say: Say) -> tuple[Told, int]:
    told = Told()
    with subprocess.Popen(
        [shell.installed(), "-c", f"a trial: {stage}"], cwd=layout.root, env=environment,
        start_new_session=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as process:  # fmt: skip
        try:
            for line in told.follow(process):
                say(line)
            return told, process.wait()
        except BaseException:
            dvc.end(process)
            raise
