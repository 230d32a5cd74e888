"""What makes two candidates the same: the digest of everything that decides their bytes."""

from pathlib import Path

from tasks.core import config, files
from tasks.core.layout import Layout

UNDECIDING = ("authority.json", "champion.json", "code.json", "request.json")
"""Files of inputs/ that decide who may let a candidate pass, what it is compared with, what else its commit holds and
who asked for it, but not one byte of the candidate."""


def candidate_inputs(layout: Layout) -> str:
    """SHA-256 of everything that decides the candidate.

    That is the parameters (their values: comments and key order count for nothing), the resolved inputs, the code of
    `tasks/`, the graph and the constraints file.
    """
    inputs = {path.name: files.sha256_file(path) for path in deciding_inputs(layout)}
    return files.sha256_bytes(
        files.canonical_json(
            {
                "params": config.plain(config.read_yaml(layout.params)),
                "inputs": inputs,
                "code": files.code_digest(layout.root / "tasks"),
                "graph": files.sha256_file(layout.root / "dvc.yaml"),
                "constraints": files.sha256_file(layout.root / "constraints.txt"),
            }
        )
    )


def deciding_inputs(layout: Layout) -> list[Path]:
    """The files of inputs/ that decide the candidate, sorted by name."""
    return sorted(path for path in layout.inputs.glob("*.json") if path.name not in UNDECIDING)
