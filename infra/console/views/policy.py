"""Policy and people in force, and their adoptions."""

from infra.console.site import RequestState
from tasks.core.documents.config import FrozenModel
from tasks.policy import explanation, in_force, overview, root_of_trust
from tasks.policy.overview import AdoptionSummary, SignerSummary
from tasks.policy.people import Person


class PolicyPage(FrozenModel):
    environment: str
    policy_sha256: str
    root: str
    """Fingerprint of the root key, from which all adoptions follow."""
    lines: list[str]
    people: list[SignerSummary]
    adoptions: list[AdoptionSummary]
    problems: list[str]


def policy(here: RequestState, person: Person) -> PolicyPage:
    governed, chain = here.governance, in_force.read_chain(here.state, here.ledger)
    return PolicyPage(
        environment=governed.policy.environment,
        policy_sha256=governed.policy.digest(),
        root=root_of_trust.root_fingerprint(here.state),
        lines=list(explanation.explanation_lines(governed.policy, governed.people)),
        people=[overview.signer_summary(governed, each, here.ledger_time) for each in governed.people.people],
        adoptions=overview.adoption_summaries(chain)[::-1],
        problems=list(chain.problems),
    )
