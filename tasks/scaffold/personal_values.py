"""Personal values among names of columns and recurring values of a file, which must not be written to any new file."""

from collections.abc import Collection

from tasks.stages.data.protect.labels import find_in_label
from tasks.stages.data.protect.recognisers.detector import detect_spans


def find_personal_values(values: Collection[str]) -> frozenset[str]:
    """Return the values in which the recognisers of stage `ingest` find personal data, or that they cannot read."""
    listed = list(values)
    found = zip(listed, detect_spans(listed), strict=True)
    return frozenset(value for value, spans in found if spans is None or spans or find_in_label(value))


def find_personal_columns(names: Collection[str]) -> list[int]:
    """Return the numbers, from 1, of the columns whose names contain personal data.

    A single word counts as no name of a person, because "Frank" and "Amber" are names of columns too.
    """
    listed = list(names)
    return [
        number
        for number, (name, spans) in enumerate(zip(listed, detect_spans(listed), strict=True), start=1)
        if any(" " in name[span.start : span.end].strip() or span.category != "name" for span in spans or ())
    ]
