"""Table of the forms of task files."""

from collections.abc import Callable
from typing import NamedTuple

from tasks.labels.forms import jsonl_form, label_studio, spreadsheet
from tasks.labels.forms.task_file import LabelledItem, TaskFile
from tasks.labels.label_round import FormName


class Form(NamedTuple):
    write: Callable[[TaskFile], bytes]
    read: Callable[[bytes], list[LabelledItem]]
    """Function that parses a file in this form. It raises FormError if the file is not in this form."""
    first_bytes: bytes
    """First bytes of every file in this form, after white space."""


FORMS: dict[FormName, Form] = {
    "jsonl": Form(jsonl_form.write, jsonl_form.read, b"{"),
    "xlsx": Form(spreadsheet.write, spreadsheet.read, b"PK"),
    "label-studio": Form(label_studio.write, label_studio.read, b"["),
}


def recognise_form(data: bytes) -> FormName | None:
    """Return the form of a file by its first bytes; None if they are those of no form."""
    begin = data[:1_000].removeprefix(b"\xef\xbb\xbf").lstrip()
    return next((name for name, form in FORMS.items() if begin.startswith(form.first_bytes)), None)
