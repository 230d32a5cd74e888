"""Rights to read single records of a source, held by its owner, its steward, and the roles in its `access` list.

The source's current declaration decides, rather than its declaration at the time of the run. In environment `local`,
the current declaration is sources.yaml. A role that was removed from `access` therefore has no access to records of old
runs either, and a role that was added has access to all of them. If a source is no longer declared, only the owner and
the steward that the run recorded have access.
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
from tasks.sources.resolved_sources import load_resolved
from tasks.sources.sources import Source


class RecordedSource(Protocol):
    """Source as recorded by a run: either a `Source` or an `IndexedSource` of the lineage index."""

    @property
    def id(self) -> str: ...
    @property
    def owner(self) -> str: ...
    @property
    def steward(self) -> str: ...


@dataclass(frozen=True)
class Access:
    """Right of a person to read single records.

    Methods take a source as recorded by a run, and look up the current declaration of that source.
    """

    person: Person
    roles: frozenset[str]
    inventory: Mapping[str, Source]
    denial_reason: str = ""
    """Reason why the person may not read any record of the run; empty if access is not denied."""

    def limit_to_run(self, layout: Layout) -> "Access":
        """Return the person's access to records of one run.

        The code of an experiment is not reviewed and could assign a record to the wrong source. Records of an
        experiment are therefore shown only to people with access to all sources of the run.
        """
        unseen = [
            source.id for each in load_resolved(layout.sources_path).sources if not self.may_read(source := each.source)
        ]
        if not (layout.is_experiment and unseen):
            return self
        return replace(
            self, denial_reason=f"those of an experiment are for who may see all its sources, {unseen[0]} as well"
        )

    def may_read(self, recorded: RecordedSource) -> bool:
        now = self.inventory.get(recorded.id)
        by_role = now is not None and not self.roles.isdisjoint(now.access)
        deciding = now or recorded
        return not self.denial_reason and (by_role or self.person.id in (deciding.owner, deciding.steward))

    def require_access(self, recorded: RecordedSource) -> None:
        if not self.may_read(recorded):
            why = self.denial_reason or f"that takes {self.describe_readers(recorded)}"
            raise Refused(f"{self.person.id} may not look at records of {recorded.id}: {why}")

    def describe_readers(self, recorded: RecordedSource) -> str:
        now = self.inventory.get(recorded.id)
        if now is None:
            return "who owned it in that run or looked after it, since it is declared no longer"
        return f"its owner, its steward, or role {' or '.join(now.access)}"


def access_of_signer(governed: Governance, person_id: str) -> Access:
    """Verify a person's identity by having their key sign something, and return their current access.

    Raises the errors of `Governance.require_identity_proof`.
    """
    return access_of_person(governed, governed.require_identity_proof(person_id))


def access_of_person(governed: Governance, person: Person) -> Access:
    """Return the current access of a person whose identity has already been verified."""
    roles = frozenset(person.roles_at(datetime.now(UTC)))
    return Access(person, roles, declarations.sources_by_id(open_ledger(governed.state), governed))
