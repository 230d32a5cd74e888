"""Near-equal labels: labels of which one is probably a misspelling of the other, such as `flight` and `fligth`."""

import re
from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from tasks.stages.data.edit_distance import edit_distance

MAX_LABELS = 2_000
"""Maximum number of different labels that are compared. More of them are texts rather than labels."""
MAX_LABEL_CHARS = 100
"""Maximum length of a label that is compared, because the time to compare two labels grows with the square of their
length."""
MIN_CHARS_FOR_ONE_TYPO = 4
MIN_CHARS_FOR_TWO_TYPOS = 9
"""Minimum length of a label in which two wrong characters still count as a misspelling."""
MIN_ROW_RATIO = 5
"""Minimum ratio of the rows with a label to the rows with its misspelling. A single misspelling is rare, so two labels
of similar frequency are two classes, such as `change_accent` and `change_account`."""
HISTOGRAM_SIZE = 64
DIGITS = re.compile(r"\d")
SEPARATORS = re.compile(r"[\s_-]+")


def find_near_equal_labels(rows_by_label: Mapping[str, int]) -> dict[str, str]:
    """Return each label that nearly equals a more frequent label, with the most frequent such label.

    Two labels are nearly equal if they differ only in case, white space, hyphens and underscores. They are also nearly
    equal if one or two characters are typed wrongly and the more frequent label has at least MIN_ROW_RATIO times as
    many rows. Labels with different digits or another number of words are different, such as `flight` and `flight_no`.
    The result is empty if there are more than MAX_LABELS labels.
    """
    if len(rows_by_label) > MAX_LABELS:
        return {}
    labels = sorted(rows_by_label, key=lambda label: (-rows_by_label[label], label))
    words = [_words(label) for label in labels]
    first_of_form: dict[str, int] = {}
    found = {}
    for place, label in enumerate(labels):
        first = first_of_form.setdefault("".join(words[place]) or label, place)
        if first != place:
            found[label] = labels[first]
    firsts = sorted(first_of_form.values())
    forms, rows = ["_".join(words[place]) for place in firsts], [rows_by_label[labels[place]] for place in firsts]
    for rare, common in _misspelt_pairs(forms, rows):
        found.setdefault(labels[firsts[rare]], labels[firsts[common]])
    return dict(sorted(found.items()))


def _words(label: str) -> list[str]:
    return [word for word in SEPARATORS.split(label.casefold()) if word]


def _misspelt_pairs(forms: list[str], rows: list[int]) -> Iterator[tuple[int, int]]:
    """Yield the positions of each misspelt form and of the most frequent form that it nearly equals.

    The forms are given in descending order of their numbers of rows.
    """
    histograms = np.array([_histogram(form) for form in forms]).reshape(-1, HISTOGRAM_SIZE)
    for rare, form in enumerate(forms):
        if MIN_CHARS_FOR_ONE_TYPO <= len(form) <= MAX_LABEL_CHARS:
            # An edit changes a histogram by 2 at most, so all other forms are more than two edits away.
            near = np.flatnonzero(np.abs(histograms[:rare] - histograms[rare]).sum(axis=1) <= 4)
            usual = (p for p in near.tolist() if rows[p] >= MIN_ROW_RATIO * rows[rare] and _is_misspelt(form, forms[p]))
            if (common := next(usual, None)) is not None:
                yield rare, common


def _histogram(form: str) -> npt.NDArray[np.int16]:
    codes = np.fromiter((ord(char) % HISTOGRAM_SIZE for char in form), np.int64, len(form))
    return np.bincount(codes, minlength=HISTOGRAM_SIZE).astype(np.int16)


def _is_misspelt(form: str, usual: str) -> bool:
    if form.count("_") != usual.count("_") or DIGITS.findall(form) != DIGITS.findall(usual):
        return False
    most = 2 if min(len(form), len(usual)) >= MIN_CHARS_FOR_TWO_TYPOS else 1
    return edit_distance(form, usual) <= most
