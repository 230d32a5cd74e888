"""Number of uses of each word in texts, in total and in lower case. Names are rarely used in lower case."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.stages.data.deduplicate.similarity.content import LETTER_SPELLINGS

MIN_USES = 3
PUNCTUATION = '.,;:!?()[]"“”„«»'
BATCH_WORDS = 1 << 18
WORD_COUNTS_SCHEMA = pa.schema([("word", pa.large_string()), ("times", pa.int64()), ("lower", pa.int64())])


class WordUse(NamedTuple):
    times: int
    lower: int


WordUses = Mapping[str, WordUse]
"""Number of uses of each word. Words are in lower case and spelled as in `Content.text`."""
NO_USE = WordUse(0, 0)


def count_word_uses(texts: Iterable[pa.Array]) -> WordUses:
    """Count how often each word is used in batches of texts, and how often in lower case.

    Words with fewer than MIN_USES uses are left out.
    """
    counted, waiting, words = WORD_COUNTS_SCHEMA.empty_table(), list[pa.Table](), 0
    for batch in texts:
        waiting.append(_count_batch_words(batch))
        words += len(waiting[-1])
        if words > BATCH_WORDS:
            counted, waiting, words = _sum_counts([counted, *waiting]), [], 0
    counted = _sum_counts([counted, *waiting])
    often = counted.filter(pc.greater_equal(counted["times"], MIN_USES)).to_pydict()
    uses = map(WordUse, often["times"], often["lower"])
    return dict(zip(often["word"], uses, strict=True))


def _count_batch_words(texts: pa.Array) -> pa.Table:
    words = pc.utf8_trim(pc.utf8_split_whitespace(texts).flatten(), PUNCTUATION)
    words = words.filter(pc.match_substring_regex(words, r"^\p{L}+$")).cast(pa.large_string())
    plain, lower = pc.utf8_lower(words), pc.utf8_is_lower(words).cast(pa.int64())
    for letter, spelled in LETTER_SPELLINGS.items():
        plain = pc.replace_substring(plain, letter, spelled)
    return _sum_counts([pa.table({"word": plain, "times": np.ones(len(words), np.int64), "lower": lower})])


def _sum_counts(tables: list[pa.Table]) -> pa.Table:
    together = pa.concat_tables(table.cast(WORD_COUNTS_SCHEMA) for table in tables).group_by("word")
    return together.aggregate([("times", "sum"), ("lower", "sum")]).rename_columns(WORD_COUNTS_SCHEMA.names)
