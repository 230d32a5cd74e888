"""Aggregation of several labels of an item to one label with a confidence.

`majority`     the label that most annotators gave; the confidence is their share
`dawid-skene`  the most probable label if each annotator errs in their own way, which is estimated from all labels; the
               confidence is its probability. Gold examples fix the estimate. A. P. Dawid and A. M. Skene, Maximum
               Likelihood Estimation of Observer Error-Rates Using the EM Algorithm, 1979; crowd-kit computes it.

The probabilities of Dawid and Skene are nearer to 0 and 1 than the share of right labels among them, since the model
takes annotators to err independently.
"""

import warnings
from collections import Counter
from collections.abc import Mapping
from typing import Literal, NamedTuple

from tasks.labels.given_labels import Votes

Method = Literal["majority", "dawid-skene"]
MAX_ITERATIONS = 100


class AggregatedLabel(NamedTuple):
    label: str
    confidence: float


def aggregate_labels(votes: Votes, method: Method, gold: Votes, gold_labels: Mapping[str, str]) -> dict[
    str, AggregatedLabel
]:  # fmt: skip
    """Return one label for each item.

    Args:
        votes: Labels of the items.
        method: Method of the aggregation.
        gold: Labels that annotators gave to the gold examples.
        gold_labels: Known label of each gold example.
    """
    if method == "majority":
        return majority_labels(votes)
    return dawid_skene_labels(votes, gold, gold_labels)


def majority_labels(votes: Votes) -> dict[str, AggregatedLabel]:
    """Return the label that most annotators gave, with their share.

    Of labels that equally many gave, the one is taken that is more frequent among all labels.
    """
    frequency = Counter(label for given in votes.values() for label in given.values())
    found = {}
    for item, given in votes.items():
        counts = Counter(given.values())
        label = min(counts, key=lambda each: (-counts[each], -frequency[each], each))
        found[item] = AggregatedLabel(label, counts[label] / len(given))
    return found


def dawid_skene_labels(votes: Votes, gold: Votes, gold_labels: Mapping[str, str]) -> dict[str, AggregatedLabel]:
    """Return the most probable label of each item by the model of Dawid and Skene."""
    import pandas as pd
    from crowdkit.aggregation import DawidSkene

    rows = [
        (item, annotator, label)
        for each in (votes, gold)
        for item, given in each.items()
        for annotator, label in given.items()
    ]
    if not votes:
        return {}
    names = sorted({label for _, _, label in rows})
    codes = {name: str(number) for number, name in enumerate(names)}  # a label "task" would be a column of crowd-kit's
    coded = [(item, annotator, codes[label]) for item, annotator, label in rows]
    table = pd.DataFrame(coded, columns=["task", "worker", "label"], dtype=object)
    known = {item: codes[label] for item, label in gold_labels.items() if item in gold and label in codes}
    truth = pd.Series(known, dtype=object) if known else None
    with warnings.catch_warnings():  # crowd-kit 1.4 calls pandas 3 in ways that pandas 4 will refuse
        warnings.simplefilter("ignore")
        found = DawidSkene(n_iter=MAX_ITERATIONS).fit_predict_proba(table, true_labels=truth)
    found = found.loc[list(votes)]
    labels, highest = found.idxmax(axis="columns"), found.max(axis="columns")
    return {
        item: AggregatedLabel(names[int(label)], float(value))
        for item, label, value in zip(found.index, labels, highest, strict=True)
    }
