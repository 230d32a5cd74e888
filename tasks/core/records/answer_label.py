"""Labels of targets and answers. Data stages count labels before training, and metrics are computed from them.

`evaluation.target`   label
`json`                the field `evaluation.label_field` of a JSON object (RFC 7493)
`label`               the whole text, without surrounding white space
"""

import unicodedata
from typing import Any

from tasks.core.json_text import canonical_json, parse_interoperable
from tasks.core.params.evaluation import Evaluation

NO_LABEL = ""
"""Label of an answer that cannot be parsed, or whose label field is missing, null or empty."""


def extract_label(text: str, settings: Evaluation) -> str:
    if settings.label_field is None:
        return text.strip()
    try:
        return label_from_value(parse_json_object(text).get(settings.label_field))
    except ValueError:
        return NO_LABEL


def label_from_value(value: Any) -> str:
    """Convert the value of an answer's label field to a label.

    Null becomes NO_LABEL, a string is the label itself, and any other value becomes canonical JSON.
    """
    if value is None:
        return NO_LABEL
    return value if isinstance(value, str) else canonical_json(value).decode()


def require_parsable_target(target: str, settings: Evaluation) -> None:
    """Check that stage `evaluate` can compare answers with a target.

    Raises:
        ValueError: `evaluation.target` is json, but the target is not a JSON object. The message does not quote the
            target.
    """
    if settings.label_field is not None:
        parse_json_object(target)


def parse_json_object(text: str) -> dict[str, Any]:
    """Parse a target or answer as a JSON object. Field names are normalised to NFC, like those in settings.

    Raises:
        ValueError: The text is not a JSON object.
    """
    value = parse_interoperable(text)
    if not isinstance(value, dict):
        raise ValueError(f"it is no JSON object but {'a list' if isinstance(value, list) else 'one value'}")
    return {unicodedata.normalize("NFC", name): field for name, field in value.items()}
