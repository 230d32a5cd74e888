"""A sandbox to try things in."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tasks.supervise import box
from tasks.supervise.box import Box

needs_sandbox = pytest.mark.skipif(box.why_not() is not None, reason=f"no sandbox here: {box.why_not()}")


def make(place: Path, **more: Any) -> Box:
    """A run's worktree with a file of code, and an empty folder for each kind of output."""
    root = place / "checkout" / ".hallmark" / "runs" / "r1"
    tree, outputs, measured = (place / "box" / name for name in ("tree", "artefacts", "measured"))
    for folder in (root, tree / "artefacts", tree / "measured", outputs, measured):
        folder.mkdir(parents=True)
    (tree / "code.py").write_text("as reviewed\n")
    return Box(root=root, tree=tree, outputs=outputs, measured=measured, **more)


def inside(made: Box, source: str) -> Any:
    """What Python `source` leaves in `found` when it runs in the box."""
    words = [sys.executable, "-I", "-c", f"import json\n{source}\nprint(json.dumps(found))"]
    command, environment = box.command(made, words), box.environment(made)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])
