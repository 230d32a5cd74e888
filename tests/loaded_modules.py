"""Which libraries a command loads, in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

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


def loaded(*args: str, **env: str) -> set[str]:
    """Top-level names of what `hallmark ARGS` loads; it must succeed."""
    done = subprocess.run(
        [sys.executable, "-c", CODE, *args], cwd=ROOT, env=os.environ | env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return set(done.stderr.splitlines()[-1].split())
