"""Answers that outlive the run, so that a changed suite or an interrupted stage asks a model only what is new.

The file of a model holds one line of JSON for each answer. Its name is a digest of everything beside the prompt that
affects an answer: the model's files, the tokens that end an answer, and how it is computed. The file is in a folder
that only this version of the stage's code writes to (`Layout.cache_folder`).
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

from tasks.core import json_text
from tasks.core.files import sha256_bytes, sha256_file, tree_digest
from tasks.core.json_text import canonical_json
from tasks.core.layout import Layout
from tasks.core.machine.locks import hold_exclusive_lock
from tasks.core.params.evaluation import Evaluation
from tasks.stages.evaluate.decode import Tokens
from tasks.stages.evaluate.model_names import ModelName
from tasks.stages.evaluate.models import ModelFolders, PromptLimits

Answer = Mapping[str, Any]
"""Answer without the id of its row, as in `tasks.stages.evaluate.predict.PREDICTIONS_SCHEMA`."""


class KeptAnswers:
    """Known answers of one model by prompt. `add` appends to the file, so that answers survive a killed stage."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known = dict(_read_lines(path))

    @classmethod
    @contextmanager
    def open(cls, folder: Path, name: str) -> Iterator[Self]:
        """Yield the answers of the model whose file is named `name`. A second run waits until the first has ended."""
        folder.mkdir(parents=True, exist_ok=True)
        with hold_exclusive_lock(folder / f"{name}.lock", "another run asks the same model"):
            yield cls(folder / name)

    def find(self, prompt: Sequence[int]) -> Answer | None:
        return self._known.get(prompt_digest(prompt))

    def add(self, prompts: Iterable[Tokens], answers: Iterable[Answer]) -> None:
        new = {prompt_digest(prompt): answer for prompt, answer in zip(prompts, answers, strict=True)}
        with self._path.open("ab") as file:
            file.write(b"".join(canonical_json({"prompt": key, "answer": dict(new[key])}) + b"\n" for key in new))
            file.flush()
            os.fsync(file.fileno())
        self._known |= new


def kept_folder(layout: Layout, which: ModelName) -> Path:
    """Return the folder of the answers. All models share it, since the variants of stage `probe` have the same code."""
    return layout.cache_folder("answers", f"probe@{which}")


def model_digest(layout: Layout, folders: ModelFolders, limits: PromptLimits, settings: Evaluation) -> str:
    """Return a digest of everything beside the prompt that affects a model's answers."""
    return sha256_bytes(
        canonical_json(
            {
                "base": tree_digest(folders.base_folder),
                "fine_tuned": tree_digest(folders.fine_tuned_folder) if folders.fine_tuned_folder else None,
                "stop_tokens": sorted(limits.stop_tokens),
                "context_tokens": limits.context_tokens,
                "libraries": sha256_file(layout.root / "constraints.txt"),
                **settings.model_dump(
                    mode="json", include={"max_new_tokens", "batch_size", "precision", "device", "threads", "engine"}
                ),
            }
        )
    )


def prompt_digest(prompt: Sequence[int]) -> str:
    return sha256_bytes(canonical_json(list(prompt)))


def _read_lines(path: Path) -> Iterator[tuple[str, Answer]]:
    """Yield the complete lines of the file. A stage that was killed can have left an incomplete last line."""
    if not path.exists():
        return
    text = path.read_bytes()
    complete, _, torn = text.rpartition(b"\n")
    if torn:
        os.truncate(path, len(text) - len(torn))
    for line in complete.splitlines():
        with suppress(ValueError, KeyError, TypeError):  # a damaged line is asked again
            value = json_text.parse(line)
            yield value["prompt"], value["answer"]
