"""YAML parser with limits on size, number of values and depth. The limits are checked before the values are built.

An alias stands for all values of its anchor, so a file of one kilobyte can expand to more values than fit into memory.
The parser therefore counts values in the event stream. Each alias counts as the number of values that it stands for.
ruamel takes two seconds to parse 50,000 values.
"""

from functools import partial
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent, Event, NodeEvent
from ruamel.yaml.parser import RoundTripParser

from tasks.core.errors import InputError

MAX_BYTES = 1 << 20
"""Maximum size of a settings file in bytes. The files of the sample use case have about 4,000 bytes."""
MAX_VALUES = 50_000
"""Maximum number of keys, values, lists and mappings after alias expansion, enough for a thousand sources."""
MAX_DEPTH = 50
SPLIT_ADVICE = "split the file, or write it with fewer"
SCALAR_ERRORS = (ValueError, LookupError, TypeError, AttributeError, OverflowError)
"""Exceptions that ruamel raises for a scalar that does not match its tag, such as a date with a 13th month."""


def parse_with_limits(text: str, document_name: str) -> Any:
    """Parse YAML into ruamel's round-trip containers, which preserve line numbers and comments.

    Args:
        text: YAML text.
        document_name: Name of the document, used at the start of error messages.

    Raises:
        InputError: The text is not YAML, or exceeds a limit.
    """
    if len(text.encode(errors="replace")) > MAX_BYTES:
        raise too_long_error(document_name)
    try:
        reader = YAML()
        reader.Parser = partial(_LimitedParser, document_name)
        return reader.load(text)
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise InputError(f"{document_name}:{line}: not valid YAML: {error.problem or error.context}") from None
    except (YAMLError, *SCALAR_ERRORS) as error:
        raise InputError(f"{document_name}: not valid YAML: {error}") from None


def too_long_error(document_name: str) -> InputError:
    return InputError(
        f"{document_name}: longer than the {MAX_BYTES:,} bytes that are read as YAML; {SPLIT_ADVICE} entries"
    )


class _LimitedParser(RoundTripParser):
    def __init__(self, where: str, loader: Any) -> None:
        super().__init__(loader)
        self._where = where
        self._values = 0
        self._anchors: dict[str, int] = {}
        self._open_collections: list[tuple[str | None, int]] = []

    def get_event(self) -> Any:
        event = super().get_event()
        self._count_values(event)
        if self._values > MAX_VALUES:
            problem = f"more than {MAX_VALUES:,} values so far, aliases written out; {SPLIT_ADVICE} values or aliases"
            raise InputError(f"{_event_location(event, self._where)}: {problem}")
        if len(self._open_collections) > MAX_DEPTH:
            problem = f"nested too deep: more than {MAX_DEPTH} lists and mappings within each other; write it flatter"
            raise InputError(f"{_event_location(event, self._where)}: {problem}")
        return event

    def _count_values(self, event: Event) -> None:
        if isinstance(event, AliasEvent):
            self._values += self._alias_size(event)
        elif isinstance(event, NodeEvent):
            self._values += 1
            if isinstance(event, CollectionStartEvent):
                self._open_collections.append((event.anchor, self._values - 1))
            elif event.anchor:
                self._anchors[event.anchor] = 1
        elif isinstance(event, CollectionEndEvent):
            anchor, before = self._open_collections.pop()
            if anchor:
                self._anchors[anchor] = self._values - before

    def _alias_size(self, alias: AliasEvent) -> int:
        if alias.anchor not in self._anchors:
            raise InputError(
                f"{_event_location(alias, self._where)}: not valid YAML: "
                f"no anchor &{alias.anchor} ends before its alias"
            )
        return self._anchors[alias.anchor]


def _event_location(event: Event, document_name: str) -> str:
    return f"{document_name}:{event.start_mark.line + 1}"
