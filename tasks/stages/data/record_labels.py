"""Labels of many records at once."""

from collections import Counter

import pyarrow as pa

from tasks.core.params.evaluation import Evaluation
from tasks.core.records.answer_label import extract_label
from tasks.stages.data.conversations import targets


def record_labels(messages: pa.ListArray, settings: Evaluation) -> list[str]:
    """Return the label of each record, in order."""
    encoded = targets(messages).dictionary_encode()
    labels = [extract_label(target, settings) for target in encoded.dictionary.to_pylist()]
    return [labels[index] for index in encoded.indices.to_pylist()]


def count_labels(messages: pa.ListArray, settings: Evaluation) -> Counter[str]:
    """Return the number of records with each label."""
    counts: Counter[str] = Counter()
    for item in targets(messages).value_counts().to_pylist():
        counts[extract_label(item["values"], settings)] += item["counts"]
    return counts
