"""Shingles of a text, which are its windows of five bytes.

Five bytes fit into an integer, so nothing is hashed and the Jaccard similarity of two sets is exact. Shingles of words
would be fewer, but more sensitive to typos: in a support text of twelve words, one typo changes a quarter of the word
pairs, and only six percent of the five-byte windows. Windows of three bytes make some different questions similar.

Pairs of BANKING77's training texts with a Jaccard similarity of at least .8:

    shingles         all pairs   pairs with different labels
    three bytes            446                            10
    five bytes             142                             3
    pairs of words         142                             7
    single words           805                            66
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

SHINGLE_BYTES = 5
SHINGLE_BITS = np.uint64(8 * SHINGLE_BYTES)
"""Number of bits of a shingle in a 64-bit integer. The upper 24 bits can hold the index of the shingle's text."""


@dataclass(frozen=True)
class Shingles:
    """Shingles of many texts, one text after the other.

    The shingles of text i are `values[starts[i]:starts[i + 1]]`.
    """

    values: np.ndarray
    """Shingles as uint64 values of 40 bits."""
    starts: np.ndarray
    """Index of the first shingle of each text, followed by the number of all shingles, as int64."""

    def select(self, forms: np.ndarray) -> np.ndarray:
        """Return the shingles of the given texts. The upper bits of a shingle are the index of its text in `forms`."""
        sizes = np.diff(self.starts)[forms]
        skipped = self.starts[forms] - (
            np.cumsum(sizes) - sizes
        )  # offset from a window's index in the result to its index in `values`
        index = np.arange(sizes.sum()) + np.repeat(skipped, sizes)
        return self.values[index] | (np.repeat(np.arange(len(forms), dtype=np.uint64), sizes) << SHINGLE_BITS)

    def deduplicated(self) -> "Shingles":
        """Return the shingles of each text sorted and without repetitions. At most 2^24 texts are possible."""
        tagged = self.select(np.arange(len(self.starts) - 1))
        for begin, end in pairwise(self.starts):
            tagged[begin:end].sort()  # form by form in a core's cache, which takes a third of the time of one sort
        tagged = tagged[np.append(True, tagged[1:] != tagged[:-1])[: len(tagged)]]
        sizes = np.bincount((tagged >> SHINGLE_BITS).astype(np.int64), minlength=len(self.starts) - 1)
        return Shingles(tagged & ((np.uint64(1) << SHINGLE_BITS) - np.uint64(1)), np.append(0, np.cumsum(sizes)))


def compute_shingles(forms: pa.Array) -> Shingles:
    """Return the shingles of texts, with repetitions. Each text has as many shingles as bytes.

    Texts are padded with spaces, so that short texts have shingles too. An empty text has none.
    """
    blanks, nothing = (pa.scalar(text, pa.large_string()) for text in (" " * (SHINGLE_BYTES - 1), ""))
    padded = pc.binary_join_element_wise(forms.cast(pa.large_string()), blanks, nothing)
    starts = np.frombuffer(padded.buffers()[1], np.int64)[padded.offset : padded.offset + len(padded) + 1]
    text = np.frombuffer(padded.buffers()[2] or b"", np.uint8)[starts[0] : starts[-1]]
    readable = np.concatenate((text, np.zeros(8, np.uint8)))
    # The eight bytes from each position on as a little-endian integer, of which the upper three bytes are cut off.
    windows = np.ndarray(len(text), "<u8", readable, strides=(1,)) & ((np.uint64(1) << SHINGLE_BITS) - np.uint64(1))
    starts = starts - starts[0]
    across = (starts[1:, None] - np.arange(1, SHINGLE_BYTES)).ravel()  # windows that reach into the next form
    return Shingles(np.delete(windows, across), starts - (SHINGLE_BYTES - 1) * np.arange(len(starts)))
