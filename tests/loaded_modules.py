"""Libraries that a command loads, in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Protocol

ROOT = Path(__file__).parents[1]
HEAVY = {
    "boto3", "deepspeed", "dvc", "great_expectations", "mlflow", "model_signing", "numpy", "pandas", "peft", "prefect",
    "presidio_analyzer", "pyarrow", "ray", "sigstore", "spacy", "torch", "transformers",
}  # fmt: skip
"""What takes longer to import than most commands to run."""
CODE = """
import sys
from infra.cli import main
try:
    main()
finally:
    print(*{name.partition(".")[0] for name in sys.modules}, file=sys.stderr)
"""


class Starter(Protocol):
    """Something that runs Python code in a process of its own: tests.forking.Forking, or a new Python."""

    def run(self, code: str, *args: object, cwd: Path = ...) -> "subprocess.CompletedProcess[str]": ...


class NewPython:
    def run(self, code: str, *args: object, cwd: Path = ROOT) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-c", code, *map(str, args)]
        return subprocess.run(command, cwd=cwd, env=os.environ, capture_output=True, text=True)


def loaded(*args: str, code: str = CODE, by: Starter | None = None) -> set[str]:
    """Return the top-level names of all modules that `hallmark ARGS` loads; it must succeed."""
    done = (by or NewPython()).run(code, *args, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return set(done.stderr.splitlines()[-1].split())
