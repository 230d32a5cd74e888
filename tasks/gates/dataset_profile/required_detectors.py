"""Detectors that policy asks owners for: which records no detector of their source reads for a category."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from tasks.core.params.coverage import MIN_NAMED_ROWS
from tasks.gates.dataset_profile.profile import RARE, format_noted_value
from tasks.policy.gate_rules import RequiredDetector
from tasks.sources.owner_detectors import DeclaredDetector, reads_language
from tasks.sources.protection import Category

MISSING = "detectors.missing"
"""Metric: number of sources and categories for which a detector is missing."""


def undetected_categories(
    required: Sequence[RequiredDetector], detectors: Iterable[DeclaredDetector], language: str
) -> list[Category]:
    """Return the required categories for which no detector reads records in a language, sorted.

    A record whose language is not known may be in any. So it needs every required detector, and is read by each.
    """
    wanted = {category for rule in required if reads_language(rule.languages, language) for category in rule.categories}
    found = {it for each in detectors if reads_language(each.languages, language) for it in each.categories}
    return sorted(wanted - found)


def missing_detectors(
    required: Sequence[RequiredDetector],
    detectors_by_source: Mapping[str, Mapping[str, DeclaredDetector]],
    languages: Mapping[tuple[str, str], int],
) -> Iterator[str]:
    """Yield a line for each source and category without a required detector, with the records that none reads.

    Args:
        required: Detectors that policy asks for.
        detectors_by_source: Declared detectors by name, by source.
        languages: Number of the dataset's records by source and language.
    """
    gaps: dict[tuple[str, Category], Counter[str]] = {}
    for (source, language), rows in sorted(languages.items()):
        named = format_noted_value(language) if rows >= MIN_NAMED_ROWS else RARE
        for category in undetected_categories(required, detectors_by_source.get(source, {}).values(), language):
            gaps.setdefault((source, category), Counter())[named] += rows
    for (source, category), counts in sorted(gaps.items()):
        listed = ", ".join(f"{language} {rows:,}" for language, rows in sorted(counts.items()))
        yield f"{source}: no detector for {category} reads its records (by language: {listed})"
