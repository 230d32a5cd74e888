"""YAML into frozen objects: unknown keys refused, every mistake reported together with file and line.

Hallmark's settings files (params.yaml and those in infra/governance/) are each one pydantic model; `load` is the
only way in, so a mistake reads the same wherever it stands.
"""

import difflib
import inspect
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler, ValidationError
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError

from tasks.core import yaml_text
from tasks.core.errors import InputError
from tasks.core.shown import hidden

MOST_REASON = 2_000
"""Characters of a reason that somebody gives."""


class Frozen(BaseModel):
    """Base of every settings object and result: immutable, strict about its keys.

    A process imports many of them and uses few, so validators and descriptions are made for whoever first needs them.
    Figures are finite: with NaN for a threshold every comparison is false.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True, allow_inf_nan=False)

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """The schema, in which the docstring of a field is its description."""
        from tasks.core import field_docs

        schema = handler(core_schema)
        properties = handler.resolve_ref_schema(schema).get("properties", {})
        for name, text in field_docs.of(cls).items():
            field = cls.model_fields.get(name)
            if field is None or field.description is not None:
                continue
            for said in (properties[key] for key in {name, field.serialization_alias} if key in properties):
                if "$ref" not in said or text != inspect.getdoc(field.annotation):  # which is told there
                    said["description"] = text
        return schema


Model = TypeVar("Model", bound=BaseModel)
NO_CHANGES: Mapping[str, str] = {}
_KNOWN: dict[tuple[type[BaseModel], str], BaseModel] = {}
"""What was read last, by what it says; models are frozen, so that they can be shared."""
MOST_TOLD = 100
"""Problems of one file told one by one; the others are counted."""
MOST_KNOWN = 16
"""Files that are not parsed again: ruamel takes 20 ms for a kilobyte, and the runner reads the same policy for days."""
MOST_SHOWN = 300
"""Characters of a wrong value."""
UNSEEN = "it holds the character {}, which nobody sees and which may change how the rest is shown; take it out"


def load(path: Path, model: type[Model]) -> Model:
    """Read and validate `path`. Raises InputError with all problems, each with its line and what would be right.

    What was read well before is not parsed again while the text is the same.
    """
    text = _text(path)
    loaded = _KNOWN.get((model, text))
    if loaded is None:
        loaded = validate(parse_yaml(text, path), model, path)
        if len(_KNOWN) >= MOST_KNOWN:
            _KNOWN.clear()
        _KNOWN[model, text] = loaded
    return cast(Model, loaded)


def require_written_out(path: Path) -> None:
    """Raises InputError where a mapping takes keys over from another one (`<<`): who signs a file sees them elsewhere
    than where they count."""
    left = [read_yaml(path)]
    while left:
        node = left.pop()
        if getattr(node, "merge", None):
            raise InputError(f"{path}:{node.lc.line + 1}: keys that are taken over with `<<` are not read here; write "
                             "them out where they count")  # fmt: skip
        left += node.values() if isinstance(node, Mapping) else node if isinstance(node, list) else ()


def load_sections(path: Path, model: type[Model]) -> Model:
    """Of the file only what `model` has fields for; other sections are nobody's business here."""
    document = read_yaml(path)
    for section in [section for section in document if section not in model.model_fields]:
        del document[section]
    return validate(document, model, path)


def read_yaml(path: Path) -> Any:
    """The file as ruamel's round-trip mapping, which remembers lines and comments."""
    return parse_yaml(_text(path), path)


def read_plain(path: Path) -> Any:
    """The file as plain values, as `plain` makes them of `read_yaml`; the same text is not parsed again."""
    return plain(_plain(_text(path), path))


@lru_cache(MOST_KNOWN)
def _plain(text: str, path: Path) -> Any:
    return plain(parse_yaml(text, path))


def parse_yaml(text: str, path: Path) -> Any:
    """As `read_yaml`, of a text that `path` names in messages."""
    document = yaml_text.load(text, str(path))
    if not isinstance(document, Mapping):
        raise InputError(f"{path}: expected a mapping of keys to values, got {type(document).__name__}")
    return document


def _text(path: Path) -> str:
    """What stands in the file. A pipe is not waited for, and of a file without end only a beginning is read."""
    try:
        if path.exists() and not path.is_file():
            raise InputError(f"{path}: not a file; give the path of a YAML file")
        with path.open("rb") as file:
            content = file.read(yaml_text.MOST_BYTES + 1)
        if len(content) > yaml_text.MOST_BYTES:
            raise yaml_text.too_long(str(path))
        return content.decode("utf-8")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; give the path of an existing YAML file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as UTF-8 text ({error})") from None


def validate(document: Any, model: type[Model], path: Path, changes: Mapping[str, str] = NO_CHANGES) -> Model:
    """Validate a document read from `path`, in which the dotted keys of `changes` were set on the command line.

    Path and changes only serve the messages: what --set says stands on no line of the file.
    """
    errors: list[Any] = [*_unseen(document)]
    try:
        checked = model.model_validate(plain(document))
        if not errors:
            return checked
    except ValidationError as error:
        errors += error.errors()
        errors += _combinations(document, model, errors)
    messages = [_problem(item, document, path, changes) for item in errors]
    problems = [*dict.fromkeys(messages)]
    more = [f"{path}: and {len(problems) - MOST_TOLD:,} more problems"] * (len(problems) > MOST_TOLD)
    raise InputError("\n".join(problems[:MOST_TOLD] + more))


def clear(text: str, what: str) -> str:
    """`text`, where all of it shows. Raises InputError, which says `what` it is, where it holds what does not."""
    if name := hidden(text):
        raise InputError(f"{what}: {UNSEEN.format(name)}")
    return text


def checked_reason(reason: str, empty: str) -> str:
    """A reason as it is signed and recorded.

    Raises InputError with the text `empty` where it has no letter and no digit, and for one that is too long or holds
    what does not show.
    """
    if len(reason) > MOST_REASON:
        raise InputError(f"the reason has {len(reason):,} characters; say it in {MOST_REASON:,}")
    if not any(map(str.isalnum, clear(reason, "the reason"))):
        raise InputError(empty)
    return reason.strip()


def _unseen(document: Any, where: tuple[str | int, ...] = ()) -> Iterator[dict[str, Any]]:
    """Keys and texts with characters that do not show, as a validator's problems: others read and sign these files."""
    if isinstance(document, str):
        if name := hidden(document):
            yield {"type": "value_error", "loc": where, "msg": UNSEEN.format(name), "input": ""}
    elif isinstance(document, Mapping):
        for key, value in document.items():
            yield from _unseen(str(key), (*where, key))
            yield from _unseen(value, (*where, key))
    elif isinstance(document, list):
        for place, value in enumerate(document):
            yield from _unseen(value, (*where, place))


def problems(places: Iterable[tuple[Sequence[str | int], str]]) -> ValidationError:
    """What a model's validator raises to name places inside the model: each with what is wrong there."""
    details = [
        # An error's text is a template, and a name in the file may hold braces.
        InitErrorDetails(type=PydanticCustomError("value_error", "{said}", {"said": said}), loc=tuple(where), input={})
        for where, said in places
    ]
    return ValidationError.from_exception_data("file", details)


def _combinations(document: Any, model: type[BaseModel], errors: Sequence[Any]) -> list[Any]:
    """Impossible combinations that hid behind mistakes already in `errors`.

    pydantic looks for them only in a section whose every key is right. So the wrong keys and values are taken out and
    the rest is validated again, as far as defaults can stand in. A combination names the keys that it is about; one
    that names, in this or a like spelling, a key that was taken out may be a default's and not the file's: it waits
    until that key is right.
    """
    value = plain(document)
    wrong = [item for item in errors if item["type"] != "missing" and not _is_combination(item)]
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


def _problem(item: Any, document: Any, path: Path, changes: Mapping[str, str]) -> str:
    where = list(item["loc"])
    name = ".".join(str(part) for part in where) or "file"
    message = {
        "extra_forbidden": "unknown key; remove it or correct its spelling (`hallmark params --schema` lists the keys)",
        "missing": f"missing{_owner(document, where)}; this key is required",
    }.get(item["type"], f"{item['msg'].removeprefix('Value error, ')} (got {_short(item['input'])})")
    if item["type"] == "value_error":
        message = item["msg"].removeprefix("Value error, ")
    return f"{_place(name, document, where, path, changes)}: {message}"


def _place(name: str, document: Any, where: Sequence[str | int], path: Path, changes: Mapping[str, str]) -> str:
    """Where a wrong value stands: in --set, in the file, or in a section of the file that --set changes."""
    for key, value in changes.items():
        if f"{name}.".startswith(f"{key}."):
            return f"--set {key}={value}{f': {name}' * (name != key)}"
    within = [f"--set {key}={value}" for key, value in changes.items() if name == "file" or key.startswith(f"{name}.")]
    place = f"{path}:{line_of(document, where)}: {name}"
    return f"{place}, with {' '.join(within)}" if within else place


def _short(value: Any) -> str:
    """A value as Python shows it, of which a file may hold a megabyte."""
    shown = repr(value)
    return shown if len(shown) <= MOST_SHOWN else f"{shown[:MOST_SHOWN]}… {len(shown):,} characters"


def _owner(document: Any, where: Iterable[str | int]) -> str:
    """` from ID` for a place inside an item of a list that has an id."""
    owner = ""
    for part in where:
        try:
            document = document[part]
        except (KeyError, IndexError, TypeError):
            break
        if isinstance(part, int) and isinstance(document, Mapping) and "id" in document:
            owner = f" from {document['id']}"
    return owner


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
