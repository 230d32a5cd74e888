"""Records about a person, by values such as an e-mail address, and the question whether they are about one person.

Equal names have equal tokens. So a name finds the records of everybody who has it, and is used only if these records
name no other address or number, as those of two people do.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from tasks.core.errors import InputError, Refused
from tasks.core.layout import Layout
from tasks.erase import affected_runs
from tasks.erase.subject import Subject, worlds
from tasks.inquiry.lineage import queries, tables
from tasks.sources import vault_keys
from tasks.sources.protection import IDENTIFYING_CATEGORIES
from tasks.sources.suppression_digests import row_digest
from tasks.sources.vault import open_vault
from tasks.stages.data.protect.tokens import make_search_tokens

SHARED_CATEGORY = "name"
"""Category whose values several people can have in common."""
MAX_CANDIDATES = 10


class FoundSubject(NamedTuple):
    subject: Subject
    unattributed: int
    """Number of records that name somebody of this name and nothing else, while others of this name are known."""


def search_tokens(state: Path, value: str) -> list[str]:
    """Return all tokens that a value may have, in every vault of the checkout."""
    keys = [vault_keys.load_keys(world).tokens for world in worlds(state)]
    categories = sorted(IDENTIFYING_CATEGORIES)
    return [token for key in keys for category in categories for token in make_search_tokens(category, value, key)]


def find_subject(state: Path, values: Sequence[str], record_ids: Sequence[str] = ()) -> FoundSubject:
    """Find the records of a person.

    Args:
        state: State folder of the checkout.
        values: Names, addresses and numbers of the person.
        record_ids: Ids of records that are about the person whatever they mention.

    Raises:
        InputError: A record id is not valid or not known.
        Refused: Nothing is known about the person, or the values may be those of several people.
    """
    named = {_record_key(each) for each in record_ids}
    by_value = {value: search_tokens(state, value) for value in values}
    own = [token for tokens in by_value.values() for token in tokens]
    mentioned = _mentions(state, own)
    unique = {token for tokens in mentioned.values() for token in tokens & set(own) if not _is_shared(token)}
    certain = {key for key, tokens in mentioned.items() if tokens & unique} | named
    doubtful = {key: tokens for key, tokens in mentioned.items() if key not in certain}
    companions = set[str]().union(*(mentioned.get(key, set()) for key in certain)) | set(own)
    is_shared_name = _may_be_several(doubtful, companions, bool(certain))
    if is_shared_name and not certain:
        raise Refused(_describe_candidates(doubtful))
    excluded = {token for token in own if _is_shared(token)} if is_shared_name else set()
    tokens = [token for token in own if token not in excluded]
    kept = [value for value, of_value in by_value.items() if not is_shared_name or set(of_value) & unique]
    affected = affected_runs.find_affected(state, tokens, certain)
    if unknown := sorted(named - affected.records.keys()):
        raise InputError(f"no dataset and no run here has record {unknown[0]}")
    if not affected.records:
        raise Refused("nothing here is about this person: no record of any dataset, run or quarantine mentions them")
    rows = _row_digests(state, named) if named else []
    subject = Subject(values=kept, tokens=tokens, records=list(affected.records.values()), rows=rows)
    return FoundSubject(subject, len(doubtful) if is_shared_name else 0)


def _record_key(record_id: str) -> str:
    key = record_id[: affected_runs.KEY_DIGITS]
    if len(key) < affected_runs.KEY_DIGITS or set(record_id) - set("0123456789abcdef"):
        raise InputError(f"expected a record's id, at least {affected_runs.KEY_DIGITS} hex digits, got {record_id!r}")
    return key


def _mentions(state: Path, tokens: Collection[str]) -> dict[str, set[str]]:
    """Return the tokens in each record that mentions one of the tokens, by key of the record."""
    found: dict[str, set[str]] = {}
    for token in tokens:
        for member in queries.memberships_of_subjects(state, [token]):
            found.setdefault(member.record, set()).add(token)
    left = set(found)
    for layout in _layouts(state):
        outside = layout.root.name not in queries.indexed_runs(state)
        if not (left or outside):
            continue
        for row in affected_runs.select_records(layout, [], tokens if outside else (), left).to_pylist():
            found.setdefault(row["key"], set()).update(row["subjects"])
            left.discard(row["key"])
    for key, tokens_in_index in _mentions_in_index(state, left, tokens).items():
        found[key] |= tokens_in_index
    return found


def _mentions_in_index(state: Path, keys: Collection[str], tokens: Collection[str]) -> dict[str, set[str]]:
    """Return the tokens in records whose run has no files any more.

    The index has a digest of each token. A token that the vault does not have counts as that of an unknown address.
    """
    if not keys:
        return {}
    known = {tables.subject_key(token): token for world in worlds(state) for token in open_vault(world).tokens()}
    known |= {tables.subject_key(token): token for token in tokens}
    subjects = queries.subjects_of_records(state, keys)
    return {key: {known.get(each, f"unknown:{each.hex()}") for each in own} for key, own in subjects.items()}


def _layouts(state: Path) -> Iterable[Layout]:
    layouts = [Layout(path.parents[2]) for path in (state / "runs").glob("*/artefacts/ingest/records.parquet")]
    return sorted(layouts, key=lambda layout: (layout.resolved_at, layout.root.name), reverse=True)


def _is_shared(token: str) -> bool:
    return token.partition(":")[0] == SHARED_CATEGORY


def _may_be_several(doubtful: dict[str, set[str]], companions: set[str], has_certain: bool) -> bool:
    """Return whether records that share only a name with the person may be about somebody else.

    If nothing but the name is known, two values of one category tell people apart. Otherwise any other value does.
    """
    others = {token for tokens in doubtful.values() for token in tokens if not _is_shared(token)} - companions
    if has_certain:
        return bool(others)
    counts = Counter(token.partition(":")[0] for token in others)
    return max(counts.values(), default=0) > 1


def _describe_candidates(records: dict[str, set[str]]) -> str:
    counts = Counter(token for tokens in records.values() for token in tokens if not _is_shared(token))
    listed = [f"[{token}] in {count:,} of the records" for token, count in counts.most_common(MAX_CANDIDATES)]
    return (
        f"{len(records):,} records name somebody of this name, and they may be several people: "
        f"{'; '.join(listed)}. Give an address or a number of the person as --subject, or their records by --record ID"
    )


def _row_digests(state: Path, keys: set[str]) -> list[str]:
    """Return the digests of records that were named by id. Records whose files are gone have none."""
    found = set[str]()
    for layout in _layouts(state):
        record_key = vault_keys.load_keys(layout.run_state).records
        for row in affected_runs.select_records(layout, ["source_id", "messages"], (), keys).to_pylist():
            found.add(row_digest(row["source_id"], row["messages"], record_key))
    return sorted(found)
