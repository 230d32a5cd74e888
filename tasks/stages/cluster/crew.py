"""The workers that a stage spreads its work over: how many, and what each takes of a machine."""

import os
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

START = Path(__file__).parents[1] / "start.py"


@dataclass(frozen=True)
class Crew:
    section: str
    """Of params.yaml, where these settings stand."""
    workers: int
    threads: int
    """CPU threads of each."""
    gpu: bool
    """Each has a GPU."""
    own: Mapping[str, str] = field(default_factory=dict)
    """Environment variables that the workers of no other stage have."""

    @property
    def needs(self) -> dict[str, float]:
        """What a worker takes of a machine, as Ray counts it."""
        return {"CPU": self.threads, **({"GPU": 1} if self.gpu else {})}

    @property
    def needs_in_words(self) -> str:
        return f"{self.threads} CPUs" + (" and a GPU" if self.gpu else "")

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables of the workers."""
        return {
            "OMP_NUM_THREADS": str(self.threads),
            # Threads that wait for each other give up their core soon. By default they spin, and one busy neighbour on
            # two cores slows training fifteenfold; like this it is halved, and a quiet machine loses a tenth.
            "GOMP_SPINCOUNT": os.environ.get("GOMP_SPINCOUNT", "1000"),
            "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
            "TOKENIZERS_PARALLELISM": "false",
            "HF_HUB_OFFLINE": "1",
            **self.own,
        }


def python(sent: bool = False) -> str:
    """What Ray starts a worker by, as a shell reads it: like a stage, with the code of this worktree alone. `sent`: the
    code was, and lies in the folder that a worker starts in."""
    start = START.relative_to(START.parents[2]) if sent else START
    return shlex.join([sys.executable, "-I", str(start)])
