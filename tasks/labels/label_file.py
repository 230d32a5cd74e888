"""Check of a task file that comes back with labels. Nothing of a file counts unless all of it is right."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tasks.core.documents import config
from tasks.core.errors import InputError
from tasks.core.escaping import escape_to_one_line
from tasks.core.files import read_bounded
from tasks.labels.forms.table import FORMS, recognise_form
from tasks.labels.forms.task_file import MAX_LISTED_PROBLEMS, FormError, LabelledItem
from tasks.labels.label_round import MAX_LABEL_CHARS, MAX_NOTE_CHARS, FormName, GivenLabel, Scale
from tasks.labels.round_order import canonical_label, is_encodable, is_number
from tasks.stages.data.text import normalise_text

MAX_FILE_BYTES = 128 * 2**20
MAX_SHOWN_CHARS = 60


@dataclass(frozen=True)
class Expected:
    """Content that a task file must have to be the one that a person was given."""

    round: str
    reader: str
    """Pseudonym of the person."""
    pseudonyms: frozenset[str]
    """Pseudonyms of all people of the round."""
    guideline: str
    """Version and digest of the guideline."""
    texts: Mapping[str, str]
    """Text of each item that the person was given, by its id."""
    round_items: frozenset[str]
    """Ids of all items of the round."""
    labels: frozenset[str]
    """Allowed labels; empty for free text."""
    scale: Scale


class CheckedFile(NamedTuple):
    form: FormName
    labels: list[GivenLabel]
    """Labels of the items that have one."""
    unlabelled: int


def read_label_file(path: Path, expected: Expected) -> CheckedFile:
    """Read a task file with labels, and check all of it.

    Raises:
        InputError: The file is not the task file of this person, or has labels that are not allowed. The message lists
            the problems with their places.
    """
    try:
        data = read_bounded(path, MAX_FILE_BYTES)
    except (OSError, ValueError) as error:
        what = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError(f"{path}: cannot be read ({what})") from None
    form = recognise_form(data)
    if form is None:
        raise InputError(f"{path}: expected a task file as it was exported: JSON Lines, XLSX, or JSON of Label Studio")
    try:
        items = FORMS[form].read(data)
    except FormError as error:
        raise InputError(f"{path}: {error}") from None
    if problems := [*_problems(items, expected)]:
        more = [f"and {len(problems) - MAX_LISTED_PROBLEMS:,} more problems"] * (len(problems) > MAX_LISTED_PROBLEMS)
        listed = "\n".join(f"{path}: {each}" for each in [*problems[:MAX_LISTED_PROBLEMS], *more])
        raise InputError(f"{listed}\nnothing was imported")
    given = [_given_label(item, expected.scale) for item in items if normalise_text(item.label)]
    if not given:
        raise InputError(f"{path} has no labels yet; fill in `label`, and import it again")
    return CheckedFile(form, given, len(items) - len(given))


def _problems(items: Sequence[LabelledItem], expected: Expected) -> Iterator[str]:
    guidelines = sorted({item.guideline for item in items})
    if len(guidelines) > 1:
        shown = ", ".join(map(_shown, guidelines))
        yield f"its rows name {len(guidelines)} versions of the guideline ({shown}); a task file has one"
    counts = Counter(item.item for item in items)
    for item in items:
        wrong = _wrong_file(item, expected) or _wrong_item(item, expected, counts[item.item])
        if wrong := wrong or _wrong_label(item, expected):
            yield f"{item.where}: {wrong}"


def _wrong_file(item: LabelledItem, expected: Expected) -> str:
    """Return the reason why an item is of another file than the person's, or empty text."""
    if item.round != expected.round:
        return f"it is of round {_shown(item.round)}, not of {expected.round}"
    if item.annotator not in expected.pseudonyms:
        return f"annotator {_shown(item.annotator)} is unknown; nobody in round {expected.round} has this pseudonym"
    if item.annotator != expected.reader:
        return f"it is of {item.annotator}, another person of the round; each imports the file that they were given"
    if item.guideline != expected.guideline:
        return (
            f"it was labelled by guideline {_shown(item.guideline)}, and the round has {expected.guideline}; start a "
            "round for another version"
        )
    return ""


def _wrong_item(item: LabelledItem, expected: Expected, count: int) -> str:
    if item.item not in expected.texts:
        known = item.item in expected.round_items
        return f"item {_shown(item.item)} {'was given to somebody else' if known else 'is not in the round'}"
    if count > 1:
        return f"item {item.item} stands in the file {count} times; keep one"
    if normalise_text(item.text) != expected.texts[item.item]:
        return f"the text of item {item.item} was changed; labels are for the texts as they were handed out"
    return ""


def _wrong_label(item: LabelledItem, expected: Expected) -> str:
    label = normalise_text(item.label)
    if not label:
        return "" if is_encodable(item.note) else "its note has half of a character, which no file can hold"
    if expected.scale == "interval" and is_number(label):
        label = canonical_label(label, expected.scale)
    if expected.labels and label not in expected.labels:
        allowed = ", ".join(map(_shown, sorted(expected.labels)))
        return f"label {_shown(label)} is not allowed; allowed are {allowed}"
    if expected.scale == "interval" and not is_number(label):
        return f"label {_shown(label)} is no number, as the round's scale wants it"
    if not (is_encodable(label) and is_encodable(item.note)):
        return "its label or note has half of a character, which no file can hold"
    if len(label) > MAX_LABEL_CHARS or len(item.note) > MAX_NOTE_CHARS:
        return f"its label has more than {MAX_LABEL_CHARS:,} characters, or its note more than {MAX_NOTE_CHARS:,}"
    try:
        config.refuse_hidden_characters(label.replace("\n", " ").replace("\t", " "), "the label")
    except InputError as error:
        return str(error)
    return ""


def _given_label(item: LabelledItem, scale: Scale) -> GivenLabel:
    label = canonical_label(normalise_text(item.label), scale)
    return GivenLabel(item=item.item, label=label, seconds=item.seconds, note=normalise_text(item.note))


def _shown(text: str) -> str:
    cut = text if len(text) <= MAX_SHOWN_CHARS else f"{text[:MAX_SHOWN_CHARS]}…"
    return f"'{escape_to_one_line(cut)}'"
