"""Order of a round: what the person who starts it asks for, and its validation."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tasks.core.documents import config
from tasks.core.errors import InputError
from tasks.core.layout import Layout
from tasks.core.params.values import NAME_PATTERN
from tasks.labels.label_round import MAX_LABEL_CHARS, Partition, Scale
from tasks.labels.prepared_pairs import PreparedPairs
from tasks.stages.data.text import normalise_text

MAX_LABELS = 1_000
MAX_ID_CHARS = 80
MAX_MAGNITUDE = 2.0**53
"""Largest number of an interval scale. Larger ones are not told apart, and their squared difference may overflow."""


@dataclass(frozen=True)
class RoundOrder:
    """Round as the person who starts it asks for it."""

    id: str
    guideline: Path
    guideline_version: str
    annotators: Sequence[str]
    """Ids in people.yaml."""
    externals: Sequence[str] = ()
    adjudicators: Sequence[str] = ()
    labels: Sequence[str] = ()
    scale: Scale = "nominal"
    overlap: int = 2
    seed: int = 1
    rows: Path | None = None
    """File with rows; None if they are from a run."""
    run: Layout | None = None
    partition: Partition = "all"
    sources: Sequence[str] = ()
    """Ids of sources of the run; all if empty."""
    sample: int | None = None
    """Number of rows to draw; None for all."""
    gold: Path | None = None
    pairs: PreparedPairs | None = None
    """Rows in place of the run's prompts; None unless the round is an expert review."""


def require_valid_order(order: RoundOrder) -> None:
    if not NAME_PATTERN.fullmatch(order.id) or len(order.id) > MAX_ID_CHARS:
        raise InputError(f"round {order.id[:50]!r}: expected an id of lower-case letters, digits, - and _")
    if (order.rows is None) == (order.run is None):
        raise InputError("say where the rows are from: either --run RUN or --rows FILE")
    if not (order.annotators or order.externals):
        raise InputError("say who labels: --annotator ID for people in people.yaml, --external NAME for others")
    for label in order.labels:
        config.refuse_hidden_characters(label, "a label")
        if label != normalise_text(label) or not label or len(label) > MAX_LABEL_CHARS:
            raise InputError(f"--label {label[:50]!r}: expected text in Unicode NFC without spaces at its ends")
    if order.scale == "interval" and not all(map(is_number, order.labels)):
        raise InputError("--scale interval: expected numbers as labels")
    different = {canonical_label(label, order.scale) for label in order.labels}
    if len(different) != len(order.labels) or len(order.labels) > MAX_LABELS or len(order.labels) == 1:
        raise InputError(f"--label: expected at least two different labels, and at most {MAX_LABELS:,}; or none")
    if order.scale == "ordinal" and not order.labels:
        raise InputError("--scale ordinal: give the labels in their order, each with --label")


def canonical_label(label: str, scale: Scale) -> str:
    """Return a label in the spelling in which it is compared: a number of an interval scale has one, `3` for `3.0`."""
    if scale != "interval":
        return label
    number = float(label)
    return str(int(number)) if number.is_integer() else repr(number)


def is_encodable(text: str) -> bool:
    """Return whether a text can be written, since it has no half of a character."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_number(label: str) -> bool:
    try:
        return abs(float(label)) <= MAX_MAGNITUDE
    except ValueError:
        return False
