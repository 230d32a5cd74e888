"""Loading of YAML files into frozen pydantic models, with all errors reported at once by file and line.

Each of Hallmark's settings files (params.yaml and those in infra/governance/) is one pydantic model. All of them are
loaded by the same function, so that errors have the same form in every file.
"""

import difflib
import inspect
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, TypeVar, cast

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler, PlainSerializer, ValidationError
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError

from tasks.core.documents import yaml_text
from tasks.core.errors import InputError, Refused
from tasks.core.escaping import first_hidden_character
from tasks.core.files import write_bytes

MAX_REASON_CHARS = 2_000


class FrozenModel(BaseModel):
    """Base class of settings and results. Instances are immutable, and unknown keys are refused.

    Validators and schemas are built on first use, because a process imports many models but uses only a few. NaN and
    infinity are refused, because every comparison with NaN is false.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True, allow_inf_nan=False)

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        from tasks.core.documents import field_docs

        schema = handler(core_schema)
        properties = handler.resolve_ref_schema(schema).get("properties", {})
        for name, text in field_docs.field_docstrings(cls).items():
            field = cls.model_fields.get(name)
            if field is None or field.description is not None:
                continue
            for said in (properties[key] for key in {name, field.serialization_alias} if key in properties):
                if "$ref" not in said or text != inspect.getdoc(field.annotation):  # the referenced schema has it
                    said["description"] = text
        return schema


IsoTime = Annotated[datetime, PlainSerializer(datetime.isoformat, when_used="json")]
"""Datetime that is serialised to JSON by `datetime.isoformat`, which writes UTC as `+00:00`."""
Model = TypeVar("Model", bound=BaseModel)
NO_CHANGES: Mapping[str, str] = {}
_CACHE: dict[tuple[type[BaseModel], str, bool], BaseModel] = {}
"""Cache of validated files, by model, text and `merge_keys`. Callers can share an entry because models are frozen."""
MAX_LISTED_ERRORS = 100
MAX_CACHED_FILES = 64
"""Maximum number of cached files. Caching pays off because ruamel needs 20 ms to parse a kilobyte."""
MAX_SHOWN_VALUE_CHARS = 300
HIDDEN_CHARACTER_MESSAGE = (
    "it holds the character {}, which nobody sees and which may change how the rest is shown; take it out"
)


def load_settings(path: Path, model: type[Model], *, merge_keys: bool = True) -> Model:
    """Load and validate a YAML file. Results are cached by the text of the file.

    Args:
        path: Path of the file.
        model: Model to validate against.
        merge_keys: Whether merge keys (`<<`) are allowed. Files that people sign must not use them, because the signer
            would not see the merged values where they apply.

    Raises:
        InputError: The file is not valid; the message lists every error with its line and the expected value.
    """
    text = read_yaml_text(path)
    loaded = _CACHE.get((model, text, merge_keys))
    if loaded is None:
        document = parse_yaml(text, path)
        loaded = validate_document(document, model, path)
        if not merge_keys:
            _refuse_merge_keys(document, path)
        if len(_CACHE) >= MAX_CACHED_FILES:
            _CACHE.clear()
        _CACHE[model, text, merge_keys] = loaded
    return cast(Model, loaded)


def _refuse_merge_keys(document: Any, path: Path) -> None:
    left = [document]
    while left:
        node = left.pop()
        if getattr(node, "merge", None):
            raise InputError(f"{path}:{node.lc.line + 1}: keys that are taken over with `<<` are not read here; write "
                             "them out where they count")  # fmt: skip
        left += node.values() if isinstance(node, Mapping) else node if isinstance(node, list) else ()


def load_known_sections(path: Path, model: type[Model]) -> Model:
    document = read_yaml(path)
    for section in [section for section in document if section not in model.model_fields]:
        del document[section]
    return validate_document(document, model, path)


def read_yaml(path: Path) -> Any:
    """Read a YAML file into ruamel's round-trip mapping, which preserves line numbers and comments."""
    return parse_yaml(read_yaml_text(path), path)


def read_plain_yaml(path: Path) -> Any:
    """Read a YAML file into plain dicts, lists and values. Results are cached by the text of the file."""
    return parse_plain_yaml(read_yaml_text(path), path)


def parse_plain_yaml(text: str, path: Path) -> Any:
    """Parse YAML text into plain dicts, lists and values. Results are cached.

    Args:
        text: YAML text.
        path: File that the text was read from, used in error messages.
    """
    return to_plain_value(_parse_plain(text, _Origin(path)))


@dataclass(frozen=True)
class _Origin:
    """File of a text. All origins are equal, so that the same text is parsed once, whatever its file."""

    path: Path = field(compare=False)


@lru_cache(MAX_CACHED_FILES)
def _parse_plain(text: str, origin: _Origin) -> Any:
    return to_plain_value(parse_yaml(text, origin.path))


def parse_yaml(text: str, path: Path) -> Any:
    """Parse YAML text into ruamel's round-trip mapping, which preserves line numbers and comments.

    Args:
        text: YAML text.
        path: File that the text was read from, used in error messages.
    """
    document = yaml_text.parse_with_limits(text, str(path))
    if not isinstance(document, Mapping):
        raise InputError(f"{path}: expected a mapping of keys to values, got {type(document).__name__}")
    return document


def overwrite_if_unchanged(path: Path, expected_text: str, new_text: str) -> None:
    """Overwrite a file that people also edit, unless it was changed in the meantime.

    Args:
        path: Path of the file.
        expected_text: Text of the file when it was read.
        new_text: New text.

    Raises:
        Refused: The text of the file is no longer `expected_text`, so overwriting it would undo somebody else's change.
    """
    if read_yaml_text(path) != expected_text:
        raise Refused(f"{path} was changed while this command ran, and is left as it is now; run the command again")
    write_bytes(path, new_text.encode())


def read_yaml_text(path: Path) -> str:
    """Read the text of a YAML file. Pipes and devices are refused, because reading them might never end."""
    try:
        if path.exists() and not path.is_file():
            raise InputError(f"{path}: not a file; give the path of a YAML file")
        with path.open("rb") as file:
            content = file.read(yaml_text.MAX_BYTES + 1)
        if len(content) > yaml_text.MAX_BYTES:
            raise yaml_text.too_long_error(str(path))
        return content.decode("utf-8")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; give the path of an existing YAML file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as UTF-8 text ({error})") from None


def validate_document(document: Any, model: type[Model], path: Path, changes: Mapping[str, str] = NO_CHANGES) -> Model:
    """Validate a document against a model.

    Args:
        document: Result of `read_yaml` or `parse_yaml`, with the values of `--set` already applied.
        model: Model to validate against.
        path: File that the document was read from, used in error messages.
        changes: Values of `--set` by dotted key. Error messages about these values name the option instead of a line.

    Raises:
        InputError: The document is not valid; the message lists all errors.
    """
    errors: list[Any] = [*_hidden_character_errors(document)]
    try:
        checked = model.model_validate(to_plain_value(document))
        if not errors:
            return checked
    except ValidationError as error:
        errors += error.errors()
        errors += _combination_errors(document, model, errors)
    messages = [_error_message(item, document, path, changes) for item in errors]
    problems = [*dict.fromkeys(messages)]
    more = [f"{path}: and {len(problems) - MAX_LISTED_ERRORS:,} more problems"] * (len(problems) > MAX_LISTED_ERRORS)
    raise InputError("\n".join(problems[:MAX_LISTED_ERRORS] + more))


def refuse_hidden_characters(text: str, text_name: str) -> str:
    """Return `text` unchanged if it contains no hidden characters.

    Args:
        text: Text to check.
        text_name: Name of the text, used at the start of the error message.

    Raises:
        InputError: `text` contains a hidden character.
    """
    if name := first_hidden_character(text):
        raise InputError(f"{text_name}: {HIDDEN_CHARACTER_MESSAGE.format(name)}")
    return text


def validate_reason(reason: str, subject: str = "why") -> str:
    """Validate the reason that a person gives, and strip surrounding white space before it is signed and recorded.

    Args:
        reason: Reason as the person entered it.
        subject: What the reason explains, for the error message "say in words {subject}".

    Raises:
        InputError: The reason has neither a letter nor a digit, is too long or contains a hidden character.
    """
    if len(reason) > MAX_REASON_CHARS:
        raise InputError(f"the reason has {len(reason):,} characters; say it in {MAX_REASON_CHARS:,}")
    if not any(map(str.isalnum, refuse_hidden_characters(reason, "the reason"))):
        raise InputError(f"say in words {subject} (--reason), so that others can follow it later")
    return reason.strip()


def _hidden_character_errors(document: Any, key_path: tuple[str | int, ...] = ()) -> Iterator[dict[str, Any]]:
    if isinstance(document, str):
        if name := first_hidden_character(document):
            yield {"type": "value_error", "loc": key_path, "msg": HIDDEN_CHARACTER_MESSAGE.format(name), "input": ""}
    elif isinstance(document, Mapping):
        for key, value in document.items():
            yield from _hidden_character_errors(str(key), (*key_path, key))
            yield from _hidden_character_errors(value, (*key_path, key))
    elif isinstance(document, list):
        for place, value in enumerate(document):
            yield from _hidden_character_errors(value, (*key_path, place))


def make_validation_error(located_messages: Iterable[tuple[Sequence[str | int], str]]) -> ValidationError:
    details = [
        # The message is a parameter of the template, not the template itself, since names in it may contain braces.
        InitErrorDetails(type=PydanticCustomError("value_error", "{said}", {"said": said}), loc=tuple(where), input={})
        for where, said in located_messages
    ]
    return ValidationError.from_exception_data("file", details)


def _combination_errors(document: Any, model: type[BaseModel], errors: Sequence[Any]) -> list[Any]:
    """Return errors about invalid combinations of settings that pydantic did not report.

    Pydantic checks combinations only if every key of a section is valid. So the invalid keys are removed, and the
    document is validated again with defaults for these keys. An error that mentions a removed key, or a similar
    spelling of it, is ignored, because the default may have caused it.
    """
    value = to_plain_value(document)
    wrong = [item for item in errors if item["type"] != "missing" and not _is_combination_error(item)]
    removed_keys = [_innermost_mapping(value, item["loc"]) for item in wrong]
    for section, key in removed_keys:
        section.pop(key, None)
    try:
        model.model_validate(value)
    except ValidationError as error:
        again = [item for item in error.errors() if _is_combination_error(item)]
        return [item for item in again if not any(_mentions_key(item["msg"], str(key)) for _, key in removed_keys)]
    return []


def _is_combination_error(problem: Any) -> bool:
    return problem["type"] == "value_error" and isinstance(problem["input"], Mapping)


def _innermost_mapping(value: Any, key_path: Iterable[str | int]) -> tuple[dict[Any, Any], str | int]:
    section: dict[Any, Any] = {}
    key: str | int = ""
    for part in key_path:
        try:
            value, above = value[part], value
        except (KeyError, IndexError, TypeError):  # the name of a union's member, which is not a place in the document
            break
        if isinstance(above, dict):
            section, key = above, part
    return section, key


def _mentions_key(message: str, key: str) -> bool:
    return bool(difflib.get_close_matches(key, re.findall(r"\w+", message), cutoff=0.8))


def to_plain_value(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: to_plain_value(item) for key, item in value.items()}
    if isinstance(value, list):
        return [to_plain_value(item) for item in value]
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return value


def _error_message(error: Any, document: Any, path: Path, changes: Mapping[str, str]) -> str:
    where = list(error["loc"])
    name = ".".join(str(part) for part in where) or "file"
    message = {
        "extra_forbidden": "unknown key; remove it or correct its spelling (`hallmark params schema` lists the keys)",
        "missing": f"missing{_item_id_phrase(document, where)}; this key is required",
    }.get(error["type"], f"{error['msg'].removeprefix('Value error, ')} (got {_truncated_repr(error['input'])})")
    if error["type"] == "value_error":
        message = error["msg"].removeprefix("Value error, ")
    return f"{_error_location(name, document, where, path, changes)}: {message}"


def _error_location(
    name: str, document: Any, key_path: Sequence[str | int], path: Path, changes: Mapping[str, str]
) -> str:
    for key, value in changes.items():
        if f"{name}.".startswith(f"{key}."):
            return f"--set {key}={value}{f': {name}' * (name != key)}"
    within = [f"--set {key}={value}" for key, value in changes.items() if name == "file" or key.startswith(f"{name}.")]
    place = f"{path}:{find_line_number(document, key_path)}: {name}"
    return f"{place}, with {' '.join(within)}" if within else place


def _truncated_repr(value: Any) -> str:
    shown = repr(value)
    return (
        shown if len(shown) <= MAX_SHOWN_VALUE_CHARS else f"{shown[:MAX_SHOWN_VALUE_CHARS]}… {len(shown):,} characters"
    )


def _item_id_phrase(document: Any, key_path: Iterable[str | int]) -> str:
    owner = ""
    for part in key_path:
        try:
            document = document[part]
        except (KeyError, IndexError, TypeError):
            break
        if isinstance(part, int) and isinstance(document, Mapping) and "id" in document:
            owner = f" from {document['id']}"
    return owner


def find_line_number(document: Any, key_path: Iterable[str | int]) -> int:
    """Return the line number, counted from 1, of the value at a path in a document.

    If the path does not exist, return the line of its deepest existing part.
    """
    line = getattr(getattr(document, "lc", None), "line", None)  # None also for documents that no file has
    for part in key_path:
        marks: Any = getattr(document, "lc", None)
        try:
            line = (marks.key(part) if isinstance(document, Mapping) else marks.item(part))[0]
            document = document[part]
        except (AttributeError, KeyError, IndexError, TypeError):
            continue
    return int(line or 0) + 1
