"""Coordinator of a training run on a cluster whose machines have no disk in common.

The coordinator is one process on the machine that starts the training run. Each worker stores its part of a checkpoint
and reports the digests of its files to the coordinator. The checkpoint is complete when all workers have reported.
Other files in the storage are ignored.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tasks.core.errors import DOCUMENT_ERRORS
from tasks.core.files import read_json, write_json
from tasks.stages.cluster.storage.trees import Tree, require_valid_tree

LOG_FILE, USER_LINES_FILE, MORE_WORKERS_FILE, END_REQUEST_FILE, WEIGHTS_FILE = (
    "record.jsonl",
    "said.txt",
    "more",
    "leave",
    "weights.json",
)
"""Names of files in the scratch folder: training log, lines for the user, sign that there is room for more workers,
request to write a checkpoint and end, and digests of the trained weights. The sign and the request are files that exist
only if they apply."""


@dataclass(frozen=True)
class StoredCheckpoint:
    step: int
    workers: int
    files: Tree


class Coordinator:
    """Coordinator of the workers. It runs as a Ray actor, and can also be called directly without Ray."""

    def __init__(self, checkpoints: Path, scratch: Path, kept_checkpoints: int) -> None:
        self.checkpoints, self.scratch, self.keep = checkpoints, scratch, kept_checkpoints
        self._attempt = 0
        self._parts: dict[int, dict[int, Tree]] = {}

    def begin_attempt(self) -> "tuple[int, list[StoredCheckpoint]]":
        """Begin an attempt, and return its number and the complete checkpoints, newest first."""
        self._attempt, self._parts = self._attempt + 1, {}
        return self._attempt, read_stored_checkpoints(self.checkpoints)

    def remove_newer_checkpoints(self, step: int) -> None:
        """Remove the checkpoints that are newer than the one from which the workers resume.

        The workers have found the newer checkpoints to be damaged or to belong to another training run.

        Args:
            step: Number of completed steps in the checkpoint from which the workers resume; 0 without a checkpoint.
        """
        for each in read_stored_checkpoints(self.checkpoints):
            if each.step > step:
                _checkpoint_file(self.checkpoints, each.step).unlink()

    def begin_log(self, points: Iterable[dict[str, Any]]) -> None:
        """Replace the training log with the steps in the checkpoint from which the workers resume."""
        self._write("w", points)

    def append_to_log(self, point: dict[str, Any]) -> None:
        self._write("a", [point])

    def _write(self, mode: str, points: Iterable[dict[str, Any]]) -> None:
        with (self.scratch / LOG_FILE).open(mode) as file:
            file.write("".join(json.dumps(point) + "\n" for point in points))

    def add_checkpoint_part(self, attempt: int, step: int, rank: int, workers: int, files: Tree) -> list[str]:
        """Add a worker's files to a checkpoint. It is complete once all workers have called this method.

        Args:
            attempt: Number of the worker's attempt. Calls of earlier attempts have no effect.
            step: Number of completed steps in the checkpoint.
            rank: Rank of the worker.
            workers: Number of workers.
            files: Paths and digests of the worker's files.

        Returns:
            Digests of files that no remaining checkpoint needs; empty until the checkpoint is complete.
        """
        if attempt != self._attempt:  # from a thread that outlived its attempt
            return []
        require_valid_tree(files)
        parts = self._parts.setdefault(step, {})
        parts[rank] = files
        if len(parts) < workers:
            return []
        del self._parts[step]
        whole = StoredCheckpoint(
            step, workers, {name: digest for part in parts.values() for name, digest in part.items()}
        )
        write_json(_checkpoint_file(self.checkpoints, step), asdict(whole))
        old = read_stored_checkpoints(self.checkpoints)[self.keep :]
        for each in old:
            _checkpoint_file(self.checkpoints, each.step).unlink()
        needed = {digest for each in read_stored_checkpoints(self.checkpoints) for digest in each.files.values()}
        return sorted({digest for each in old for digest in each.files.values()} - needed)

    def show_line(self, line: str) -> None:
        with (self.scratch / USER_LINES_FILE).open("a") as file:
            file.write(f"{line}\n")

    def has_more_room(self) -> bool:
        return (self.scratch / MORE_WORKERS_FILE).exists()

    def is_end_requested(self) -> bool:
        return (self.scratch / END_REQUEST_FILE).exists()

    def report_end(self, rank: int, measurements: dict[str, Any], weights: Tree) -> None:
        """Write the report of a worker that has finished.

        Args:
            rank: Rank of the worker.
            measurements: Peak memory of the worker in bytes, and seconds by part of the training run.
            weights: Paths and digests of the trained weights. Workers other than the first pass an empty value.
        """
        if weights:
            write_json(self.scratch / WEIGHTS_FILE, dict(weights))
        write_json(self.scratch / f"worker-{rank}.json", measurements)

    def write_stack(self, rank: int, stack: str) -> None:
        """Write the stack of a worker that hangs.

        An empty `stack` means that the worker has completed its step after all.
        """
        (self.scratch / f"stack-{rank}.txt").write_text(stack)


def _checkpoint_file(folder: Path, step: int) -> Path:
    return folder / f"stored-{step:09d}.json"


def read_stored_checkpoints(folder: Path) -> list[StoredCheckpoint]:
    """Return the complete checkpoints, newest first."""
    found = []
    for path in sorted(folder.glob("stored-*.json"), reverse=True):
        try:
            found.append(StoredCheckpoint(**read_json(path)))
        except DOCUMENT_ERRORS:
            print(f"{path.name} cannot be read; going back to the one before", flush=True)
    return found
