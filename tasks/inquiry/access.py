"""Whose single records somebody may look at: what its owner has adopted last, not what was said when a run began. In
environment `local` that is what sources.yaml says.

Who was taken off `access` looks at no old run either, and who was put there looks at them all. Of a source that
is declared no longer, the run's own record says who owned it and looked after it: they may look, and no role.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Protocol

from tasks.core.errors import Refused
from tasks.core.layout import Layout
from tasks.declarations import declarations
from tasks.ledger.ledger import open_ledger
from tasks.policy.governance import Governance
from tasks.policy.people import Person
from tasks.sources.sources import Source, load_resolved


class Recorded(Protocol):
    """A source as a run has it: `Source`, or what the index of lineage keeps of one."""

    @property
    def id(self) -> str: ...
    @property
    def owner(self) -> str: ...
    @property
    def steward(self) -> str: ...


@dataclass(frozen=True)
class Access:
    """What a person may look at. A source is given as the run has it that holds the records."""

    person: Person
    roles: frozenset[str]
    """That they hold now."""
    inventory: Mapping[str, Source]
    """The sources in force, by id."""
    closed: str = ""
    """Why nothing of a run is for this person, whatever source its records name."""

    def to(self, layout: Layout) -> "Access":
        """What of it holds for the records of a run.

        The code of an experiment, which nobody has looked at, says itself which source a record is of. Its records are
        for who may see those of all its sources.
        """
        unseen = [source.id for each in load_resolved(layout.sources).sources if not self.sees(source := each.source)]
        if not (layout.is_apart and unseen):
            return self
        return replace(self, closed=f"those of an experiment are for who may see all its sources, {unseen[0]} as well")

    def sees(self, recorded: Recorded) -> bool:
        """Whether single records of the source are for this person: its owner, its steward, a role in `access`."""
        now = self.inventory.get(recorded.id)
        by_role = now is not None and not self.roles.isdisjoint(now.access)
        deciding = now or recorded
        return not self.closed and (by_role or self.person.id in (deciding.owner, deciding.steward))

    def check(self, recorded: Recorded) -> None:
        """Raises Refused where they are not."""
        if not self.sees(recorded):
            why = self.closed or f"that takes {self.whom(recorded)}"
            raise Refused(f"{self.person.id} may not look at records of {recorded.id}: {why}")

    def whom(self, recorded: Recorded) -> str:
        """In words who may look."""
        now = self.inventory.get(recorded.id)
        if now is None:
            return "who owned it in that run or looked after it, since it is declared no longer"
        return f"its owner, its steward, or role {' or '.join(now.access)}"


def in_force(governed: Governance, person_id: str) -> Access:
    """What a person may look at now, once their key has shown who they are.

    Raises as `Governance.identify`.
    """
    return of(governed, governed.identify(person_id))


def of(governed: Governance, person: Person) -> Access:
    """What somebody may look at now who is known to be that person."""
    roles = frozenset(person.roles_at(datetime.now(UTC)))
    return Access(person, roles, declarations.inventory(open_ledger(governed.state), governed))
