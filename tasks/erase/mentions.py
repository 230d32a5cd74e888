"""Tokens in the records that mention a person."""

from collections.abc import Collection
from pathlib import Path

from tasks.core.layout import Layout
from tasks.core.records.synthetic import SYNTHETIC_FILE, find_descendants, read_parents
from tasks.erase import affected_runs
from tasks.erase.affected_runs import KEY_DIGITS
from tasks.erase.subject import worlds
from tasks.inquiry.lineage import queries, tables
from tasks.sources.vault import open_vault

UNKNOWN = "unknown"
"""Category of a token that only the index of lineage has, as a digest."""


def find_mentions(state: Path, tokens: Collection[str], keys: Collection[str]) -> dict[str, set[str]]:
    """Return all tokens in each record that mentions one of the tokens or has one of the keys, by key of the record."""
    found: dict[str, set[str]] = {}
    for token in tokens:
        for member in queries.memberships_of_subjects(state, [token]):
            found.setdefault(member.record, set()).add(token)
    left = set(found) | set(keys)
    indexed = queries.indexed_runs(state)
    for layout in layouts_with_records(state):
        outside = layout.root.name not in indexed
        if not (left or outside):
            continue
        for row in affected_runs.select_records(layout, [], tokens if outside else (), left).to_pylist():
            found.setdefault(row["key"], set()).update(row["subjects"])
            left.discard(row["key"])
    for key, tokens_in_index in _mentions_in_index(state, left, tokens).items():
        found.setdefault(key, set()).update(tokens_in_index)
    return found


def with_descendants(state: Path, keys: Collection[str]) -> set[str]:
    """Return keys of records together with those of the synthetic records that were made from them.

    A record about a person passes its tokens on to its descendants, but one that was named by its id has none. Only
    runs that still have files know which records were made from others.
    """
    found = set(keys)
    for layout in layouts_with_records(state) if keys else ():
        parents = read_parents(layout.artefacts("ingest") / SYNTHETIC_FILE)
        by_key = {child[:KEY_DIGITS]: [each[:KEY_DIGITS] for each in own] for child, own in parents.items()}
        found |= find_descendants(by_key, found)
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
    return {key: {known.get(each, f"{UNKNOWN}:{each.hex()}") for each in own} for key, own in subjects.items()}


def layouts_with_records(state: Path) -> list[Layout]:
    """Return the worktrees of runs that still have records, newest first."""
    layouts = [Layout(path.parents[2]) for path in (state / "runs").glob("*/artefacts/ingest/records.parquet")]
    return sorted(layouts, key=lambda layout: (layout.resolved_at, layout.root.name), reverse=True)
