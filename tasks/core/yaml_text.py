"""YAML as people write it, bounded before anything is made of it.

An alias stands for all that its anchor holds, so a file of a kilobyte can mean more values than memory has. What a text
means is therefore counted from its events, each alias as often as it stands there, before it is loaded; 50,000 values
take ruamel two seconds.
"""

from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent, Event, NodeEvent

from tasks.core.errors import InputError

MOST_BYTES = 1 << 20
"""Of a file of settings; those of the sample have 4,000."""
MOST_VALUES = 50_000
"""Keys, values, lists and mappings, an alias as all that it stands for: an inventory of a thousand sources."""
DEEPEST = 50
"""Lists and mappings within each other."""
SPLIT = "split the file, or write it with fewer"
UNMADE = (ValueError, LookupError, TypeError, AttributeError, OverflowError)
"""What ruamel raises for a scalar that its own tag does not fit: the 13th month, an integer of 5,000 digits."""


def load(text: str, where: str) -> Any:
    """The document as ruamel's round-trip containers, which remember lines and comments.

    Raises InputError, beginning with `where`, for what is not YAML and for what means too much.
    """
    if len(text.encode(errors="replace")) > MOST_BYTES:
        raise too_long(where)
    try:
        _count(text, where)
        return YAML().load(text)
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise InputError(f"{where}:{line}: not valid YAML: {error.problem or error.context}") from None
    except (YAMLError, *UNMADE) as error:
        raise InputError(f"{where}: not valid YAML: {error}") from None


def too_long(where: str) -> InputError:
    """Of a text longer than MOST_BYTES."""
    return InputError(f"{where}: longer than the {MOST_BYTES:,} bytes that are read as YAML; {SPLIT} entries")


def _count(text: str, where: str) -> None:
    """Raises InputError at the place where the text comes to mean more than MOST_VALUES, or is nested too deep."""
    values, anchors = 0, dict[str, int]()
    begun: list[tuple[str | None, int]] = []
    for event in YAML().parse(text):
        if isinstance(event, AliasEvent):
            values += _meant(event, anchors, where)
        elif isinstance(event, NodeEvent):
            values += 1
            if isinstance(event, CollectionStartEvent):
                begun.append((event.anchor, values - 1))
            elif event.anchor:
                anchors[event.anchor] = 1
        elif isinstance(event, CollectionEndEvent):
            anchor, before = begun.pop()
            if anchor:
                anchors[anchor] = values - before
        if values > MOST_VALUES:
            raise InputError(f"{_at(event, where)}: more than {MOST_VALUES:,} values so far, aliases written out; "
                             f"{SPLIT} values or aliases")  # fmt: skip
        if len(begun) > DEEPEST:
            raise InputError(f"{_at(event, where)}: nested too deep: more than {DEEPEST} lists and mappings within "
                             "each other; write it flatter")  # fmt: skip


def _meant(alias: AliasEvent, anchors: dict[str, int], where: str) -> int:
    """How many values an alias stands for. Raises InputError for one within its own anchor, or without one."""
    if alias.anchor not in anchors:
        raise InputError(f"{_at(alias, where)}: not valid YAML: no anchor &{alias.anchor} ends before its alias")
    return anchors[alias.anchor]


def _at(event: Event, where: str) -> str:
    return f"{where}:{event.start_mark.line + 1}"
