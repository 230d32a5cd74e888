"""Removal of a person's records and mentions from the index of lineage, so that their bytes are gone."""

from collections.abc import Collection
from pathlib import Path

from sqlalchemy import delete

from tasks.core.databases import secure_removal
from tasks.inquiry.lineage import queries, tables
from tasks.inquiry.lineage.tables import MENTIONS, RECORDS

KEYS_PER_STATEMENT = 500


def remove_from_index(state: Path, record_keys: Collection[str], tokens: Collection[str]) -> None:
    """Remove records, whoever they mention, and all mentions of the tokens.

    Raises:
        Unavailable: The index is of an earlier version, or cannot be written.
    """
    if not (state / tables.DATABASE_FILE).exists():
        return
    records = [tables.record_key(key) for key in sorted(record_keys)]
    subjects = [tables.subject_key(token) for token in sorted(tokens)]
    with tables.open_for_writing(state) as connection:
        secure_removal.overwrite_removed_rows(connection)
        # The condition on the dataset lets SQLite look a key up in each dataset instead of reading all rows.
        for table, column, keys in ((RECORDS, RECORDS.c.record, records), (MENTIONS, MENTIONS.c.subject, subjects)):
            here = table.c.dataset.in_(queries.DATASET_NUMBERS)
            for key in keys:
                connection.execute(delete(table).where(here & (column == key)))
        for start in range(0, len(records), KEYS_PER_STATEMENT):  # others are mentioned too; this reads all mentions
            part = records[start : start + KEYS_PER_STATEMENT]
            connection.execute(delete(MENTIONS).where(MENTIONS.c.record.in_(part)))
    tables.empty_log(state)
