"""Check of the columns of a source.

If an export has no header, its first row of data is taken for the header, and must not get into an error message. So an
error quotes only column names that are also in sources.yaml, and names that are similar to these.
"""

import difflib
from collections.abc import Collection, Sequence

from tasks.core.errors import InputError
from tasks.sources.sources import Source


def check_columns(names: Sequence[str], source: Source) -> None:
    """Check that every mapped column exists and that no column name occurs twice.

    Raises:
        InputError: A mapped column is missing, or a name occurs twice.
    """
    check_mapped_columns(names, source)
    places: dict[str, list[int]] = {}
    for number, name in enumerate(names, start=1):
        places.setdefault(name, []).append(number)
    for name, numbers in places.items():
        if name and len(numbers) > 1:
            called = repr(name) if name in source.mapping.mapped_columns() else "of the same name"
            raise InputError(
                f"source {source.id}: {source.location} has more than one column {called}: the columns "
                f"{', '.join(map(str, numbers))} from the left; rename all but one"
            )


def check_mapped_columns(names: Collection[str], source: Source) -> None:
    """Check that every mapped column is in `names`.

    Raises:
        InputError: A mapped column is missing. The message suggests columns with similar names.
    """
    mapped = source.mapping.mapped_columns()
    missing = sorted(mapped - set(names))
    if not missing:
        return
    similar = sorted({like for name in missing for like in difflib.get_close_matches(name, set(names) - mapped, n=2)})
    known = sorted(mapped & set(names))
    if known or similar:
        hint = f"it has {', '.join(map(repr, known)) or 'none of those named'}"
        hint += f", and much like it {', '.join(map(repr, similar))}" if similar else ""
    else:
        hint = f"none of its {len(names)} columns is named there (is its header missing?)"
    raise InputError(
        f"source {source.id}: {source.location} has no column {', '.join(map(repr, missing))}, which its mapping "
        f"names; {hint}. Correct `mapping` in sources.yaml"
    )
