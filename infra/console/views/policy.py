"""Policy and people in force, and the adoptions that brought them into force."""

from datetime import datetime

from infra.console.site import RequestState
from infra.console.views.signing_form import key_fingerprints
from tasks.core.config import FrozenModel
from tasks.policy import adoption_entries, differences, explanation, in_force
from tasks.policy.adoption_entries import Chain
from tasks.policy.people import Person


class Member(FrozenModel):
    """Person with the roles and keys that count now."""

    id: str
    name: str
    roles: list[str]
    keys: list[str]
    demo: bool


class AdoptionRow(FrozenModel):
    number: int
    time: datetime
    signed_by: list[str]
    changed: list[str]
    """Changes since the previous adoption, in words."""


class PolicyPage(FrozenModel):
    environment: str
    policy_sha256: str
    root: str
    """Fingerprint of the root key, from which all adoptions follow."""
    lines: list[str]
    """Policy in words."""
    people: list[Member]
    adoptions: list[AdoptionRow]
    """Adoptions, newest first."""
    problems: list[str]


def policy(here: RequestState, person: Person) -> PolicyPage:
    governed, chain = here.governance, in_force.chain(here.state, here.ledger)
    return PolicyPage(
        environment=governed.policy.environment,
        policy_sha256=governed.policy.digest(),
        root=adoption_entries.root_fingerprint(here.state),
        lines=list(explanation.lines(governed.policy, governed.people)),
        people=[_member(here, each) for each in governed.people.people],
        adoptions=[_adopted(chain, place) for place in reversed(range(len(chain.adoptions)))],
        problems=list(chain.problems),
    )


def _adopted(chain: Chain, place: int) -> AdoptionRow:
    it = chain.adoptions[place]
    before = chain.adoptions[place - 1] if place else None
    return AdoptionRow(
        number=it.sequence,
        time=chain.entries[place].time,
        signed_by=chain.signed_by(place),
        changed=differences.between(before.policy, before.people, it.policy, it.people) if before else [],
    )


def _member(here: RequestState, person: Person) -> Member:
    return Member(
        id=person.id,
        name=person.name,
        roles=person.roles_at(here.now),
        keys=key_fingerprints(here, person),
        demo=person.demo,
    )
