"""Which versions of the code were signed off, by the roles that policy names under `changes.code`.

Each role is signed for by other people. Who takes a version back takes back every signature under it so far: it may be
signed again, by whoever looked again. Environment `local` takes any version, and says of one that nobody signed off
that nobody did.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from typing import NamedTuple

from tasks.core.config import checked_reason
from tasks.core.errors import HallmarkError, InputError, Refused
from tasks.ledger.ledger import Entry, Ledger
from tasks.policy import satisfiable, signed_entry
from tasks.policy.gate_rules import Role
from tasks.policy.governance import Governance
from tasks.policy.people import Person
from tasks.policy.policy import LOCAL, Policy
from tasks.policy.read_signed import Signed, read_signed
from tasks.policy.satisfiable import Need
from tasks.policy.signed_entry import Draft
from tasks.sources import sources
from tasks.sources.sources import Source
from tasks.versions import signed_version
from tasks.versions.signed_version import KIND, VERSION, Version


class Standing(NamedTuple):
    """Where a version stands."""

    signed: tuple[Signed[Version], ...]
    """The signatures under it that count, oldest first."""
    lacking: str
    """Who else has to sign, in words; empty where it is signed off, or policy names nobody."""
    withdrawn: Version | None
    """Who took it back last, where nobody has signed it since."""

    @property
    def text(self) -> str:
        if self.withdrawn:
            taken = f"{self.withdrawn.person} took it back on {self.withdrawn.time:%Y-%m-%d %H:%M} UTC"
            return f"{taken} ({self.withdrawn.reason})"
        return self.lacking or f"signed off by {', '.join(names(self.signed)) or 'nobody: policy names nobody for it'}"


def sign(
    ledger: Ledger, governance: Governance, person_id: str, tree_sha256: str, commit: str, reason: str,
    withdraw: bool = False,
) -> Entry:  # fmt: skip
    """Record that somebody adopts a version, or takes it back. Twice by one person in one role is once.

    Raises Refused for whoever holds no role that policy names, InputError where it names none.
    """
    person = governance.actor(person_id, ledger.now())
    reason = checked_reason(reason, "say with --reason what you looked at, so that others can follow it later")
    if not governance.policy.changes.code:
        raise InputError(
            "policy names nobody who signs code off; say under `changes` who does, `code: [{role: NAME}]`, and have "
            "that adopted: hallmark policy adopt"
        )

    def draft() -> Entry | list[Draft]:
        now = ledger.now()
        _require_role(person, governance.policy, now)
        known = _counted(ledger, governance, tree_sha256)
        held = set(person.roles_at(now))
        own = [entry for entry, it in known if it.said.person == person.id and held <= set(_held(it))]
        if own and not withdraw:
            return own[-1]
        if withdraw and not known:
            raise Refused("nobody has signed this version off, so there is nothing to take back")
        said = Version(
            verb="withdraw" if withdraw else "adopt",
            tree_sha256=tree_sha256,
            commit=commit,
            environment=governance.policy.environment,
            person=person.id,
            reason=reason,
            time=now,
        )
        return [Draft(KIND, tree_sha256, signed_version.statement(said))]

    return signed_entry.record(ledger, governance, person, draft)


def standing(ledger: Ledger, governance: Governance, tree_sha256: str) -> Standing:
    said = [each for _, each in _said(ledger, governance, tree_sha256)]
    signed = tuple(it for _, it in _counted(ledger, governance, tree_sha256))
    back = [each for each in said if each.verb == "withdraw"]
    withdrawn = back[-1] if back and not signed else None
    return Standing(signed, lacking(governance.policy.changes.code, signed), withdrawn)


def are_asked(governance: Governance, tier: str, read: Iterable[Source]) -> bool:
    """Whether a run needs code that was signed off: one of a tier with gates, and one that reads sources which are not
    public, or lie in a store, whose keys its code has. Raises InputError for an unknown tier."""
    if governance.policy.tier(tier).gates:
        return True
    return any(source.classification != "public" or "://" in sources.expand(source.location) for source in read)


def require(ledger: Ledger, governance: Governance, tree_sha256: str, commit: str) -> None:
    """Raises Refused where a run that needs code that was signed off may not be made of a version."""
    if governance.local:
        return
    if not governance.policy.changes.code:
        raise Refused(
            f"the policy in force names nobody who signs code off, which environment {governance.policy.environment} "
            "asks for: say under `changes` who does, `code: [{role: NAME}]`, and have it adopted: hallmark policy adopt"
        )
    found = standing(ledger, governance, tree_sha256)
    if found.lacking:
        raise Refused(
            f"commit {commit[:12]} is no version that was signed off: {found.text}; who reviewed it says so with: "
            f"hallmark code adopt {commit[:12]} --as ID --reason TEXT"
        )


def lacking(asked: Sequence[Role], signed: Sequence[Signed[Version]]) -> str:
    """Who else has to sign, in words; empty where nobody. Each role takes people of its own."""
    needs = [
        Need(role.role, role.count, frozenset(it.said.person for it in signed if role.role in _held(it)))
        for role in asked
    ]
    short = satisfiable.unseated(needs)
    return f"it lacks the signature of somebody in role {short.role}" if short else ""


def names(signed: Iterable[Signed[Version]]) -> list[str]:
    """Who signed, sorted."""
    return sorted({it.said.person for it in signed})


def counts(signed: Signed[Version], policy: Policy, tree_sha256: str) -> bool:
    """Whether what somebody signed is about that version in this environment, and they held a role that policy asks for
    when they did."""
    said, person = signed.said, signed.person
    asked = {role.role for role in policy.changes.code}
    return (
        person is not None
        and (said.tree_sha256, said.environment) == (tree_sha256, policy.environment)
        and signed_version.is_about_its_tree(said, signed.subjects)
        and not asked.isdisjoint(_held(signed))
        and not (person.demo and policy.environment != LOCAL)
    )


def _counted(ledger: Ledger, governance: Governance, tree_sha256: str) -> list[tuple[Entry, Signed[Version]]]:
    """The adoptions since it was taken back last."""
    found: list[tuple[Entry, Signed[Version]]] = []
    for entry, said in _said(ledger, governance, tree_sha256):
        if said.verb == "withdraw":
            found = []
            continue
        with suppress(HallmarkError):
            signed = read_signed(entry, VERSION, governance)
            if counts(signed, governance.policy, tree_sha256):
                found.append((entry, signed))
    return found


def _said(ledger: Ledger, governance: Governance, tree_sha256: str) -> Iterator[tuple[Entry, Version]]:
    """What was said about a version here, oldest first. A withdrawal counts also where nobody can verify it any more,
    since it can only hold things back: whoever took a version back may have left, or lost the role."""
    for entry in ledger.entries(KIND, tree_sha256):
        with suppress(HallmarkError, KeyError, TypeError):
            said = VERSION.said(entry.body["envelope"])
            if (said.tree_sha256, said.environment) == (tree_sha256, governance.policy.environment):
                yield entry, said


def _held(signed: Signed[Version]) -> list[str]:
    """The roles that they held when they signed."""
    return signed.person.roles_at(signed.at) if signed.person else []


def _require_role(person: Person, policy: Policy, at: datetime) -> None:
    asked, held = [role.role for role in policy.changes.code], person.roles_at(at)
    if not set(asked) & set(held):
        raise Refused(
            f"{person.id} holds {', '.join(held) or 'no role'}; a version of the code is signed off by "
            f"{', '.join(asked)}"
        )
