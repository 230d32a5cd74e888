"""Shingles as band keys: forms that are near-identical share at least one, others hardly ever.

Each form has 32 bands, each made of the same number of MinHash values. Two forms with Jaccard J share a band with
probability 1 - (1 - J^rows)^32 (Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, 3.4).
"""

from typing import Any

import numpy as np

from tasks.stages.data.deduplicate.near.shingles import Shingles

BANDS = 32
MOST_ROWS = 8
"""More would find too few of the pairs just above the threshold, and 256 values a form are quick enough."""
MISSED = 0.001
"""Share of the pairs right at the threshold that may be missed. At .85 it is .00004."""
SEED = 17
MIX = np.uint64(0x9E3779B97F4A7C15)
"""2^64 by the golden ratio: multiplying by it spreads a value over the upper bits (Knuth, TAOCP 6.4)."""


def rows(jaccard: float) -> int:
    """MinHash values a band, as many as the threshold allows: the more, the fewer pairs are looked at in vain."""
    fitting = [rows for rows in range(1, MOST_ROWS + 1) if (1 - jaccard**rows) ** BANDS <= MISSED]
    return max(fitting, default=1)


def band_keys(shingles: Shingles, jaccard: float) -> np.ndarray:
    """uint32, one row a form and one column a band; of forms without shingles they mean nothing.

    The same forms give the same keys, whatever stands beside them and however many threads rensa takes.
    """
    import rensa

    matrix: Any = rensa.RMinHash.digest_matrix_from_flat_token_hashes(
        shingles.values, shingles.starts.astype(np.uint64), BANDS * rows(jaccard), SEED
    )
    values = np.array(matrix.to_rows(), np.uint64).reshape(len(shingles.starts) - 1, BANDS, rows(jaccard))
    keys = np.zeros(values.shape[:2], np.uint64)
    for row in range(rows(jaccard)):
        keys = (keys ^ values[:, :, row]) * MIX
        keys ^= keys >> np.uint64(29)
    return (keys >> np.uint64(32)).astype(np.uint32)
