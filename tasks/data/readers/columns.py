"""The columns that a source must have."""

from collections.abc import Collection, Sequence

from tasks.errors import InputError
from tasks.govern.sources import Source


def check_columns(names: Sequence[str], source: Source) -> None:
    """Raises InputError for a column that stands twice, or that the mapping names and the source lacks."""
    twice = sorted({name for name in names if name and list(names).count(name) > 1})
    if twice:
        raise InputError(
            f"source {source.id}: {source.location} has more than one column {', '.join(map(repr, twice))}; "
            "rename all but one"
        )
    check_mapped(names, source)


def check_mapped(names: Collection[str], source: Source) -> None:
    """Raises InputError for a mapped column that is not among `names`, naming those that are."""
    missing = sorted(source.mapping.columns() - set(names))
    if missing:
        raise InputError(
            f"source {source.id}: {source.location} has no column {', '.join(map(repr, missing))}, which its mapping "
            f"names; it has {', '.join(map(repr, sorted(names))) or 'none'}. Correct `mapping` in sources.yaml"
        )
