"""YAML as people write it, bounded before anything is made of it.

An alias stands for all that its anchor holds, so a file of a kilobyte can mean more values than memory has. What a text
means is therefore counted from its events, each alias as often as it stands there, while it is loaded; 50,000 values
take ruamel two seconds.
"""

from functools import partial
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent, Event, NodeEvent
from ruamel.yaml.parser import RoundTripParser

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
        reader = YAML()
        reader.Parser = partial(_Counting, where)
        return reader.load(text)
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise InputError(f"{where}:{line}: not valid YAML: {error.problem or error.context}") from None
    except (YAMLError, *UNMADE) as error:
        raise InputError(f"{where}: not valid YAML: {error}") from None


def too_long(where: str) -> InputError:
    """Of a text longer than MOST_BYTES."""
    return InputError(f"{where}: longer than the {MOST_BYTES:,} bytes that are read as YAML; {SPLIT} entries")


class _Counting(RoundTripParser):
    """Refuses a text, before anything is made of what comes next, at the place where it comes to mean more than
    MOST_VALUES, or is nested too deep."""

    def __init__(self, where: str, loader: Any) -> None:
        super().__init__(loader)
        self._where = where
        self._values = 0
        self._anchors: dict[str, int] = {}
        self._begun: list[tuple[str | None, int]] = []

    def get_event(self) -> Any:
        event = super().get_event()
        self._count(event)
        if self._values > MOST_VALUES:
            problem = f"more than {MOST_VALUES:,} values so far, aliases written out; {SPLIT} values or aliases"
            raise InputError(f"{_at(event, self._where)}: {problem}")
        if len(self._begun) > DEEPEST:
            problem = f"nested too deep: more than {DEEPEST} lists and mappings within each other; write it flatter"
            raise InputError(f"{_at(event, self._where)}: {problem}")
        return event

    def _count(self, event: Event) -> None:
        if isinstance(event, AliasEvent):
            self._values += self._meant(event)
        elif isinstance(event, NodeEvent):
            self._values += 1
            if isinstance(event, CollectionStartEvent):
                self._begun.append((event.anchor, self._values - 1))
            elif event.anchor:
                self._anchors[event.anchor] = 1
        elif isinstance(event, CollectionEndEvent):
            anchor, before = self._begun.pop()
            if anchor:
                self._anchors[anchor] = self._values - before

    def _meant(self, alias: AliasEvent) -> int:
        """How many values an alias stands for. Raises InputError for one within its own anchor, or without one."""
        if alias.anchor not in self._anchors:
            raise InputError(
                f"{_at(alias, self._where)}: not valid YAML: no anchor &{alias.anchor} ends before its alias"
            )
        return self._anchors[alias.anchor]


def _at(event: Event, where: str) -> str:
    return f"{where}:{event.start_mark.line + 1}"
