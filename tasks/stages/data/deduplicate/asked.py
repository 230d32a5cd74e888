"""What the prompts say of records that stand near others: all are read once more, and these alone taken apart."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa

from tasks.core.record import batches
from tasks.stages.data import conversations
from tasks.stages.data.deduplicate.compared import BATCH
from tasks.stages.data.deduplicate.near.content import Content, content
from tasks.stages.data.deduplicate.near.editions import Edition, edition
from tasks.stages.data.deduplicate.near.vocabulary import Uses, count


@dataclass(frozen=True)
class Asked:
    """A column a property, -1 for records that were not read. Numbers are good for telling equal from different."""

    content: np.ndarray
    """Of the words; a number of its own for a prompt in which something is masked."""
    signature: np.ndarray
    people: np.ndarray
    titled: np.ndarray
    """Whether the prompt itself says its edition."""
    texts: Sequence[str]
    """By number of the content, `Content.text`; empty for a prompt in which something is masked."""
    uses: Uses
    """Of the words of all prompts."""


@dataclass
class _Numbers:
    of: dict[str, int] = field(default_factory=dict)

    def number(self, text: str) -> int:
        return self.of.setdefault(text, len(self.of))


def read(records: Path, wanted: np.ndarray, edition_words: Sequence[str]) -> Asked:
    """Of the records of a Parquet file for which `wanted` is true."""
    contents, texts = _Numbers(), dict[int, str]()
    others = {name: _Numbers() for name in ("signature", "people")}
    columns = {name: np.full(len(wanted), -1) for name in ("content", *others)}
    titled = np.zeros(len(wanted), bool)
    for place, record_id, said, prompt in _prompts(records, wanted, edition_words):
        number = contents.number(f"\n{record_id}" if prompt.masked else prompt.key)
        # Of texts that differ in capitals alone the same one stands for all, whichever was read first.
        texts[number] = "" if prompt.masked else min(prompt.text, texts.get(number, prompt.text))
        columns["content"][place] = number
        columns["signature"][place] = others["signature"].number(prompt.signature)
        columns["people"][place] = others["people"].number(prompt.people)
        titled[place] = said.said
    in_order = [texts[number] for number in range(len(texts))]
    uses = count(conversations.prompts(batch["messages"]) for batch in batches(records, ["messages"], BATCH))
    return Asked(**columns, titled=titled, texts=in_order, uses=uses)


def _prompts(
    records: Path, wanted: np.ndarray, edition_words: Sequence[str]
) -> Iterator[tuple[int, str, Edition, Content]]:
    begin = 0
    for batch in batches(records, ["record_id", "messages"], BATCH):
        places = np.flatnonzero(wanted[begin : begin + len(batch)])
        some = batch.take(pa.array(places))
        ids, prompts = some["record_id"].to_pylist(), conversations.prompts(some["messages"]).to_pylist()
        for place, record_id, prompt in zip(places.tolist(), ids, prompts, strict=True):
            said = edition(prompt, edition_words)
            yield begin + place, record_id, said, content(said.body)
        begin += len(batch)
