"""Adoptions and the keys of people and machines, as commands and pages show them."""

from datetime import datetime
from typing import Annotated

from pydantic import PlainSerializer

from tasks.core.documents.config import FrozenModel
from tasks.core.errors import InputError
from tasks.core.formatting import format_exact_time
from tasks.policy import adoption, differences
from tasks.policy.adoption_entries import AdoptionChain
from tasks.policy.governance import Governance
from tasks.policy.people import MachineName, Person
from tasks.trust.validity import KeyState


class AdoptionSummary(FrozenModel):
    sequence: int
    time: Annotated[datetime, PlainSerializer(format_exact_time, when_used="json")]
    signed_by: list[str]
    digest: str
    entry: int
    changed: list[str]
    """Changes since the previous adoption, in words."""


class KeySummary(FrozenModel):
    fingerprint: str
    state: KeyState
    told: str
    """Description of the key's state."""


class SignerSummary(FrozenModel):
    id: str
    name: str
    roles: list[str]
    """Roles that the person holds now; `machine` for a machine."""
    keys: list[KeySummary]
    demo: bool


def adoption_summaries(chain: AdoptionChain) -> list[AdoptionSummary]:
    return [_adoption_summary(chain, place) for place in range(len(chain.adoptions))]


def _adoption_summary(chain: AdoptionChain, place: int) -> AdoptionSummary:
    it, entry = chain.adoptions[place], chain.entries[place]
    before = chain.adoptions[place - 1] if place else None
    return AdoptionSummary(
        sequence=it.sequence,
        time=entry.time,
        signed_by=chain.signers_of(place),
        digest=adoption.adoption_digest(it),
        entry=entry.seq,
        changed=differences.describe_differences(before.policy, before.people, it.policy, it.people) if before else [],
    )


def signer_summary(governance: Governance, who: Person | MachineName, now: datetime) -> SignerSummary:
    try:
        held = governance.keys_of(who)
    except InputError:  # a worker that has no key, or a checkout before `hallmark init`
        held = []
    keys = [KeySummary(fingerprint=key.fingerprint, state=key.state(now), told=key.describe_state(now)) for key in held]
    if isinstance(who, Person):
        return SignerSummary(id=who.id, name=who.name, roles=who.roles_at(now), keys=keys, demo=who.demo)
    return SignerSummary(id=who, name="", roles=["machine"], keys=keys, demo=False)
