"""Libraries that a command loads in a process of its own."""

import subprocess
import sys
from pathlib import Path

from tests.forking import Forking

ROOT = Path(__file__).parents[1]
HEAVY = {
    "boto3", "deepspeed", "dvc", "great_expectations", "mlflow", "model_signing", "numpy", "pandas", "peft", "prefect",
    "presidio_analyzer", "pyarrow", "ray", "sigstore", "spacy", "torch", "transformers",
}  # fmt: skip
"""Libraries whose import takes longer than most commands do."""
CODE = """
import sys
from infra.cli import main
try:
    main()
finally:
    print(*{name.partition(".")[0] for name in sys.modules}, file=sys.stderr)
"""


def loaded(*args: str, code: str = CODE, by: Forking | None = None) -> set[str]:
    """Return the top-level names of all modules that `hallmark ARGS` loads; it must succeed.

    The command runs in a new Python, or in a process forked by `by`.
    """
    if by:
        done = by.run(code, *args, cwd=ROOT)
    else:
        done = subprocess.run([sys.executable, "-c", code, *args], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(done.stderr.splitlines()[-1].split())
