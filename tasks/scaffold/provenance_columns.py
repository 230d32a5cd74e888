"""Guess of the columns that say which rows a model or script generated, and what they were made from.

Without this guess a file with such a column would be read as if people had written all of it.
"""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from tasks.core.records.record import ORIGINS, SIMULATED, SYNTHETIC
from tasks.scaffold.columns import ColumnProfile

NAMES_BY_KEY = {
    "generator": ("generator", "generator_model", "generated_by", "made_by", "model", "generiert_von"),
    "generator_prompt": ("generator_prompt", "generation_prompt", "prompt_of_generator"),
    "parents": ("parents", "parent", "parent_ids", "derived_from", "seed_ids"),
}
"""Usual names of the columns, which are looked for only if another column says which rows are synthetic."""
MARKED_NAME = re.compile("synthetic|synthetisch|generated|generiert|augmented")


class ProvenanceColumn(NamedTuple):
    key: str
    """Key of `mapping` in sources.yaml."""
    column: str
    reason: str


def find_provenance_columns(columns: Mapping[str, ColumnProfile]) -> Iterator[ProvenanceColumn]:
    """Yield the column with the origin of each row, and those with the provenance of synthetic rows."""
    origin = next((name for name, column in columns.items() if _has_origins(column)), None)
    if origin is None:
        return
    found = {
        key: name
        for key, names in NAMES_BY_KEY.items()
        if (name := next((each for each in columns if _spelt(each) in names), None)) is not None
    }
    missing = [key for key in ("generator", "generator_prompt") if key not in found]
    needs = f"; its synthetic rows are refused until you map {' and '.join(missing)}" if missing else ""
    yield ProvenanceColumn("origin", origin, f"only {', '.join(sorted(columns[origin].value_counts))}{needs}")
    for key, name in found.items():
        yield ProvenanceColumn(key, name, f"its name, beside {origin!r}")


def reason_to_look(name: str) -> str:
    """Return why a column that is not read may say which rows are synthetic; empty if its name does not."""
    if not MARKED_NAME.search(_spelt(name)):
        return ""
    return "it may mark generated rows: map a column that says `synthetic` of them to `origin`, or they count as real"


def _has_origins(column: ColumnProfile) -> bool:
    values = {value.casefold() for value in column.value_counts}
    return SYNTHETIC in values and values <= set(ORIGINS) - {SIMULATED}


def _spelt(name: str) -> str:
    return re.sub(r"[\W_]+", "_", name.casefold()).strip("_")
