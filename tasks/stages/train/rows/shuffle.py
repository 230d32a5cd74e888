"""Shuffled order, any part of which can be computed separately. Memory use does not grow with the number of rows.

The shuffle is a Feistel network over the bits of an index, which is a bijection for any round function. A result that
is not below the number of rows is shuffled again until it is (Black and Rogaway, "Ciphers with Arbitrary Finite
Domains", 2002).
"""

import numpy as np
import numpy.typing as npt

FEISTEL_ROUNDS = 6
Indices = npt.NDArray[np.int64]


def shuffled_numbers(positions: Indices, count: int, seed: tuple[int, ...]) -> Indices:
    """Return the numbers at the positions `positions` of a shuffled `range(count)`.

    The order depends on `seed` only.
    """
    drawn = np.random.SeedSequence([number & (1 << 64) - 1 for number in seed]).generate_state(
        FEISTEL_ROUNDS, np.uint64
    )
    keys = drawn.astype(np.uint64)
    half = max(1, (max(1, count - 1).bit_length() + 1) // 2)
    out = _permute_once(positions.astype(np.uint64), half, keys)
    while (beyond := out >= count).any():
        out[beyond] = _permute_once(out[beyond], half, keys)
    return out.astype(np.int64)


def _permute_once(values: npt.NDArray[np.uint64], half: int, keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    mask = np.uint64((1 << half) - 1)
    left, right = values >> np.uint64(half), values & mask
    for key in keys:
        left, right = right, left ^ (_mix_bits(right ^ key) & mask)
    return (left << np.uint64(half)) | right


def _mix_bits(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Apply the finaliser of SplitMix64 (Steele, Lea and Flood, 2014): every input bit affects every output bit."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
