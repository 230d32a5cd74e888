"""YAML into frozen objects: unknown keys refused, every mistake reported together with file and line.

Hallmark's settings files (params.yaml and those in infra/governance/) are each one pydantic model; `load` is the
only way in, so a mistake reads the same wherever it stands.
"""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from tasks.errors import InputError


class Frozen(BaseModel):
    """Base of every settings object and result: immutable, strict about its keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


Model = TypeVar("Model", bound=BaseModel)


def load(path: Path, model: type[Model]) -> Model:
    """Read and validate `path`. Raises InputError with all problems, each with its line and what would be right."""
    return validate(read_yaml(path), model, path)


def read_yaml(path: Path) -> Any:
    """The file as ruamel's round-trip mapping, which remembers lines and comments."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; give the path of an existing YAML file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as UTF-8 text ({error})") from None
    try:
        document = YAML().load(text)
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise InputError(f"{path}:{line}: not valid YAML: {error.problem or error.context}") from None
    except RecursionError:
        raise InputError(f"{path}: not valid YAML: it is nested too deep to be read") from None
    except YAMLError as error:
        raise InputError(f"{path}: not valid YAML: {error}") from None
    if not isinstance(document, Mapping):
        raise InputError(f"{path}: expected a mapping of keys to values, got {type(document).__name__}")
    return document


def validate(document: Any, model: type[Model], path: Path) -> Model:
    """Validate a document read from `path`; the path only serves the messages."""
    try:
        return model.model_validate(plain(document))
    except ValidationError as error:
        found: list[Any] = [*error.errors()]
    problems = [_problem(item, document, path) for item in found + _combinations(document, model, found)]
    raise InputError("\n".join(dict.fromkeys(problems)))


def problems(found: Iterable[tuple[Sequence[str | int], str]]) -> ValidationError:
    """What a model's validator raises to name places inside the model: each with what is wrong there."""
    details = [
        # An error's text is a template, and a name in the file may hold braces.
        InitErrorDetails(type=PydanticCustomError("value_error", "{said}", {"said": said}), loc=tuple(where), input={})
        for where, said in found
    ]
    return ValidationError.from_exception_data("file", details)


def _combinations(document: Any, model: type[BaseModel], found: Sequence[Any]) -> list[Any]:
    """Impossible combinations that hid behind mistakes already `found`.

    pydantic looks for them only in a section whose every key is right. So the wrong keys and values are taken out and
    the rest is validated again, as far as defaults can stand in. A combination names the keys that it is about; one
    that names, in this or a like spelling, a key that was taken out may be a default's and not the file's: it waits
    until that key is right.
    """
    value = plain(document)
    wrong = [item for item in found if item["type"] != "missing" and not _is_combination(item)]
    taken = [_innermost(value, item["loc"]) for item in wrong]
    for section, key in taken:
        section.pop(key, None)
    try:
        model.model_validate(value)
    except ValidationError as error:
        again = [item for item in error.errors() if _is_combination(item)]
        return [item for item in again if not any(_names(item["msg"], str(key)) for _, key in taken)]
    return []


def _is_combination(problem: Any) -> bool:
    return problem["type"] == "value_error" and isinstance(problem["input"], Mapping)


def _innermost(value: Any, where: Iterable[str | int]) -> tuple[dict[Any, Any], str | int]:
    """The innermost mapping on the way `where`, and its key there; an empty one where there is none."""
    section: dict[Any, Any] = {}
    key: str | int = ""
    for part in where:
        try:
            value, above = value[part], value
        except (KeyError, IndexError, TypeError):  # a part that names a form that was tried, not a place
            break
        if isinstance(above, dict):
            section, key = above, part
    return section, key


def _names(message: str, key: str) -> bool:
    return bool(difflib.get_close_matches(key, re.findall(r"\w+", message), cutoff=0.8))


def plain(value: Any) -> Any:
    """ruamel's containers and scalars as plain dicts, lists and values."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return value


def _problem(item: Any, document: Any, path: Path) -> str:
    where = list(item["loc"])
    name = ".".join(str(part) for part in where) or "file"
    message = {
        "extra_forbidden": "unknown key; remove it or correct its spelling (`hallmark params --schema` lists the keys)",
        "missing": f"missing{_owner(document, where)}; this key is required",
    }.get(item["type"], f"{item['msg'].removeprefix('Value error, ')} (got {item['input']!r})")
    if item["type"] == "value_error":
        message = item["msg"].removeprefix("Value error, ")
    return f"{path}:{line_of(document, where)}: {name}: {message}"


def _owner(document: Any, where: Iterable[str | int]) -> str:
    """` from ID` for a place inside an item of a list that has an id."""
    found = ""
    for part in where:
        try:
            document = document[part]
        except (KeyError, IndexError, TypeError):
            break
        if isinstance(part, int) and isinstance(document, Mapping) and "id" in document:
            found = f" from {document['id']}"
    return found


def line_of(document: Any, where: Iterable[str | int]) -> int:
    """The line, from 1, of the deepest part of `where` that stands in the document."""
    line = getattr(getattr(document, "lc", None), "line", 0)
    for part in where:
        marks: Any = getattr(document, "lc", None)
        try:
            line = (marks.key(part) if isinstance(document, Mapping) else marks.item(part))[0]
            document = document[part]
        except (AttributeError, KeyError, IndexError, TypeError):
            continue
    return int(line) + 1
