"""Execution of one stage in a worktree of workspace.py, by the supervisor and in the sandbox that stages of a run have.

DVC is not used: no output is cached, and a stage whose output exists is not executed again.
"""

import shutil
import subprocess
from collections.abc import Callable
from typing import Protocol

from tasks.core.layout import Layout
from tasks.runs.outputs import dvc, dvc_output
from tasks.runs.outputs.dvc_output import DvcOutput
from tasks.supervise import shell
from tasks.supervise.sandbox import SANDBOX_VARIABLE

OnLine = Callable[[str], None]


class ProgressReceiver(Protocol):
    def working(self, what: str, how: str = "") -> None:
        """Report a stage at work; `how` is its own description of its progress."""

    def line(self, text: str) -> None:
        """Report that a stage or trial has ended, in words."""


def execute_stage(layout: Layout, stage: str, boxed: bool, say: OnLine) -> None:
    """Execute a stage unless its outputs exist.

    An interruption ends the stage before it is propagated.

    Args:
        layout: Worktree.
        stage: Name of the stage.
        boxed: Whether to execute it in a sandbox.
        say: Callback that gets every line of its output.

    Raises:
        HallmarkError: The stage failed; the error is its own.
    """
    outputs = layout.output_folders(stage, measures=True)
    if (outputs[0] / "result.json").is_file():
        return
    for path in outputs:
        shutil.rmtree(path, ignore_errors=True)
    environment = {
        name: value
        for name, value in dvc.environment_of(stage).items()
        if not name.startswith(dvc.SHARED_SERVICE_VARIABLES)
    }
    output, code = _run(layout, stage, environment | {SANDBOX_VARIABLE: "1" if boxed else ""}, say)
    if code:
        raise dvc_output.stage_error(layout.root, stage, code, output)


def _run(layout: Layout, stage: str, environment: dict[str, str], say: OnLine) -> tuple[DvcOutput, int]:
    output = DvcOutput()
    with subprocess.Popen(
        [shell.command_path(), "-c", f"a trial: {stage}"], cwd=layout.root, env=environment,
        start_new_session=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as process:  # fmt: skip
        try:
            for line in output.follow(process):
                say(line)
            return output, process.wait()
        except BaseException:
            dvc.end_process_group(process)
            raise
