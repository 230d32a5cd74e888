"""Form of Label Studio: tasks to import there, and its JSON export with annotations.

A project has the labelling interface that `labelling_config` returns: choices named `label`, or a text area for free
text. Each task that comes back has one annotation, whose `lead_time` is the time that the label took.
"""

import json
from typing import Any
from xml.sax.saxutils import quoteattr

from tasks.core.json_text import parse_strict
from tasks.labels.forms.jsonl_form import labelled_item
from tasks.labels.forms.task_file import GIVEN, LABEL, SECONDS, FormError, LabelledItem, TaskFile

RESULT_TEXTS = {"choices": "choices", "textarea": "text"}
"""Key of the texts in the value of a result, by the result's type."""


def write(task: TaskFile) -> bytes:
    tasks = [
        {"data": {**task.fixed_values(item), **({GIVEN: " | ".join(item.given)} if task.shows_given else {})}}
        for item in task.items
    ]
    return json.dumps(tasks, ensure_ascii=False, indent=1).encode() + b"\n"


def labelling_config(labels: tuple[str, ...], shows_given: bool) -> str:
    """Return the labelling interface of a project, as XML."""
    given = '  <Text name="given" value="$given"/>\n' if shows_given else ""
    if labels:
        choices = "".join(f"    <Choice value={quoteattr(label)}/>\n" for label in labels)
        control = f'  <Choices name="label" toName="text" choice="single" required="true">\n{choices}  </Choices>\n'
    else:
        control = '  <TextArea name="label" toName="text" maxSubmissions="1" required="true"/>\n'
    return f'<View>\n  <Text name="text" value="$text"/>\n{given}{control}</View>\n'


def read(data: bytes) -> list[LabelledItem]:
    """Parse a JSON export.

    Raises:
        FormError: It is no list of tasks with data, or a task has several annotations or labels.
    """
    try:
        tasks = parse_strict(data)
    except ValueError:
        raise FormError("it is not JSON; export the project as JSON") from None
    if not isinstance(tasks, list):
        raise FormError("expected a list of tasks; export the project as JSON")
    return [_read_task(task, f"task {number}") for number, task in enumerate(tasks, start=1)]


def _read_task(task: Any, where: str) -> LabelledItem:
    if not isinstance(task, dict) or not isinstance(task.get("data"), dict):
        raise FormError(f"{where}: expected an object with `data`")
    annotations = task.get("annotations", [])
    if not isinstance(annotations, list) or not all(isinstance(each, dict) for each in annotations):
        raise FormError(f"{where}: expected a list of objects in `annotations`; JSON-MIN lacks it, choose JSON")
    given = [each for each in annotations if not each.get("was_cancelled")]
    if len(given) > 1:
        raise FormError(f"{where} has {len(given)} annotations, and a task file has one of each item; keep one")
    label = _label_of(given[0], where) if given else ""
    seconds = given[0].get("lead_time") if given else None
    return labelled_item({**task["data"], LABEL: label, SECONDS: seconds}, where)


def _label_of(annotation: dict[str, Any], where: str) -> str:
    results = annotation.get("result")
    if not isinstance(results, list) or not all(isinstance(each, dict) for each in results):
        raise FormError(f"{where}: expected a list of objects in `result`")
    texts = [text for each in results if each.get("from_name") == LABEL for text in _texts(each, where)]
    if len(texts) > 1:
        raise FormError(f"{where} has {len(texts)} labels; keep one")
    return texts[0] if texts else ""


def _texts(result: dict[str, Any], where: str) -> list[str]:
    key, value = RESULT_TEXTS.get(str(result.get("type"))), result.get("value")
    texts = value.get(key) if key and isinstance(value, dict) else None
    if isinstance(texts, str):
        texts = [texts]
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise FormError(f"{where}: expected choices or a text area named `{LABEL}`")
    return texts
