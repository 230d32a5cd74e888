"""Execution of one stage in a worktree of workspace.py, with the supervisor and the sandbox of a run's stages.

DVC is not used: outputs are not cached, and a stage whose output exists is not executed again.
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
        """Report that a stage is running. `how` is the stage's own progress message."""

    def line(self, text: str) -> None:
        """Report the end of a stage or trial as one line of text."""


def execute_stage(layout: Layout, stage: str, boxed: bool, say: OnLine) -> None:
    """Execute a stage unless its outputs exist.

    If this process is interrupted, the stage is ended before the interruption is raised again.

    Args:
        layout: Worktree in which the stage runs.
        stage: Name of the stage in DVC.
        boxed: Whether the stage must run in a sandbox.
        say: Called with each line of output.

    Raises:
        HallmarkError: The stage failed.
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
