"""Comparison of the labels that a detector gives with those that sources.yaml maps to categories."""

from collections.abc import Collection

from tasks.core.errors import InputError
from tasks.sources.owner_detectors import OwnerDetector
from tasks.sources.protection import CATEGORIES

MAX_NAMED_LABELS = 40


def require_mapped_labels(detector: OwnerDetector, labels: Collection[str]) -> None:
    """Verify that `labels` in sources.yaml has exactly the labels that the detector gives.

    A label that is not mapped would be a value that nobody decided about. A label that the detector does not give is
    probably misspelt.

    Raises:
        InputError: Labels are missing or unknown. The message lists them.
    """
    if missing := sorted(set(labels) - detector.labels.keys()):
        raise InputError(
            f"it gives the labels {_listed(missing)}, which `labels` does not map; add each with a category "
            f"({', '.join(CATEGORIES)}), or with null if its text is not personal"
        )
    if unknown := sorted(detector.labels.keys() - set(labels)):
        raise InputError(f"`labels` maps {_listed(unknown)}, and it gives only {_listed(sorted(labels)) or 'none'}")


def _listed(labels: list[str]) -> str:
    return ", ".join(labels[:MAX_NAMED_LABELS]) + ", …" * (len(labels) > MAX_NAMED_LABELS)
