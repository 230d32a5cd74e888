"""Krippendorff's alpha, for any number of annotators and missing labels.

Alpha is 1 - Do / De. Do is the mean difference of two labels of one item, De that of two labels of any items. Alpha is
1 if annotators agree, and 0 if they agree as often as by chance. It is undefined if all labels are equal.

K. Krippendorff: Computing Krippendorff's Alpha-Reliability, 2011, https://repository.upenn.edu/asc_papers/43. Libraries
were considered: `krippendorff` is under the GPL, and crowd-kit has nltk's alpha, which compares each pair of labels in
Python, too slow for a thousand bootstrap samples. The tests compare this module with nltk's and with the paper.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from tasks.labels.label_round import Scale

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class LabelCounts:
    """Counts of labels by item, of all items with at least two labels."""

    counts: sparse.csr_matrix
    """Number of times that each label (column) was given to each item (row)."""
    values: Floats
    """Place of each label on its scale: its rank for ordinal labels, its number for interval labels."""
    scale: Scale

    @property
    def items(self) -> int:
        return int(self.counts.shape[0])


def count_labels(votes: Sequence[Sequence[str]], order: Sequence[str], scale: Scale) -> LabelCounts:
    """Count the labels of each item that has at least two.

    Args:
        votes: Labels of each item.
        order: Labels in ascending order. Labels that are not listed follow in alphabetical order.
        scale: Scale of the labels.
    """
    used = [labels for labels in votes if len(labels) > 1]
    known = list(dict.fromkeys([*order, *sorted({label for labels in used for label in labels})]))
    place = {label: number for number, label in enumerate(known)}
    rows = [number for number, labels in enumerate(used) for _ in labels]
    columns = [place[label] for labels in used for label in labels]
    shape = (len(used), len(known))
    counts = sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=shape, dtype=np.float64)
    values = [float(label) for label in known] if scale == "interval" else range(len(known))
    return LabelCounts(counts, np.asarray(values, np.float64), scale)


def one_against_rest(votes: Sequence[Sequence[str]], label: str) -> LabelCounts:
    """Return the counts for the alpha of one class, in which all other labels are the same."""
    return count_labels([["in" if each == label else "out" for each in labels] for labels in votes], (), "nominal")


def krippendorff_alpha(labels: LabelCounts, weights: Floats | None = None) -> float:
    """Return alpha, or NaN if it is undefined.

    Args:
        labels: Labels by item.
        weights: Number of times that each item counts; None if each counts once.
    """
    counts = labels.counts
    weights = np.ones(labels.items) if weights is None else weights
    per_item = np.asarray(counts.sum(axis=1)).ravel()
    per_label = np.asarray(counts.T @ weights).ravel()
    total = float(per_label.sum())
    pair_weights = weights / np.maximum(per_item - 1, 1)
    if labels.scale == "nominal":
        equal_pairs = np.asarray(counts.multiply(counts).sum(axis=1)).ravel()
        observed = float(pair_weights @ (per_item**2 - equal_pairs))
        expected = total**2 - float(per_label @ per_label)
    else:
        difference = _differences(labels, per_label)
        pairs = (counts.T @ counts.multiply(pair_weights[:, None]).tocsr()).toarray()
        observed = float((pairs * difference).sum())
        expected = float(per_label @ difference @ per_label)
    return 1 - (total - 1) * observed / expected if expected > 0 else float("nan")


def _differences(labels: LabelCounts, per_label: Floats) -> Floats:
    """Return the squared difference of each two labels.

    That of ordinal labels is the number of labels given between them, with half of those at both ends.
    """
    if labels.scale == "interval":
        return np.asarray((labels.values[:, None] - labels.values[None, :]) ** 2)
    middles = np.cumsum(per_label) - per_label / 2
    return np.asarray((middles[:, None] - middles[None, :]) ** 2)


def pair_votes(first: Mapping[str, str], second: Mapping[str, str]) -> list[list[str]]:
    """Return the labels of two annotators for the items that both have labelled."""
    return [[first[item], second[item]] for item in first if item in second]
