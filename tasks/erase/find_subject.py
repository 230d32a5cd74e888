"""Records about a person, by values such as an e-mail address, and the question whether they are about one person.

Equal names have equal tokens. So a name finds the records of everybody who has it, and is used only if these records
name no other address or number, as those of two people do. The same holds for digits that are known as several kinds of
numbers, such as an account and a telephone number.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from tasks.core.errors import InputError, Refused
from tasks.erase import affected_runs, attribution, mentions, name_orders
from tasks.erase.subject import Subject, worlds
from tasks.sources import vault_keys
from tasks.sources.protection import IDENTIFYING_CATEGORIES
from tasks.sources.suppression_digests import row_digest
from tasks.stages.data.protect.tokens import make_search_tokens


class FoundSubject(NamedTuple):
    subject: Subject
    unattributed: int
    """Number of records with a name or number that may be another person's, and with nothing else of the person."""
    companions: dict[str, int]
    """Number of records by other token in them, which may be another value of the person; most frequent first."""


def search_tokens(state: Path, value: str) -> list[str]:
    """Return all tokens that a value may have, in every vault of the checkout: also those of a name in other orders."""
    keys = [vault_keys.load_keys(world).tokens for world in worlds(state)]
    spelled = [(category, value) for category in sorted(IDENTIFYING_CATEGORIES)]
    spelled += [(attribution.SHARED_CATEGORY, name) for name in name_orders.other_spellings(value)]
    return [token for key in keys for category, each in spelled for token in make_search_tokens(category, each, key)]


def find_subject(state: Path, values: Sequence[str], record_ids: Sequence[str] = ()) -> FoundSubject:
    """Find the records of a person.

    Args:
        state: State folder of the checkout.
        values: Names, addresses and numbers of the person.
        record_ids: Ids of records that are about the person whatever they mention.

    Raises:
        InputError: A record id is not valid or not known.
        Refused: Nothing is known about the person, the values may be those of several people, or the files of a record
            that was named by id are gone.
    """
    named = mentions.with_descendants(state, {_record_key(each) for each in record_ids})
    by_value = {value: search_tokens(state, value) for value in values}
    own = {token for tokens in by_value.values() for token in tokens}
    mentioned = mentions.find_mentions(state, own, named)
    found = attribution.attribute(mentioned, by_value, named)
    tokens = [token for token in dict.fromkeys(chain(*by_value.values())) if token not in found.excluded]
    kept = [value for value, of_value in by_value.items() if found.is_theirs(of_value)]
    affected = affected_runs.find_affected(state, tokens, found.records)
    if unknown := sorted(named - affected.records.keys()):
        raise InputError(f"no dataset and no run here has record {unknown[0]}")
    if not affected.records:
        raise Refused("nothing here is about this person: no record of any dataset, run or quarantine mentions them")
    shared = [token for token in tokens if attribution.is_name(token)] if found.unique else []
    suppressed = set(tokens) - set(shared)
    unsuppressed = {key for key in found.records if not mentioned.get(key, set()) & suppressed}
    rows = _row_digests(state, unsuppressed | named)
    _require_rows(unsuppressed & named, rows)
    companions = Counter(token for key in affected.records for token in mentioned.get(key, set()) - own)
    subject = Subject(
        values=kept,
        tokens=tokens,
        shared=shared,
        records=list(affected.records.values()),
        rows=sorted(set(rows.values())),
        companions=len(companions),
    )
    return FoundSubject(subject, found.unattributed, dict(companions.most_common()))


def _record_key(record_id: str) -> str:
    key = record_id[: affected_runs.KEY_DIGITS]
    if len(key) < affected_runs.KEY_DIGITS or set(record_id) - set("0123456789abcdef"):
        raise InputError(f"expected a record's id, at least {affected_runs.KEY_DIGITS} hex digits, got {record_id!r}")
    return key


def _row_digests(state: Path, keys: Collection[str]) -> dict[str, str]:
    """Return the digests of records, by key of the record. Records whose files are gone have none."""
    found: dict[str, str] = {}
    for layout in mentions.layouts_with_records(state) if keys else ():
        record_key = vault_keys.load_keys(layout.run_state).records
        for row in affected_runs.select_records(layout, ["source_id", "messages"], (), keys).to_pylist():
            found[row["key"]] = row_digest(row["source_id"], row["messages"], record_key)
    return found


def _require_rows(keys: Collection[str], rows: Mapping[str, str]) -> None:
    """Verify that new runs can leave out the rows of records that were named by id and that no value recognises.

    Raises:
        Refused: No run on this machine has the files of such a record any more.
    """
    if gone := sorted(set(keys) - rows.keys()):
        raise Refused(
            f"record {gone[0]}: the files of its run are gone, so new runs could not leave its row out. Give something "
            "that it mentions as --subject, or run the pipeline on its source again and name the record of that run"
        )
