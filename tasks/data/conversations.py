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
        """As `tasks.data.turns.prompt_text`."""
        for begin, end in self._spans():
            yield "\n".join(self.contents[begin : end - 1])

    def targets(self) -> Iterator[str]:
        """As `tasks.data.turns.target_text`, evenly spaced."""
        for _, end in self._spans():
            yield _spaced(self.contents[end - 1])

    def wholes(self) -> Iterator[str]:
        """All turns with their roles, evenly spaced; case counts."""
        turns = [f"{role}:{_spaced(text)}" for role, text in zip(self.roles, self.contents, strict=True)]
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


def digest(text: str) -> bytes:
    """16 bytes that stand for a text where only equality counts."""
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def _spaced(text: str) -> str:
    return " ".join(text.split())
