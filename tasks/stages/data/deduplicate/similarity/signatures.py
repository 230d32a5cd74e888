"""Band keys of sets of shingles: similar forms have at least one key in common, other forms hardly ever.

Each form has 32 bands, each computed from the same number of MinHash values. Two forms with Jaccard J have a band in
common with probability 1 - (1 - J^rows)^32 (Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, 3.4).
"""

from typing import Any

import numpy as np

from tasks.stages.data.deduplicate.similarity.shingles import Shingles

BANDS = 32
MAX_ROWS_PER_BAND = 8
"""Maximum number of MinHash values of a band. More would miss too many of the pairs just above the threshold, and 256
values for each form are fast enough."""
MAX_MISSED_SHARE = 0.001
"""Maximum share of the pairs at the threshold that may be missed. At a threshold of .85 the share is .00004."""
SEED = 17
MIX_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
"""2^64 divided by the golden ratio: multiplication by it spreads a value over the upper bits (Knuth, TAOCP 6.4)."""


def rows_per_band(jaccard: float) -> int:
    """Return the number of MinHash values of a band, the largest that the threshold allows.

    More values mean fewer candidate pairs whose forms turn out not to be similar.
    """
    fitting = [rows for rows in range(1, MAX_ROWS_PER_BAND + 1) if (1 - jaccard**rows) ** BANDS <= MAX_MISSED_SHARE]
    return max(fitting, default=1)


def band_keys(shingles: Shingles, jaccard: float) -> np.ndarray:
    """Return the band keys as uint32, one row for each form and one column for each band.

    Keys of forms without shingles have no meaning. The keys of a form depend neither on the other forms nor on the
    number of rensa's threads.
    """
    import rensa

    matrix: Any = rensa.RMinHash.digest_matrix_from_flat_token_hashes(
        shingles.values, shingles.starts.astype(np.uint64), BANDS * rows_per_band(jaccard), SEED
    )
    values = np.array(matrix.to_rows(), np.uint64).reshape(len(shingles.starts) - 1, BANDS, rows_per_band(jaccard))
    keys = np.zeros(values.shape[:2], np.uint64)
    for row in range(rows_per_band(jaccard)):
        keys = (keys ^ values[:, :, row]) * MIX_MULTIPLIER
        keys ^= keys >> np.uint64(29)
    return (keys >> np.uint64(32)).astype(np.uint32)
