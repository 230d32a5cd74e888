"""Specification of a stage's workers: their number, and the resources that each worker needs."""

import os
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

START_SCRIPT = Path(__file__).parents[1] / "start.py"


@dataclass(frozen=True)
class WorkerSpec:
    section: str
    workers: int
    threads: int
    uses_gpu: bool
    extra_environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def resources(self) -> dict[str, float]:
        return {"CPU": self.threads, **({"GPU": 1} if self.uses_gpu else {})}

    @property
    def resources_text(self) -> str:
        return f"{self.threads} CPUs" + (" and a GPU" if self.uses_gpu else "")

    @property
    def environment(self) -> dict[str, str]:
        return {
            "OMP_NUM_THREADS": str(self.threads),
            # OpenMP threads that wait for each other release their core soon. By default they spin, and then one other
            # busy process on two cores makes training fifteen times slower. With this setting training takes twice as
            # long beside such a process, and a tenth longer on an idle machine.
            "GOMP_SPINCOUNT": os.environ.get("GOMP_SPINCOUNT", "1000"),
            "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
            "TOKENIZERS_PARALLELISM": "false",
            "HF_HUB_OFFLINE": "1",
            **self.extra_environment,
        }


def worker_python_command(is_code_sent: bool = False) -> str:
    """Return the shell command with which Ray starts a worker's Python process.

    Like a stage, the worker is started through start.py.

    Args:
        is_code_sent: Whether Ray has sent the code to the worker. If so, the path of start.py is relative to the
            worker's working folder; otherwise it is the path in this worktree.
    """
    start = START_SCRIPT.relative_to(START_SCRIPT.parents[2]) if is_code_sent else START_SCRIPT
    return shlex.join([sys.executable, "-I", str(start)])
