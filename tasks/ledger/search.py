"""Search of entries by kind, subject, run, person and time. Signatures are not verified."""

import sys
import textwrap
from collections import deque
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from tasks.core.documents.config import FrozenModel
from tasks.core.errors import Refused
from tasks.ledger import entry as ledger_entry
from tasks.ledger import kinds
from tasks.ledger.ledger import Entry, Ledger
from tasks.trust import dsse

ENVELOPE_KEYS = {"payload", "payloadType", "signatures"}
RUN_KEYS, PERSON_KEYS = {"run"}, {"person", "requested_by", "decided_by", "who"}
"""Keys in entry bodies and signed statements whose value is the id of a run or a person."""

SUMMARY_KEYS = ("person", "requested_by", "verb", "gate", "run", "reason")
MAX_VALUE_CHARS = 60


class EntryFilter(FrozenModel):
    """Conditions that entries must meet. None means no condition."""

    kind: str | None = None
    """Kind, first part of a kind, or group of kinds. For example, `gate` matches gate.asked and gate.closed, and `look`
    matches every data access (kinds.py)."""
    subject: str | None = None
    """Prefix of the subject."""
    run: str | None = None
    person: str | None = None
    keys: frozenset[str] = frozenset()
    """Fingerprints of the person's keys. Entries signed with one of these keys match too."""
    since: datetime | None = None
    until: datetime | None = None

    @property
    def exact_kinds(self) -> tuple[str, ...]:
        """Full names of the matching kinds, for a query that uses an index; empty if `kind` is None or a prefix."""
        if self.kind and "." in self.kind:
            return (self.kind,)
        return kinds.kinds_in_group(self.kind or "")

    def matches(self, entry: Entry) -> bool:
        if (
            self.kind
            and self.kind not in (entry.kind, entry.kind.partition(".")[0])
            and entry.kind not in self.exact_kinds
        ):
            return False
        if self.subject and not entry.subject.startswith(self.subject):
            return False
        if (self.since and entry.time < self.since) or (self.until and entry.time > self.until):
            return False
        if self.run and entry.subject != self.run and self.run not in _values_of_keys(entry.body, RUN_KEYS):
            return False
        if not self.person or self.person in _values_of_keys(entry.body, PERSON_KEYS):
            return True
        return not self.keys.isdisjoint(_values_of_keys(entry.body, {"keyid"}))


def find_last(ledger: Ledger, conditions: EntryFilter, limit: int | None) -> list[Entry]:
    """Return the last `limit` matching entries, oldest first, or all of them if `limit` is None.

    Raises:
        Refused: An entry was changed and cannot be read.
    """
    fit = (entry for row in ledger.rows() if conditions.matches(entry := ledger_entry.entry_from_row(row)))
    return list(deque(fit, maxlen=None if limit is None else min(limit, sys.maxsize)))


class SearchResult(NamedTuple):
    entries: list[Entry]
    stopped_at: int | None


def find_newest(
    ledger: Ledger, conditions: EntryFilter, limit: int, below_seq: int | None = None, max_reads: int | None = None
) -> SearchResult:
    """Return the newest matching entries, newest first.

    Args:
        ledger: Ledger to search.
        conditions: Conditions.
        limit: Maximum number of entries to return.
        below_seq: Entry number below which to search; None for no limit.
        max_reads: Maximum number of entries to read; None for no limit.

    Raises:
        Refused: An entry was changed and cannot be read.
    """
    found: list[Entry] = []
    for number, entry in enumerate(ledger.newest_first(*conditions.exact_kinds, below=below_seq), start=1):
        found += [entry] * conditions.matches(entry)
        if len(found) == limit or number == max_reads:
            return SearchResult(found, entry.seq)
    return SearchResult(found, None)


def decode_envelopes(body: Any) -> Any:
    """Return a body in which each envelope is replaced by its statement and signatures, which are not verified."""
    if isinstance(body, list):
        return [decode_envelopes(item) for item in body]
    if not isinstance(body, dict):
        return body
    if body.keys() == ENVELOPE_KEYS:
        try:
            return {"statement": dsse.unverified_statement(body), "signatures": body["signatures"]}
        except Refused:
            return body
    return {key: decode_envelopes(value) for key, value in body.items()}


def summarise_entry(entry: Entry) -> str:
    """Summarise an entry in one line of KEY=VALUE pairs, SUMMARY_KEYS first. Long values of other keys are left out."""
    said = {key: str(value) for key, value in _plain_values(decode_envelopes(entry.body)) if value not in ("", None)}
    first = {key: said.pop(key) for key in SUMMARY_KEYS if key in said}
    short = {key: value for key, value in said.items() if len(value) <= MAX_VALUE_CHARS and not _is_digest(value)}
    shown = {
        key: textwrap.shorten(value, MAX_VALUE_CHARS, placeholder=" …")
        for key, value in [*first.items(), *short.items()]
    }
    return " ".join(f"{key}={value}" for key, value in list(shown.items())[:8])


def _plain_values(body: Any) -> Iterator[tuple[str, Any]]:
    for key, value in body.items():
        if isinstance(value, dict) and "statement" in value:
            yield from _plain_values(value["statement"].get("predicate") or {})
        elif not isinstance(value, dict | list):
            yield key, value
        elif isinstance(value, list) and all(isinstance(each, str) for each in value):
            yield key, ", ".join(value)


def _values_of_keys(body: Any, keys: set[str]) -> set[str]:
    return {str(value) for key, value in _scalars(decode_envelopes(body)) if key in keys}


def _scalars(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _scalars(item, name)
    elif isinstance(value, list):
        for item in value:
            yield from _scalars(item, key)
    else:
        yield key, value


def _is_digest(text: str) -> bool:
    return len(text) >= 32 and all(letter in "0123456789abcdef" for letter in text)
