"""Copy of this tree with a stranger's change, in which whatever has to follow from the change is run."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
LEFT_OUT = shutil.ignore_patterns(".*cache", ".git", ".hallmark", ".venv", "__pycache__")


class ChangedTree:
    """Copy of this tree in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = Path(shutil.copytree(ROOT, folder, ignore=LEFT_OUT, symlinks=True))

    def add(self, path: str, text: str) -> None:
        """Add a file."""
        assert not (self.folder / path).exists()
        (self.folder / path).write_text(text)

    def insert(self, path: str, text: str, before: str) -> None:
        """Insert text into a file before each occurrence of `before`."""
        content = (self.folder / path).read_text()
        assert before in content, f"{path} has no {before!r}"
        (self.folder / path).write_text(content.replace(before, text + before))

    def run(self, *words: str) -> str:
        """Run a module or program with the code of the tree, and return its output."""
        done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False, **self._there())
        assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-4000:]
        return done.stdout

    @contextmanager
    def running(self, module: str, *words: str) -> Iterator[None]:
        """Run a server with the code of the tree until the end of the context."""
        with subprocess.Popen([sys.executable, "-m", module, *words], **self._there()) as process:
            try:
                yield
            finally:
                process.terminate()

    def _there(self) -> dict[str, Any]:
        own = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        return {"cwd": self.folder, "env": own | {"PYTHONPATH": str(self.folder)}}
