"""Balanced and seeded assignment of items to annotators.

Each row has the same number of annotators, and the numbers of rows of two annotators differ by one at most. Every
annotator has all gold examples. Each has the items in an order of their own, so that neither an order nor a neighbour
shows which items are gold examples.
"""

import random
from collections.abc import Sequence

from tasks.labels.round_files import Assignment


def assign_items(
    rows: Sequence[str], gold: Sequence[str], annotators: Sequence[str], overlap: int, seed: int
) -> Assignment:
    """Assign rows and gold examples to annotators.

    Args:
        rows: Ids of the rows.
        gold: Ids of the gold examples.
        annotators: Pseudonyms of the annotators.
        overlap: Number of annotators of each row, at most that of all annotators.
        seed: Seed of the assignment. Equal arguments give equal assignments.
    """
    dice = random.Random(f"assignment {seed}")
    shares: dict[str, list[str]] = {annotator: [] for annotator in annotators}
    for row in dice.sample(rows, len(rows)):
        shuffled = dice.sample(annotators, len(annotators))  # a random one among those with equally many rows
        for annotator in sorted(shuffled, key=lambda each: len(shares[each]))[:overlap]:
            shares[annotator].append(row)
    return {annotator: tuple(shuffle_items([*items, *gold], seed, annotator)) for annotator, items in shares.items()}


def shuffle_items(items: Sequence[str], seed: int, reader: str) -> list[str]:
    """Return the items in the order in which one reader has them.

    Args:
        items: Ids of the items, in any order.
        seed: Seed of the round.
        reader: Pseudonym of the annotator or adjudicator.
    """
    return random.Random(f"order {seed} {reader}").sample(sorted(items), len(items))
