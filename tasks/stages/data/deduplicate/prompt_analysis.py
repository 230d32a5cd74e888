"""Content and edition of the prompts of similar records.

All prompts are read once more, but only those of similar records are analysed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa

from tasks.core.records.record import read_batches
from tasks.stages.data import conversations
from tasks.stages.data.deduplicate.record_columns import BATCH_ROWS
from tasks.stages.data.deduplicate.similarity.content import Content, extract_content
from tasks.stages.data.deduplicate.similarity.editions import Edition, parse_edition
from tasks.stages.data.deduplicate.similarity.vocabulary import WordUses, count_word_uses


@dataclass(frozen=True)
class PromptColumns:
    """Properties of prompts as columns, with -1 for records that were not analysed.

    Integer ids represent texts: equal texts have equal ids.
    """

    content: np.ndarray
    """Id of the prompt's content. A prompt with a masked value has an id that no other prompt has."""
    signature: np.ndarray
    people: np.ndarray
    prompt_states_edition: np.ndarray
    texts: Sequence[str]
    """Text of each `Content`, by id; empty if the prompt has a masked value."""
    word_uses: WordUses


@dataclass
class _TextNumbers:
    numbers_by_text: dict[str, int] = field(default_factory=dict)

    def number_of(self, text: str) -> int:
        return self.numbers_by_text.setdefault(text, len(self.numbers_by_text))


def analyse_prompts(records: Path, is_analysed: np.ndarray, edition_words: Sequence[str]) -> PromptColumns:
    contents, texts = _TextNumbers(), dict[int, str]()
    others = {name: _TextNumbers() for name in ("signature", "people")}
    columns = {name: np.full(len(is_analysed), -1) for name in ("content", *others)}
    titled = np.zeros(len(is_analysed), bool)
    for place, record_id, edition, prompt in _read_prompts(records, is_analysed, edition_words):
        number = contents.number_of(f"\n{record_id}" if prompt.has_masked_value else prompt.comparison_key)
        # Texts that differ in capitals only have one content: its text must not depend on the order of reading.
        texts[number] = "" if prompt.has_masked_value else min(prompt.text, texts.get(number, prompt.text))
        columns["content"][place] = number
        columns["signature"][place] = others["signature"].number_of(prompt.signature)
        columns["people"][place] = others["people"].number_of(prompt.placeholders)
        titled[place] = edition.is_stated
    in_order = [texts[number] for number in range(len(texts))]
    uses = count_word_uses(
        conversations.prompts(batch["messages"]) for batch in read_batches(records, ["messages"], BATCH_ROWS)
    )
    return PromptColumns(**columns, prompt_states_edition=titled, texts=in_order, word_uses=uses)


def _read_prompts(
    records: Path, wanted: np.ndarray, edition_words: Sequence[str]
) -> Iterator[tuple[int, str, Edition, Content]]:
    begin = 0
    for batch in read_batches(records, ["record_id", "messages"], BATCH_ROWS):
        places = np.flatnonzero(wanted[begin : begin + len(batch)])
        some = batch.take(pa.array(places))
        ids, prompts = some["record_id"].to_pylist(), conversations.prompts(some["messages"]).to_pylist()
        for place, record_id, prompt in zip(places.tolist(), ids, prompts, strict=True):
            edition = parse_edition(prompt, edition_words)
            yield begin + place, record_id, edition, extract_content(edition.body)
        begin += len(batch)
