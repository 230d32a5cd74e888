"""People of a round, and what each of them may do and see.

The lead starts and finishes the round and sees everything about it. Annotators see their own items alone. Adjudicators
see the labels on which annotators disagree, without their names. So the lead and the adjudicators label nothing.

Rows of a source are shown to people who may read single records of that source. An external has no role, so only the
owner or steward of every source of the round can name one, who answers for showing them rows.
"""

from collections.abc import Sequence

from tasks.consent import withdrawals
from tasks.consent.withdrawals import UsedSource
from tasks.core.documents import config
from tasks.core.errors import InputError, Refused
from tasks.inquiry import access
from tasks.inquiry.access import Access
from tasks.labels import pseudonyms
from tasks.labels.label_round import LabelRound, Participant, RoundSource
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance

MAX_NAME_CHARS = 100


def find_participant(people: Sequence[Participant], name: str) -> Participant | None:
    return next((person for person in people if person.name == name), None)


def require_lead(said: LabelRound, person_id: str) -> None:
    if person_id != said.lead:
        raise Refused(f"{person_id} does not lead round {said.id}; {said.lead} does")


def require_annotator(said: LabelRound, name: str) -> Participant:
    found = find_participant(said.annotators, name)
    if found is None:
        raise InputError(f"{name!r} is no annotator of round {said.id}; its lead named them when it was started")
    return found


def require_adjudicator(said: LabelRound, person_id: str) -> Participant:
    """Return an adjudicator.

    Raises:
        Refused: The person is an annotator of the round, or no adjudicator of it.
    """
    if find_participant(said.annotators, person_id):
        raise Refused(
            f"{person_id} labels in round {said.id}, and nobody adjudicates a disagreement that is also theirs; an "
            "adjudicator of the round does"
        )
    found = find_participant(said.adjudicators, person_id)
    if found is None:
        raise Refused(
            f"{person_id} is no adjudicator of round {said.id}; it has "
            f"{', '.join(person.name for person in said.adjudicators)}"
        )
    return found


def require_access_to_rows(said: LabelRound, looker: Access) -> None:
    for source in said.sources:
        looker.require_access(source)


def require_may_receive(said: LabelRound, receiver: Participant, actor: Access, governance: Governance) -> None:
    """Verify that a person may be handed their task file now, by the person who acts.

    Raises:
        Refused: The person who acts is neither the receiver nor the lead, or one of them may no longer read the rows.
    """
    if actor.person.id != receiver.name or receiver.external:
        require_lead(said, actor.person.id)
    require_access_to_rows(said, actor)
    if receiver.external:
        _require_decides_on_externals(actor, said.sources)
    else:
        person = governance.require_actor(receiver.name)
        require_access_to_rows(said, access.access_of_person(governance, person))


def require_may_import(said: LabelRound, annotator: Participant, person_id: str) -> None:
    """Verify that a person may import the labels of an annotator: their own, or as lead those of an external."""
    if annotator.external:
        require_lead(said, person_id)
    elif annotator.name != person_id:
        raise Refused(f"{annotator.name} has an identity here and imports their own labels: --as {annotator.name}")


def require_not_withdrawn(sources: Sequence[RoundSource], ledger: Ledger, governance: Governance) -> None:
    used = [UsedSource(source.id, source.sha256, source.location) for source in sources]
    if reason := withdrawals.block_reason(ledger, governance, used):
        raise Refused(f"rows of a withdrawn source are not labelled: {reason}")


def make_annotators(
    governance: Governance, people: Sequence[str], externals: Sequence[str], lead: Access,
    sources: Sequence[RoundSource], key: bytes,
) -> list[Participant]:  # fmt: skip
    """Return the annotators of a new round.

    Args:
        governance: Governance in force.
        people: Ids in people.yaml.
        externals: Names of people who are not in people.yaml.
        lead: Access of the person who leads the round.
        sources: Sources of the rows.
        key: Key for pseudonyms.

    Raises:
        InputError: A person is named twice or is not in people.yaml, or the lead is among them.
        Refused: A person may not read the rows, or an external may not be shown them.
    """
    named = [_known_person(governance, person_id, sources, key) for person_id in people]
    named += [_external(governance, name, lead, sources, key) for name in externals]
    twice = {person.name for person in named if [each.pseudonym for each in named].count(person.pseudonym) > 1}
    if twice:
        raise InputError(f"each annotator is named once; twice: {', '.join(sorted(twice))}")
    if find_participant(named, lead.person.id):
        raise InputError(f"{lead.person.id} leads the round and sees all labels and gold examples; name another one")
    return named


def make_adjudicators(
    governance: Governance, people: Sequence[str], annotators: Sequence[Participant], sources: Sequence[RoundSource],
    key: bytes,
) -> list[Participant]:  # fmt: skip
    """Return the adjudicators of a new round.

    Raises:
        InputError: An adjudicator is an annotator too, or is not in people.yaml.
        Refused: An adjudicator may not read the rows.
    """
    for person_id in people:
        if find_participant(annotators, person_id):
            raise InputError(f"{person_id} is an annotator of the round; an adjudicator is somebody who does not label")
    return [_known_person(governance, each, sources, key) for each in dict.fromkeys(people)]


def _known_person(governance: Governance, person_id: str, sources: Sequence[RoundSource], key: bytes) -> Participant:
    person = governance.require_actor(person_id)
    looker = access.access_of_person(governance, person)
    for source in sources:
        looker.require_access(source)
    return Participant(name=person_id, pseudonym=pseudonyms.make_pseudonym(person_id, False, key))


def _external(
    governance: Governance, name: str, lead: Access, sources: Sequence[RoundSource], key: bytes
) -> Participant:
    config.refuse_hidden_characters(name, "the name of an external")
    if not name.strip() or len(name) > MAX_NAME_CHARS:
        raise InputError(f"an external has a name of 1 to {MAX_NAME_CHARS} characters")
    spelling = pseudonyms.comparable_name(name)
    if any(spelling == pseudonyms.comparable_name(person.id) for person in governance.people.people):
        raise InputError(f"{name} is in people.yaml; name them with --annotator, so that they import their own labels")
    _require_decides_on_externals(lead, sources)
    return Participant(name=name, external=True, pseudonym=pseudonyms.make_pseudonym(name, True, key))


def _require_decides_on_externals(lead: Access, sources: Sequence[RoundSource]) -> None:
    for source in sources:
        now = lead.inventory.get(source.id) or source
        if lead.person.id not in (now.owner, now.steward):
            raise Refused(
                f"rows of {source.id} are shown to an external by decision of its owner or steward alone; let one of "
                "them lead the round, or add the person to people.yaml"
            )
