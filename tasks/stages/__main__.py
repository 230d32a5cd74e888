"""`python -m tasks.stages STAGE`: one stage, in the current folder, by hand. dvc.yaml starts it by start.py."""

import argparse
import sys
from pathlib import Path

from tasks.core import code
from tasks.core.graph import RUNS
from tasks.core.layout import Layout
from tasks.stages import runner, same_python

CODE = "code"
"""No stage of a run: by hand DVC runs it first, and then knows whose code has changed (`tasks.core.code`)."""


def run_stage(name: str, root: Path) -> None:
    """Run a stage in the worktree at `root`. Raises HallmarkError for what a person can mend."""
    if name == CODE:
        code.write(Layout(root))
    else:
        same_python.require(name, Layout(root))
        runner.run_module(RUNS[name].module, name.partition("@")[2], root)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tasks.stages", description=__doc__)
    parser.add_argument("stage", choices=[CODE, *RUNS])
    name = parser.parse_args().stage
    if name == CODE:
        code.write(Layout(Path.cwd().resolve()))
        return 0
    return runner.run(name, RUNS[name].module, lambda root: same_python.require(name, Layout(root)))


if __name__ == "__main__":
    sys.exit(main())
