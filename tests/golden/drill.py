"""The drill: a later version is played, one change at a time, and the golden past has to hold under each.

`python -m tests.golden.drill` prints the table: what is changed, and what of the past still holds.
"""

import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import NamedTuple

from infra import formats
from tasks.inquiry.lineage import tables as lineage
from tasks.ledger import tables as ledger
from tasks.sources import vault
from tests.golden import later
from tests.golden.past import CHECKS, VERSIONS, Past, copied
from tests.registry.test_other_gates import another_version

Check = Callable[[Past], None]
NEW_KIND = "drill.happened"


class Change(NamedTuple):
    kind: str
    """What has it: a format, or a database."""
    what: str
    played: Callable[[], AbstractContextManager[None]]
    """The later version."""
    then: Callable[[Past], object] = lambda _: None
    """What it does first."""

    def __str__(self) -> str:
        return f"{self.kind}: {self.what}"


def _field(*forms: object) -> AbstractContextManager[None]:
    """In formats and in every schema inside them."""
    return later.one_field_more(set().union(*map(later.within, forms)))


def _happened(past: Past) -> None:
    past.house.ledger.append(NEW_KIND, "drill", {"said": "something that no version before knew of"})


CHANGES = (
    *(Change(each.name, "an optional field", partial(_field, each.model)) for each in formats.FORMATS),
    Change("every format", "an optional field", partial(_field, *(each.model for each in formats.FORMATS))),
    Change("policy", "another gate", another_version),
    Change("ledger", "another kind of entry", nullcontext, _happened),
    Change("ledger.db", "a column", partial(later.one_column_more, ledger, "hallmark_ledger_tree")),
    Change("vault.db", "a column", partial(later.one_column_more, vault, "hallmark_vault")),
    Change("lineage.db", "a column", partial(later.one_column_more, lineage, "hallmark_lineage")),
)


@contextmanager
def played(change: Change, version: str, root: Path) -> Iterator[Past]:
    """The past as a later version finds it."""
    with change.played():
        past = copied(version, root)
        change.then(past)
        yield past


def outcomes(change: Change, version: str) -> dict[str, str]:
    """By check, `holds` or why not."""
    found: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder, played(change, version, Path(folder) / "house") as past:
        for check in CHECKS:
            try:
                check(past)
                found[check.__name__] = "holds"
            except Exception as error:
                found[check.__name__] = f"{type(error).__name__}: {error}".splitlines()[0][:60]
    return found


def table(version: str) -> str:
    names = [check.__name__ for check in CHECKS]
    lines = [f"| {version}: kind | change | {' | '.join(names)} |", "|---" * (2 + len(names)) + "|"]
    for change in CHANGES:
        told = outcomes(change, version)
        lines.append(f"| {change.kind} | {change.what} | {' | '.join(told[name] for name in names)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    for each in sys.argv[1:] or VERSIONS:
        print(table(each))
