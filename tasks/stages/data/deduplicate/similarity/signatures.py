"""Band keys of sets of shingles. Similar texts have at least one key in common; other texts hardly ever do.

Each text has 32 bands, each computed from the same number of MinHash values (`rows`). Two texts with Jaccard similarity
J have a band in common with probability 1 - (1 - J^rows)^32 (Leskovec, Rajaraman and Ullman, Mining of Massive
Datasets, 3.4).
"""

from typing import Any

import numpy as np

from tasks.stages.data.deduplicate.similarity.shingles import Shingles

BANDS = 32
MAX_ROWS_PER_BAND = 8
"""Maximum number of MinHash values in a band. More would miss too many of the pairs just above the threshold. The 32
bands of a text then have 256 values, which are computed fast enough."""
MAX_MISSED_SHARE = 0.001
"""Maximum fraction of the pairs exactly at the similarity threshold that may be missed. At a threshold of .85, the
actual fraction is .00004."""
SEED = 17
HASH_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
"""2^64 divided by the golden ratio. Multiplication by this number spreads a value over the upper bits (Knuth, TAOCP
6.4)."""


def rows_per_band(jaccard: float) -> int:
    """Return the largest number of MinHash values per band at which few enough similar pairs are missed.

    With more values, fewer candidate pairs turn out not to be similar. `jaccard` is the similarity threshold.
    """
    fitting = [rows for rows in range(1, MAX_ROWS_PER_BAND + 1) if (1 - jaccard**rows) ** BANDS <= MAX_MISSED_SHARE]
    return max(fitting, default=1)


def band_keys(shingles: Shingles, jaccard: float) -> np.ndarray:
    """Return the band keys as uint32, with one row for each text and one column for each band.

    Keys of texts without shingles have no meaning. The keys of a text depend neither on the other texts nor on the
    number of rensa's threads.
    """
    import rensa

    matrix: Any = rensa.RMinHash.digest_matrix_from_flat_token_hashes(
        shingles.values, shingles.starts.astype(np.uint64), BANDS * rows_per_band(jaccard), SEED
    )
    values = np.array(matrix.to_rows(), np.uint64).reshape(len(shingles.starts) - 1, BANDS, rows_per_band(jaccard))
    keys = np.zeros(values.shape[:2], np.uint64)
    for row in range(rows_per_band(jaccard)):
        keys = (keys ^ values[:, :, row]) * HASH_MULTIPLIER
        keys ^= keys >> np.uint64(29)
    return (keys >> np.uint64(32)).astype(np.uint32)
