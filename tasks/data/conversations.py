"""The turns of many records at once, from Parquet's columns."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

SEPARATOR = "\x1f"
"""Between turns: a character that `str.split` takes for white space, so that no evenly spaced text holds it."""


@dataclass(frozen=True)
class Conversations:
    roles: list[str]
    contents: list[str]
    starts: list[int]
    """Those of record i are contents[starts[i]:starts[i + 1]]; the last is the target."""

    def prompts(self) -> Iterator[str]:
        """The text of all turns before the target, one below the other."""
        for begin, end in self._spans():
            yield "\n".join(self.contents[begin : end - 1])

    def targets(self) -> Iterator[str]:
        """The text of the last turn, which the model is to learn."""
        for _, end in self._spans():
            yield self.contents[end - 1]

    def prompt_keys(self) -> Iterator[str]:
        """What makes two prompts the same for splitting: the turns before the target, caseless and evenly spaced."""
        turns = [f"{role}:{spaced(text.casefold())}" for role, text in zip(self.roles, self.contents, strict=True)]
        for begin, end in self._spans():
            yield "\n".join(turns[begin : end - 1])

    def wholes(self) -> Iterator[str]:
        """All turns with their roles, evenly spaced; case counts."""
        turns = [f"{role}:{spaced(text)}" for role, text in zip(self.roles, self.contents, strict=True)]
        for begin, end in self._spans():
            yield SEPARATOR.join(turns[begin:end])

    def _spans(self) -> Iterator[tuple[int, int]]:
        return zip(self.starts, self.starts[1:], strict=False)


def conversations(messages: pa.ListArray) -> Conversations:
    """Of a column `messages` of `tasks.record.SCHEMA`."""
    turns = messages.flatten()
    starts = messages.offsets.to_pylist()
    return Conversations(
        turns.field("role").to_pylist(), turns.field("content").to_pylist(), [start - starts[0] for start in starts]
    )


def spaced(text: str) -> str:
    """With one blank between its words."""
    return " ".join(text.split())


def digest(text: str) -> bytes:
    """16 bytes that stand for a text where only equality counts."""
    return hashlib.blake2b(text.encode(), digest_size=16).digest()
