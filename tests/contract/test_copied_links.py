"""No copy of a folder of the state follows links, which may lead to a private key."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
COPY = re.compile(r"shutil\.(?:copytree|copy2)\([^\n]*(?:\n        [^\n]*)*")
CODE = {"tasks/stages/cluster/code_copy.py", "tasks/scratch/workspace.py"}
"""Files that copy installed code, which is no state."""


def test_no_copy_of_a_folder_follows_links() -> None:
    following = [
        path.relative_to(ROOT).as_posix()
        for room in ("tasks", "infra", "flows")
        for path in sorted((ROOT / room).rglob("*.py"))
        for call in COPY.findall(path.read_text())
        if "symlinks=True" not in call and "follow_symlinks=False" not in call
    ]
    assert set(following) == CODE
