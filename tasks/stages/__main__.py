"""Run one stage by hand in the current folder: `python -m tasks.stages STAGE`. dvc.yaml uses start.py instead."""

import argparse
import sys
from pathlib import Path

from tasks.core import code_digest
from tasks.core.graph import DVC_STAGES
from tasks.core.layout import Layout
from tasks.stages import python_version, runner

CODE_DIGEST_STAGE = "code"
"""Name of the stage that writes the code digests of all stages (`tasks.core.code_digest`).

This stage is not part of a run. When somebody runs the pipeline by hand, DVC runs it first to detect which code has
changed.
"""


def run_stage(name: str, root: Path) -> None:
    """Run a stage in the worktree at `root`.

    Raises:
        HallmarkError: The stage failed for a reason that a person can correct.
    """
    if name == CODE_DIGEST_STAGE:
        code_digest.write_digests(Layout(root))
    else:
        python_version.require_run_python_version(name, Layout(root))
        runner.run_module(DVC_STAGES[name].module_name, name.partition("@")[2], root)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tasks.stages", description=__doc__)
    parser.add_argument("stage", choices=[CODE_DIGEST_STAGE, *DVC_STAGES])
    name = parser.parse_args().stage
    if name == CODE_DIGEST_STAGE:
        code_digest.write_digests(Layout(Path.cwd().resolve()))
        return 0
    return runner.run(
        name, DVC_STAGES[name].module_name, lambda root: python_version.require_run_python_version(name, Layout(root))
    )


if __name__ == "__main__":
    sys.exit(main())
