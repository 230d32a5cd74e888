"""Classifier that tries to tell synthetic texts from real ones, its AUC, and the n-grams by which it succeeds."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

FOLDS = 5
SEED = 17
NGRAM_LENGTHS = (3, 5)
NGRAM_RECORDS = 5
"""Minimum number of records that have an n-gram, so that none shows what only some few people wrote."""
SHOWN_NGRAMS = 10
SHOWN_NGRAM = re.compile(r"[^\W\d_](?:[^\W\d_]|[ .,;:!?'()-]){1,3}[^\W\d_]")
"""Form of the n-grams that are shown: letters, and signs and spaces between them."""


def classify_texts(synthetic: Sequence[str], real: Sequence[str]) -> tuple[Any, list[tuple[str, str]]]:
    """Return the score of each text by a classifier that has not seen it, and the most telling n-grams.

    The texts of a pair, one synthetic and one real with the same label and language, are left out together. Otherwise
    the classifier would have seen fewer synthetic than real ones of a label whenever it judges a synthetic one, and
    would be wrong more often than by chance.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import KFold

    texts, size = [*synthetic, *real], len(synthetic)
    is_synthetic = np.repeat([1, 0], size)
    vectorizer = TfidfVectorizer(
        analyzer="char",
        ngram_range=NGRAM_LENGTHS,
        lowercase=False,
        min_df=NGRAM_RECORDS,
        sublinear_tf=True,
        dtype=np.float64,
    )
    try:
        features = vectorizer.fit_transform(texts)
    except ValueError:  # no n-gram is in enough records, so there is nothing by which to tell them
        return np.zeros(len(texts)), []
    classifier = LogisticRegression(solver="liblinear", C=10.0, random_state=SEED)
    scores = np.zeros(len(texts))
    for pairs in KFold(FOLDS, shuffle=True, random_state=SEED).split(range(size)):
        train, test = (np.concatenate([part, part + size]) for part in pairs)
        scores[test] = classifier.fit(features[train], is_synthetic[train]).decision_function(features[test])
    weights = classifier.fit(features, is_synthetic).coef_[0]
    more_often = np.asarray(features[:size].mean(axis=0) - features[size:].mean(axis=0))[0]
    shares = (weights * more_often * 1_000).round(3)  # of each n-gram in the difference between the scores
    named = zip(vectorizer.get_feature_names_out().tolist(), shares.tolist(), (weights > 0).tolist(), strict=True)
    telling = _most_telling({name: share for name, share, is_mark in named if is_mark and share > 0}, synthetic)
    return scores.round(6), telling


def _most_telling(shares: Mapping[str, float], synthetic: Sequence[str]) -> list[tuple[str, str]]:
    """Return the n-grams with the highest shares, each with the words around it, without those in the same words."""
    shown: dict[str, str] = {}
    for name in sorted(shares, key=lambda name: (-shares[name], name)):
        if not SHOWN_NGRAM.fullmatch(name) or any(name in words for words in shown.values()):
            continue
        words = _whole_words(name, synthetic)
        if not any(other in words for other in shown):
            shown[name] = words
        if len(shown) == SHOWN_NGRAMS:
            break
    return list(shown.items())


def _whole_words(ngram: str, texts: Sequence[str]) -> str:
    """Return the n-gram with the letters around it that it mostly has, if that many texts have them."""
    pattern = re.compile(rf"[^\W\d_]*{re.escape(ngram)}[^\W\d_]*")
    found = Counter(match[0] for match in map(pattern.search, texts) if match)
    words, count = min(found.items(), key=lambda item: (-item[1], item[0]))
    return words if count >= NGRAM_RECORDS else ngram


def area_under_curve(scores: Any) -> float:
    """Return the area under the ROC curve: the probability that a synthetic text has a higher score than a real one.

    Ties count one half. The scores of the synthetic texts come first, and there are as many of real ones.
    """
    made, found = np.split(scores, 2)
    order = np.sort(found)
    below, up_to = np.searchsorted(order, made, "left"), np.searchsorted(order, made, "right")
    return float((below + up_to).sum() / 2 / (len(made) * len(order)))


def standard_error(auc: float, size: int) -> float:
    """Return the standard error of an AUC by cross-validation for `size` records of each kind.

    For independent scores: Hanley and McNeil, 1982, https://doi.org/10.1148/radiology.143.1.7063747. The classifiers of
    the folds have records in common, which makes it larger: Nadeau and Bengio, 2003,
    https://doi.org/10.1023/A:1024068626366
    """
    first, second = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    variance = auc * (1 - auc) + (size - 1) * (first + second - 2 * auc**2)
    common = 1 + FOLDS / (FOLDS - 1)
    return float(np.sqrt(max(variance, 0.0) * common) / size)
