"""Rules of the templates of a task: values for the prompt's fields, and the form of the response.

Reasons name fields that params.yaml names, and never a value or field of the record.
"""

from collections.abc import Iterator
from typing import Any

from tasks.core.params import citation_form, prompt_template
from tasks.core.params.prompts import Prompt
from tasks.core.params.response import FieldType, Response
from tasks.core.records.answer_label import parse_json_object
from tasks.stages.data.clean.filter import FilterInput

Breach = tuple[str, str]
"""Rule and reason."""
PYTHON_TYPES: dict[FieldType, type | tuple[type, ...]] = {
    "text": str, "integer": int, "number": (int, float), "boolean": bool, "list": list, "object": dict,
}  # fmt: skip


def find_breach(record: FilterInput, prompt: Prompt) -> Breach | None:
    """Return the first rule of the templates that a record breaks, with the reason; None if it breaks none."""
    return next(_breaches(record, prompt), None)


def _breaches(record: FilterInput, prompt: Prompt) -> Iterator[Breach]:
    if prompt.template is not None and (missing := prompt_template.missing_fields(prompt.template, record._asdict())):
        yield "missing_template_value", f"the template has {', '.join(missing)}, for which the record has no value"
    if prompt.response is not None:
        yield from _response_breaches(record, prompt.response)


def _response_breaches(record: FilterInput, response: Response) -> Iterator[Breach]:
    texts = [record.target]
    if response.form == "label" and record.target.strip() not in response.labels:
        yield "unknown_response_label", f"it is none of the {len(response.labels)} labels of the response"
    if response.form == "json":
        try:
            value = parse_json_object(record.target)
        except ValueError as error:
            yield "unparsable_response", f"it cannot be read: {error}"
            return
        yield from _field_breaches(value, response)
        texts = list(_texts_in(value))
    cites = response.citation if response.citation and record.kind in response.citation.kinds else None
    if cites and not any(map(citation_form.compile_form(cites.form).search, texts)):
        yield "missing_citation", f"it has no citation of the form {cites.form}"


def _field_breaches(value: dict[str, Any], response: Response) -> Iterator[Breach]:
    known = response.fields | response.optional_fields
    if missing := sorted(response.fields.keys() - value.keys()):
        yield "missing_response_field", f"it has no {', '.join(missing)}"
    if unknown := len(value.keys() - known.keys()):
        yield "unknown_response_field", f"{unknown} of its fields are none of the response's"
    for name, wanted in known.items():
        if name in value and not _has_type(value[name], wanted):
            yield "wrong_response_type", f"its field {name} is not of type {wanted}"


def _texts_in(value: Any) -> Iterator[str]:
    """Yield the texts within a JSON value, as they read without escapes."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts_in(each)


def _has_type(value: Any, wanted: FieldType) -> bool:
    return isinstance(value, PYTHON_TYPES[wanted]) and (wanted == "boolean" or not isinstance(value, bool))
