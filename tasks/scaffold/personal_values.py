"""Personal values among names of columns and recurring values of a file, which must not be written to any new file."""

from collections.abc import Collection, Mapping, Sequence

from tasks.stages.data.protect.detected_span import DetectedSpan
from tasks.stages.data.protect.labels import find_in_label
from tasks.stages.data.protect.recognisers.detector import detect_spans


def find_personal_values(values: Collection[str]) -> frozenset[str]:
    """Return the values in which the recognisers of stage `ingest` find personal data, or that they cannot read."""
    listed = list(values)
    found = zip(listed, detect_spans(listed), strict=True)
    return frozenset(value for value, spans in found if spans is None or spans or find_in_label(value))


def find_personal_columns(values_by_column: Mapping[str, Collection[str]]) -> list[int]:
    """Return the numbers, from 1, of the columns whose names contain personal data.

    What looks like a person's name counts only if a value of the column looks like one too. "April Sales" is the name
    of a column of numbers.
    """
    found = zip(values_by_column.items(), detect_spans(list(values_by_column)), strict=True)
    return [
        number
        for number, ((_, values), spans) in enumerate(found, start=1)
        if spans and (_other_than_names(spans) or _has_name(values))
    ]


def _other_than_names(spans: Sequence[DetectedSpan]) -> bool:
    return any(span.category != "name" for span in spans)


def _has_name(values: Collection[str]) -> bool:
    return any(span.category == "name" for spans in detect_spans(list(values)) for span in spans or ())
