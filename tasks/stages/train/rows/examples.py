"""Examples as tokens, in files that are mapped into memory. A worker loads only the parts that it reads.

An example is one tokenised row. The files are:

    tokens.bin      tokens of all examples, one example after the other, as unsigned integers of 2 or 4 bytes
    ends.bin        end of each example in tokens.bin, counted in tokens; [examples] int64
    starts.bin      start of each target, counted in tokens from the start of its example; [examples] int32
    validation.bin  indices of the validation examples in ascending order; int64

All numbers are little-endian. `index.json` has the number of examples, the number of bytes per token, and the origin of
the tokens.
"""

import mmap
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from tasks.core.documents.config import FrozenModel
from tasks.core.errors import Refused
from tasks.core.files import read_stage_json, sha256_file, write_json
from tasks.core.records.rendering import Example

IntArray = npt.NDArray[np.integer[Any]]
MAPPED_FILES, VALIDATION_FILE = ("tokens.bin", "ends.bin", "starts.bin"), "validation.bin"
EXAMPLE_FILES = (*MAPPED_FILES, VALIDATION_FILE)
INDEX_FILE = "index.json"


class TokensOrigin(FrozenModel):
    """Digests of all inputs that affect the tokens.

    The code is not included, because DVC runs the stage again if the code changes.
    """

    data: str
    """SHA-256 of the table of training rows."""
    validation: str
    """SHA-256 of the table that lists the validation rows."""
    calibration: str = ""
    """SHA-256 of the table that lists the calibration rows, which have no tokens; empty if there are none."""
    prompts: str
    """SHA-256 of the prompts as canonical JSON."""
    model: str
    """SHA-256 of the base model's folder, which includes tokenizer and chat template."""
    canaries: str = ""
    """SHA-256 of the table of canaries; empty without canaries."""


class ExamplesIndex(FrozenModel):
    """Content of index.json."""

    examples: int
    token_bytes: int
    files: dict[str, str]
    """SHA-256 of each file, by file name."""
    origin: TokensOrigin


@dataclass(frozen=True, eq=False)
class Examples:
    """Tokens of many examples.

    Example `i` has the tokens `tokens[ends[i - 1]:ends[i]]`. Its target begins at index `starts[i]`,
    counted from the first token of the example.
    """

    tokens: IntArray
    example_ends: IntArray
    target_starts: IntArray
    validation: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    """Indices of the validation examples, which are not trained on, in ascending order."""

    def __len__(self) -> int:
        return len(self.target_starts)

    def training_indices(self, positions: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        before = self.validation - np.arange(len(self.validation))  # training examples before each validation example
        return positions + np.searchsorted(before, positions, side="right")

    def row_tokens(self, index: int) -> npt.NDArray[np.int64]:
        """Return the tokens of one example, in an array of shape [length]."""
        begin = int(self.example_ends[index - 1]) if index else 0
        return self.tokens[begin : int(self.example_ends[index])].astype(np.int64)

    def row_lengths(self, rows: Any = slice(None)) -> npt.NDArray[np.int64]:
        """Return the number of tokens in each of the given rows, or in each row by default."""
        rows = np.arange(len(self))[rows] if isinstance(rows, slice) else np.asarray(rows, dtype=np.int64)
        return np.asarray(self.example_ends[rows] - np.where(rows > 0, self.example_ends[rows - 1], 0), dtype=np.int64)

    def target_counts(self, rows: Any = slice(None)) -> npt.NDArray[np.int64]:
        """Return the number of target tokens in each of the given rows, or in each row by default."""
        return self.row_lengths(rows) - self.target_starts[rows]

    def release_memory(self) -> None:
        """Release the memory of the parts of the files that were read. The parts are read again if needed."""
        for part in (self.tokens, self.example_ends, self.target_starts):
            mapped = getattr(part, "_mmap", None)
            if isinstance(mapped, mmap.mmap):
                mapped.madvise(mmap.MADV_DONTNEED)


def examples_in_memory(examples: Iterable[Example]) -> Examples:
    listed = list(examples)
    return Examples(
        tokens=np.array([token for example in listed for token in example.tokens], dtype=np.uint32),
        example_ends=np.cumsum([len(example.tokens) for example in listed], dtype=np.int64),
        target_starts=np.array([example.target_start for example in listed], dtype=np.int32),
    )


class ExampleWriter:
    """Writer that streams examples to files. The index is written last, and the files are valid only with it."""

    def __init__(self, folder: Path, vocabulary: int) -> None:
        """Open the files in `folder`. Every token must be smaller than `vocabulary`."""
        self.folder = folder
        self.count = self.tokens = self.targets = self.longest = self.end = 0
        self._width = 2 if vocabulary <= 1 << 16 else 4
        self._files = [(folder / name).open("wb") for name in MAPPED_FILES]

    def add(self, example: Example) -> None:
        length = len(example.tokens)
        self.end += length
        self.count, self.tokens = self.count + 1, self.tokens + length
        self.targets += length - example.target_start
        self.longest = max(self.longest, length)
        for file, values, kind in zip(
            self._files,
            (example.tokens, [self.end], [example.target_start]),
            (f"<u{self._width}", "<i8", "<i4"),
            strict=True,
        ):
            file.write(np.asarray(values, dtype=kind).tobytes())

    def finish(self, origin: TokensOrigin, validation: Sequence[int] = ()) -> ExamplesIndex:
        """Close the files and write the index.

        Args:
            origin: Digests of the inputs.
            validation: Indices of the validation examples in ascending order.
        """
        self._close()
        (self.folder / VALIDATION_FILE).write_bytes(np.asarray(validation, dtype="<i8").tobytes())
        digests = {name: sha256_file(self.folder / name) for name in EXAMPLE_FILES}
        index = ExamplesIndex(examples=self.count, token_bytes=self._width, files=digests, origin=origin)
        write_json(self.folder / INDEX_FILE, index.model_dump(exclude_defaults=True))
        return index

    def _close(self) -> None:
        for file in self._files:
            file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        self._close()


def read_index(folder: Path) -> ExamplesIndex:
    return ExamplesIndex.model_validate(read_stage_json(folder / INDEX_FILE))


def require_consistent(rows: Examples) -> None:
    """Verify that the examples follow each other without gaps and contain their targets.

    The files may come from a stage whose code was not reviewed.

    Raises:
        ValueError: The examples are inconsistent.
    """
    ends, starts, chosen = rows.example_ends, rows.target_starts, rows.validation
    whole = len(ends) == len(starts) > 0 and ends[0] > 0 and ends[-1] == len(rows.tokens)
    if not (whole and (ends[1:] > ends[:-1]).all() and (starts >= 0).all() and (starts <= rows.row_lengths()).all()):
        raise ValueError("the examples do not lie end to end")
    if len(chosen) and not (chosen[0] >= 0 and chosen[-1] < len(rows) and (chosen[1:] > chosen[:-1]).all()):
        raise ValueError("the examples for validation are not among them")


def verify_example_files(folder: Path, origin: TokensOrigin) -> ExamplesIndex:
    """Verify the examples' files and their origin, and return the index.

    Raises:
        Refused: A file differs from the index, or the tokens were made from other inputs.
    """
    index = read_index(folder)
    if set(index.files) != set(EXAMPLE_FILES):
        raise Refused(f"{folder / INDEX_FILE} is not as stage tokenise wrote it; run stage tokenise again")
    for name in TokensOrigin.model_fields:
        if getattr(index.origin, name) != getattr(origin, name):
            raise Refused(
                f"{folder}: these tokens were made of other {ORIGIN_WORDS[name]} than this run has; run stage tokenise "
                "again"
            )
    for name, wanted in index.files.items():
        if sha256_file(folder / name) != wanted:
            raise Refused(f"{folder / name} is not as stage tokenise wrote it; run stage tokenise again")
    return index


ORIGIN_WORDS = {
    "data": "rows",
    "validation": "validation rows",
    "calibration": "calibration rows",
    "prompts": "prompts",
    "model": "tokenizer, template or model",
    "canaries": "canaries",
}


def map_examples(folder: Path) -> Examples:
    """Map the examples' files into memory without verifying them (see `verify_example_files`)."""
    index = read_index(folder)
    kinds = (f"<u{index.token_bytes}", "<i8", "<i4")
    assert sys.byteorder == "little", "written little-endian, and mapped as it is"
    tokens, ends, starts = (np.memmap(folder / name, kind, "r") for name, kind in zip(MAPPED_FILES, kinds, strict=True))
    return Examples(tokens, ends, starts, np.fromfile(folder / VALIDATION_FILE, "<i8"))
