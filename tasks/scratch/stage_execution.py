"""Execution of one stage in a worktree of workspace.py, under a supervisor and in a sandbox like the stages of a run.

DVC is not used. Outputs are not cached, and a stage whose output exists is not executed again.
"""

import shutil
import subprocess
from collections.abc import Callable
from typing import Protocol

from tasks.core.layout import Layout
from tasks.runs.outputs import dvc, dvc_output
from tasks.runs.outputs.dvc_output import DvcOutput
from tasks.supervise import shell
from tasks.supervise.sandbox import REQUIRE_SANDBOX_VARIABLE

LineCallback = Callable[[str], None]


class ProgressReceiver(Protocol):
    def show_step(self, what: str, how: str = "") -> None:
        """Report that a stage is running. `how` is the stage's own progress message."""

    def line(self, text: str) -> None:
        """Report the end of a stage or trial as one line of text."""


def execute_stage(layout: Layout, stage: str, needs_sandbox: bool, on_line: LineCallback) -> None:
    """Execute a stage unless its outputs exist.

    If this process is interrupted, it ends the stage before the interruption is raised again.

    Args:
        layout: Worktree in which the stage runs.
        stage: Name of the stage in DVC.
        needs_sandbox: Whether the stage must run in a sandbox.
        on_line: Function that is called with each line of output.

    Raises:
        HallmarkError: The stage failed.
    """
    outputs = layout.output_folders(stage, has_measurements=True)
    if (outputs[0] / "result.json").is_file():
        return
    for path in outputs:
        shutil.rmtree(path, ignore_errors=True)
    environment = {
        name: value
        for name, value in dvc.stage_environment(stage).items()
        if not name.startswith(dvc.SHARED_SERVICE_PREFIXES)
    }
    output, code = _run_shell(
        layout, stage, environment | {REQUIRE_SANDBOX_VARIABLE: "1" if needs_sandbox else ""}, on_line
    )
    if code:
        raise dvc_output.stage_error(layout.root, stage, code, output)


def _run_shell(layout: Layout, stage: str, environment: dict[str, str], on_line: LineCallback) -> tuple[DvcOutput, int]:
    output = DvcOutput()
    with subprocess.Popen(
        [shell.command_path(), "-c", f"a trial: {stage}"], cwd=layout.root, env=environment,
        start_new_session=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as process:  # fmt: skip
        try:
            for line in output.follow_process(process):
                on_line(line)
            return output, process.wait()
        except BaseException:
            dvc.end_process_group(process)
            raise
