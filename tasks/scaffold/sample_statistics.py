"""Statistics of a sample of rows after conversion to records. Runs convert rows with the same code."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from tasks.core.errors import InputError
from tasks.core.records.answer_label import parse_object, value_label
from tasks.scaffold.data_file import require_readable_rows
from tasks.sources.sources import Source
from tasks.stages.data.ingest.mapping import RejectedRow, to_record
from tasks.stages.data.readers.rows import Row

MIN_RECORDS = 20
"""Minimum number of records that can be split into a training and a test partition."""
_EN = "the a an of to and is in my i you for it not can how what with have do"
_DE = "der die das ein eine und ist nicht ich mein meine sie für mit wie was kann habe zu im"
COMMON_WORDS = {
    "en": frozenset(_EN.split()),
    "de": frozenset(_DE.split()),
}
"""Frequent words of each language in which personal data is detected. Nearly every sentence has some."""
MIN_LABEL_FREQUENCY = 4
MOST_LABELS = 200


@dataclass(frozen=True)
class SampleStatistics:
    records: int
    rejected: Counter[str]
    """Number of rows that cannot become records, by rule."""
    prompt_chars: tuple[int, int]
    """Length in characters of the shortest and of the longest prompt. A prompt is all turns before the target."""
    prompt_bytes: int
    target_chars: int
    target_bytes: int
    prompts: int
    """Number of distinct prompts, ignoring case and white space."""
    repeated: int
    """Number of records with the prompt and target of an earlier record."""
    contradicted: int
    """Number of additional targets of prompts with more than one target."""
    targets: Counter[str]
    fields: dict[str, int]
    """Fields that all targets have, with the number of values of each; empty if targets are not JSON objects."""
    languages: Counter[str]
    departments: Counter[str]
    dates: tuple[date, date] | None
    """Oldest and newest `effective_from`; None if there are no dates."""
    language: str | None
    """Language of most prompts, if personal data can be detected in it; None for other or mixed languages."""

    @property
    def labels(self) -> list[str]:
        """Sorted labels if targets are class names; else empty."""
        few = len(self.targets) <= MOST_LABELS and len(self.targets) * MIN_LABEL_FREQUENCY <= self.records
        return sorted(self.targets) if few and self.target_chars <= 80 and not self.fields else []

    @property
    def label_field(self) -> str | None:
        """Field of JSON targets with the most classes, or else the first field; None if targets are not JSON."""
        few = {
            name: n for name, n in self.fields.items() if n <= MOST_LABELS and n * MIN_LABEL_FREQUENCY <= self.records
        }
        return max(few, key=lambda name: few[name]) if few else next(iter(self.fields), None)


def compute_statistics(rows: Sequence[Row], source: Source) -> SampleStatistics:
    """Convert rows to records of the source, and compute the statistics.

    Raises:
        InputError: Too few rows become records, or there are too few distinct prompts.
    """
    records, rejected, malformed = [], Counter[str](), list[str]()
    for row in rows:
        try:
            records.append(to_record(row.values, source, Counter()))
        except RejectedRow as reject:
            rejected[reject.rule] += 1
            malformed += [f"row {row.number}: {reject}"] * reject.malformed
    require_readable_rows(len(malformed), len(rows), next(iter(malformed), ""), source)
    if len(records) < MIN_RECORDS:
        why = ", ".join(f"{rule} {count}" for rule, count in rejected.most_common()) or "it has no more rows"
        raise InputError(
            f"{source.location}: {len(records)} of its {len(rows)} rows become records ({why}), and to train on some "
            f"and test on others takes {MIN_RECORDS}"
        )
    sample = _count(records, rejected)
    if sample.prompts < MIN_RECORDS:
        raise InputError(
            f"{source.location}: its {len(records)} rows ask {sample.prompts} different things, and to train on some "
            f"and test on others takes {MIN_RECORDS}; is {_prompt_column(source)!r} the column that asks? --prompt "
            "names another"
        )
    return sample


def _prompt_column(source: Source) -> str:
    return source.mapping.prompt or source.mapping.messages or ""


def _count(records: list[dict[str, Any]], rejected: Counter[str]) -> SampleStatistics:
    prompts = ["\n".join(turn["content"] for turn in record["messages"][:-1]) for record in records]
    targets = [record["messages"][-1]["content"] for record in records]
    keys = [" ".join(prompt.casefold().split()) for prompt in prompts]
    pairs, dates = set(zip(keys, targets, strict=True)), [each["effective_from"] for each in records]
    known = [day for day in dates if day]
    longest = max(prompts, key=lambda prompt: len(prompt.encode()))
    return SampleStatistics(
        records=len(records),
        rejected=rejected,
        prompt_chars=(min(map(len, prompts)), max(map(len, prompts))),
        prompt_bytes=len(longest.encode()),
        target_chars=max(map(len, targets)),
        target_bytes=max(len(target.encode()) for target in targets),
        prompts=len(set(keys)),
        repeated=len(records) - len(pairs),
        contradicted=len(pairs) - len(set(keys)),
        targets=Counter(targets),
        fields=_fields(targets),
        languages=Counter(record["language"] for record in records),
        departments=Counter(record["department"] for record in records),
        dates=(min(known), max(known)) if known else None,
        language=_detect_language(prompts),
    )


def _fields(targets: list[str]) -> dict[str, int]:
    try:
        objects = [parse_object(target) for target in targets]
    except ValueError:
        return {}
    shared = set.intersection(*(set(each) for each in objects))
    return {name: len({value_label(each[name]) for each in objects}) for name in objects[0] if name in shared}


def _detect_language(prompts: list[str]) -> str | None:
    votes: Counter[str | None] = Counter()
    for prompt in prompts[:2_000]:
        words = re.findall(r"\w+", prompt.casefold())
        hits = {language: sum(word in common for word in words) for language, common in COMMON_WORDS.items()}
        best = max(hits, key=lambda language: hits[language])
        votes[best if hits[best] > 2 * min(hits.values()) else None] += 1
    language, count = votes.most_common(1)[0]
    return language if count >= 0.7 * sum(votes.values()) else None
