"""Statistics of a sample of rows after conversion to records. The conversion is the same as in a run."""

import re
from collections import Counter
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, NamedTuple

from tasks.core.errors import InputError
from tasks.core.records.answer_label import label_from_value, parse_json_object
from tasks.scaffold.data_file import DataFile, require_readable_rows
from tasks.scaffold.personal_values import find_personal_values
from tasks.sources.sources import Source
from tasks.stages.data.ingest.mapping import RejectedRow, map_row_to_record
from tasks.stages.data.similar_labels import find_near_equal_labels

MIN_RECORDS = 20
"""Minimum number of records that can be split into a training and a test partition."""
_ENGLISH_WORDS = "the a an of to and is in my i you for it not can how what with have do"
_GERMAN_WORDS = "der die das ein eine und ist nicht ich mein meine sie für mit wie was kann habe zu im"
COMMON_WORDS = {
    "en": frozenset(_ENGLISH_WORDS.split()),
    "de": frozenset(_GERMAN_WORDS.split()),
}
"""Frequent words of each language in which personal data is detected. Nearly every sentence contains some of them."""
MIN_LABEL_FREQUENCY = 4
MAX_LABELS = 200
MAX_LISTED_CHARS = 200
"""Maximum length of a value that a suite may list. Longer values are not searched for personal data."""


@dataclass(frozen=True)
class SampleStatistics:
    rows: int
    """Number of readable rows in the whole file."""
    records: int
    """Number of records in the sample."""
    rejected_rows: Counter[str]
    """Number of rows that cannot become records, by rule."""
    prompt_chars: tuple[int, int]
    """Lengths in characters of the shortest and the longest prompt. A prompt consists of all turns before the
    target."""
    max_prompt_bytes: int
    max_target_chars: int
    max_target_bytes: int
    distinct_prompts: int
    """Number of distinct prompts, ignoring case and white space."""
    repeated_records: int
    """Number of records that have the same prompt and target as an earlier record."""
    contradicting_targets: int
    """Number of targets that contradict an earlier target of the same prompt."""
    targets: Counter[str]
    distinct_values_by_field: dict[str, int]
    """Number of distinct values of each field that all targets have; empty if targets are not JSON objects."""
    personal_values: frozenset[str]
    """Recurring targets, languages and departments in which personal data was found."""
    languages: Counter[str]
    departments: Counter[str]
    date_range: tuple[date, date] | None
    """Oldest and newest `effective_from`; None if there are no dates."""
    language: str | None
    """Language of most prompts, if personal data can be detected in it; None for other or mixed languages."""

    @property
    def labels(self) -> list[str]:
        """Return the sorted labels if targets are class names; an empty list otherwise."""
        if self.has_plain_texts:
            return []
        few = len(self.targets) <= MAX_LABELS and len(self.targets) * MIN_LABEL_FREQUENCY <= self.records
        return sorted(self.targets) if few and self.max_target_chars <= 80 and not self.distinct_values_by_field else []

    @property
    def has_plain_texts(self) -> bool:
        """Whether the records are plain texts, which have no targets."""
        return self.max_target_chars == 0

    @property
    def distinct_rows(self) -> float:
        """Return the approximate number of distinct prompts in the whole file."""
        return self.rows * self.distinct_prompts / (self.records + sum(self.rejected_rows.values()))

    def with_lengths_of(self, other: "SampleStatistics") -> "SampleStatistics":
        """Return a copy whose shortest and longest texts are those of both samples."""
        return replace(
            self,
            prompt_chars=(
                min(self.prompt_chars[0], other.prompt_chars[0]),
                max(self.prompt_chars[1], other.prompt_chars[1]),
            ),
            **{
                name: max(getattr(self, name), getattr(other, name))
                for name in ("max_prompt_bytes", "max_target_chars", "max_target_bytes")
            },
        )

    def listable_values(self, counts: Counter[str], mostly: float) -> list[str]:
        """Return the sorted values in which nothing personal was found; empty if too few rows have such a value.

        Args:
            counts: Number of rows with each value.
            mostly: Minimum fraction of rows whose value must be in the list.
        """
        safe = [value for value in counts if len(value) <= MAX_LISTED_CHARS and value not in self.personal_values]
        return sorted(safe) if sum(counts[value] for value in safe) >= mostly * counts.total() else []

    @property
    def near_equal_labels(self) -> dict[str, str]:
        """Return each label that nearly equals a more frequent one, with that one. Such labels may be misspelt."""
        counts: Counter[str] = Counter()
        for target, rows in self.targets.items() if self.labels or self.label_field else ():
            label = parse_json_object(target).get(self.label_field) if self.label_field else target
            counts[label_from_value(label)] += rows
        return find_near_equal_labels(counts)

    @property
    def label_field(self) -> str | None:
        """Return the field of JSON targets that contains the label; None if targets are not JSON objects.

        This is the field with the most values among those that contain class names, or else the first field.
        """
        few = {
            name: n
            for name, n in self.distinct_values_by_field.items()
            if n <= MAX_LABELS and n * MIN_LABEL_FREQUENCY <= self.records
        }
        return max(few, key=lambda name: few[name]) if few else next(iter(self.distinct_values_by_field), None)


class SampledFile(NamedTuple):
    file: DataFile
    sample: SampleStatistics


def compute_statistics(data_file: DataFile, source: Source) -> SampleStatistics:
    """Convert the sample of a file to records of the source, and compute the statistics.

    Raises:
        InputError: Too many rows are malformed, too few rows become records, or there are too few distinct prompts.
    """
    rows = data_file.sample
    records, rejected, malformed = [], Counter[str](), list[str]()
    for row in rows:
        try:
            records.append(map_row_to_record(row.values, source, Counter()))
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
    sample = _compute_from_records(data_file.rows - data_file.malformed, records, rejected)
    if sample.distinct_prompts < MIN_RECORDS:
        raise InputError(
            f"{source.location}: its {len(records)} rows ask {sample.distinct_prompts} different things, and to "
            f"train on some and test on others takes {MIN_RECORDS}; is {_prompt_column(source)!r} the column that "
            "asks? --prompt names another"
        )
    return sample


def _prompt_column(source: Source) -> str:
    return source.mapping.prompt or source.mapping.messages or source.mapping.text or ""


def _compute_from_records(rows: int, records: list[dict[str, Any]], rejected: Counter[str]) -> SampleStatistics:
    prompts = ["\n".join(turn["content"] for turn in record["messages"][:-1]) for record in records]
    targets = [record["messages"][-1]["content"] for record in records]
    keys = [" ".join(prompt.casefold().split()) for prompt in prompts]
    pairs, dates = set(zip(keys, targets, strict=True)), [each["effective_from"] for each in records]
    known = [day for day in dates if day]
    target_counts = Counter(targets)
    languages, departments = (Counter(record[key] for record in records) for key in ("language", "department"))
    listable = [counts for counts in (target_counts, languages, departments) if len(counts) <= MAX_LABELS]
    examined = {value for counts in listable for value in counts if value and len(value) <= MAX_LISTED_CHARS}
    longest = max(prompts, key=lambda prompt: len(prompt.encode()))
    return SampleStatistics(
        rows=rows,
        records=len(records),
        rejected_rows=rejected,
        prompt_chars=(min(map(len, prompts)), max(map(len, prompts))),
        max_prompt_bytes=len(longest.encode()),
        max_target_chars=max(map(len, targets)),
        max_target_bytes=max(len(target.encode()) for target in targets),
        distinct_prompts=len(set(keys)),
        repeated_records=len(records) - len(pairs),
        contradicting_targets=len(pairs) - len(set(keys)),
        targets=target_counts,
        distinct_values_by_field=_shared_fields(targets),
        personal_values=find_personal_values(examined),
        languages=languages,
        departments=departments,
        date_range=(min(known), max(known)) if known else None,
        language=_detect_language(prompts),
    )


def _shared_fields(targets: list[str]) -> dict[str, int]:
    try:
        objects = [parse_json_object(target) for target in targets]
    except ValueError:
        return {}
    shared = set.intersection(*(set(each) for each in objects))
    return {name: len({label_from_value(each[name]) for each in objects}) for name in objects[0] if name in shared}


def _detect_language(prompts: list[str]) -> str | None:
    votes: Counter[str | None] = Counter()
    for prompt in prompts[:2_000]:
        words = re.findall(r"\w+", prompt.casefold())
        hits = {language: sum(word in common for word in words) for language, common in COMMON_WORDS.items()}
        best = max(hits, key=lambda language: hits[language])
        votes[best if hits[best] > 2 * min(hits.values()) else None] += 1
    language, count = votes.most_common(1)[0]
    return language if count >= 0.7 * sum(votes.values()) else None
