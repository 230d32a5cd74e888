"""The policy in words, and who is who: what is in force, since when, signed by whom."""

from datetime import datetime

from infra.console.site import Here
from tasks.core.config import Frozen
from tasks.policy import adopting, explain, in_force
from tasks.policy.people import Person


class Member(Frozen):
    """A person, and the keys that count now."""

    id: str
    name: str
    roles: list[str]
    keys: list[str]
    demo: bool


class Adopted(Frozen):
    number: int
    time: datetime
    signed_by: list[str]


class PolicyPage(Frozen):
    environment: str
    policy_sha256: str
    root: str
    """Fingerprint of the key that everything follows from."""
    lines: list[str]
    """The policy, in words."""
    people: list[Member]
    adoptions: list[Adopted]
    """Newest first."""
    problems: list[str]


def policy(here: Here, person: Person) -> PolicyPage:
    """What is in force."""
    governed, chain = here.governance, in_force.chain(here.state, here.ledger)
    return PolicyPage(
        environment=governed.policy.environment,
        policy_sha256=governed.policy.digest(),
        root=adopting.root_fingerprint(here.state),
        lines=list(explain.lines(governed.policy, governed.people)),
        people=[_member(here, each) for each in governed.people.people],
        adoptions=[
            Adopted(number=each.sequence, time=chain.entries[place].time, signed_by=chain.signed_by(place))
            for place, each in reversed(list(enumerate(chain.adoptions)))
        ],
        problems=list(chain.problems),
    )


def _member(here: Here, person: Person) -> Member:
    counting = [key for key in here.governance.keys_of(person) if key.counts(here.now)]
    return Member(
        id=person.id,
        name=person.name,
        roles=person.roles_at(here.now),
        keys=[key.fingerprint for key in counting],
        demo=person.demo,
    )
