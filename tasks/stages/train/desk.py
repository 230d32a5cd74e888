"""What the workers of a cluster tell the machine that started the training, in one process there.

A checkpoint is whole once every worker has said here that its part is stored, and by which digests. What others may
have put into the storage is no checkpoint.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tasks.core.errors import NO_SUCH_DOCUMENT
from tasks.core.files import read_json, write_json
from tasks.stages.cluster.storage.trees import Tree, require_inside

RECORD, SAID, MORE, LEAVE, WEIGHTS = "record.jsonl", "said.txt", "more", "leave", "weights.json"
"""Files in the scratch folder: a line of JSON for each step; lines for a person; there is room for more workers; the
workers are to end after a checkpoint; the trained weights as a tree."""


@dataclass(frozen=True)
class Stored:
    """A checkpoint in the storage."""

    step: int
    workers: int
    files: Tree


class Desk:
    """An actor of Ray; also plain to call."""

    def __init__(self, checkpoints: Path, scratch: Path, keep: int) -> None:
        """`keep`: checkpoints, the newest."""
        self.checkpoints, self.scratch, self.keep = checkpoints, scratch, keep
        self._attempt = 0
        self._parts: dict[int, dict[int, Tree]] = {}

    def arrive(self) -> "tuple[int, list[Stored]]":
        """Workers begin: the number of their attempt, and the checkpoints that are whole, newest first."""
        self._attempt, self._parts = self._attempt + 1, {}
        return self._attempt, stored(self.checkpoints)

    def took(self, step: int) -> None:
        """The workers go on from the checkpoint of this step, 0 for none: newer ones are not what they were."""
        for each in stored(self.checkpoints):
            if each.step > step:
                _file(self.checkpoints, each.step).unlink()

    def begin(self, points: Iterable[dict[str, Any]]) -> None:
        """The record begins anew, with the steps of the checkpoint that a training goes on from."""
        self._write("w", points)

    def append(self, point: dict[str, Any]) -> None:
        self._write("a", [point])

    def _write(self, mode: str, points: Iterable[dict[str, Any]]) -> None:
        with (self.scratch / RECORD).open(mode) as file:
            file.write("".join(json.dumps(point) + "\n" for point in points))

    def part(self, attempt: int, step: int, rank: int, workers: int, files: Tree) -> list[str]:
        """A worker has stored its files of a checkpoint. With the last of them it is whole; the digests of those that
        no checkpoint needs any more."""
        if attempt != self._attempt:  # by a thread that outlived its training
            return []
        require_inside(files)
        parts = self._parts.setdefault(step, {})
        parts[rank] = files
        if len(parts) < workers:
            return []
        del self._parts[step]
        whole = Stored(step, workers, {name: digest for part in parts.values() for name, digest in part.items()})
        write_json(_file(self.checkpoints, step), asdict(whole))
        old = stored(self.checkpoints)[self.keep :]
        for each in old:
            _file(self.checkpoints, each.step).unlink()
        needed = {digest for each in stored(self.checkpoints) for digest in each.files.values()}
        return sorted({digest for each in old for digest in each.files.values()} - needed)

    def say(self, line: str) -> None:
        """Something for a person to read."""
        with (self.scratch / SAID).open("a") as file:
            file.write(f"{line}\n")

    def more(self) -> bool:
        """Whether the cluster has room for more workers."""
        return (self.scratch / MORE).exists()

    def leave(self) -> bool:
        """Whether the workers are to end after a checkpoint."""
        return (self.scratch / LEAVE).exists()

    def finish(self, rank: int, took: dict[str, Any], weights: Tree) -> None:
        """A worker is done: the bytes and seconds that it took, and, from the first, the trained weights."""
        if weights:
            write_json(self.scratch / WEIGHTS, dict(weights))
        write_json(self.scratch / f"worker-{rank}.json", took)

    def stood(self, rank: int, stack: str) -> None:
        """Where a worker stood that took no step for too long; empty where it took one after all."""
        (self.scratch / f"stack-{rank}.txt").write_text(stack)


def _file(folder: Path, step: int) -> Path:
    return folder / f"stored-{step:09d}.json"


def stored(folder: Path) -> list[Stored]:
    """The checkpoints that are whole, newest first."""
    found = []
    for path in sorted(folder.glob("stored-*.json"), reverse=True):
        try:
            found.append(Stored(**read_json(path)))
        except NO_SUCH_DOCUMENT:
            print(f"{path.name} cannot be read; going back to the one before", flush=True)
    return found
