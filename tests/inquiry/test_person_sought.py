"""A person is looked up by who may look, for a reason, on the ledger, and in the sources that are theirs to look at."""

import json

import pytest

from tasks.core.errors import InputError, Refused
from tasks.inquiry.access import Access
from tasks.inquiry.access_entries import PERSON_SOUGHT
from tasks.inquiry.lineage import indexing, person_search
from tasks.inquiry.lineage.person_search import PersonSearchResult
from tasks.ledger.ledger import Ledger, open_ledger
from tasks.policy.people import Person
from tasks.sources import vault_keys
from tasks.stages.data.protect.tokens import make_token
from tests.stages.data.build import OWNERS, SEVERAL, Run, messages, params, several, stages, worded

ADA = "Ada Lovelace"
WHY = "she asked what we hold"
NAMED = {"tickets": 1, "chats": 3, "emails": 2}
"""Records of each source that name her."""
MAIL = "ada.lovelace@example.org"
LABELS = {"emails": json.dumps({"body": f"Regards,\n{MAIL}"})}
"""Targets other than `label0`, by source."""


@pytest.fixture
def done(run: Run) -> Run:
    """Three sources, of three owners, that all know her; role auditor may look at emails."""
    rows = {
        name: [
            *worded(name, 10),
            *(
                {"text": f"My name is {ADA} and {name} {n} is lost", "label": LABELS.get(name, "label0")}
                for n in range(NAMED[name])
            ),
        ]
        for name in SEVERAL
    }
    tickets, chats, emails = several(run.root, rows, steward="nobody", access=["desk"])
    run.resolve(tickets, chats, emails.model_copy(update={"access": ["auditor"]}))
    for stage in stages().values():
        stage.run(params(test_share=0.3), run.layout)
    indexing.add_dataset(run.layout, "tests")
    return run


def looker(run: Run, who: str, *roles: str) -> Access:
    return run.access(Person(id=who, name=who, roles=[*roles] or ["requester"]))


def ledger(run: Run) -> Ledger:
    return open_ledger(run.layout.state)


def sought(run: Run, access: Access, value: str = ADA, reason: str = WHY) -> PersonSearchResult:
    return person_search.find_person(run.layout.state, value, access, reason, ledger(run))


def counts(found: PersonSearchResult) -> dict[str, int]:
    return {name: n for name in SEVERAL if (n := sum(one.source_id == name for one in found.memberships))}


@pytest.mark.parametrize("name", SEVERAL)
def test_an_owner_is_answered_about_their_own_source_alone(done: Run, name: str) -> None:
    found = sought(done, looker(done, OWNERS[name]))
    assert counts(found) == {name: NAMED[name]}
    assert [line.split()[0] for line in found.unsearched_sources] == sorted(set(SEVERAL) - {name})


def test_what_is_closed_is_named_whether_the_person_is_there_or_not(done: Run) -> None:
    known, unknown = (sought(done, looker(done, "reader"), value) for value in (ADA, "Grace Hopper"))
    assert unknown.memberships == [] and unknown.unsearched_sources == known.unsearched_sources
    assert "emails takes its owner, its steward, or role auditor" in known.unsearched_sources


def test_roles_open_what_the_sources_give_them(done: Run) -> None:
    assert counts(sought(done, looker(done, "somebody", "auditor"))) == {"emails": 2}
    assert counts(sought(done, looker(done, "somebody", "auditor", "desk"))) == NAMED


def test_a_person_behind_an_escape_of_a_json_target_is_found(done: Run) -> None:
    assert counts(sought(done, looker(done, OWNERS["emails"]), MAIL)) == {"emails": NAMED["emails"]}


def test_a_telephone_number_is_found_however_it_was_spelt(run: Run) -> None:
    spelt = ["+44 20 7946 0958", "+44 (0)20 7946 0958", "0044 20 7946 0958", "020 7946 0958"]
    rows = [*worded("tickets", 10), *({"text": f"please call me back on {each}", "label": "label0"} for each in spelt)]
    run.resolve(*several(run.root, {"tickets": rows}))
    for stage in stages().values():
        stage.run(params(test_share=0.3), run.layout)
    indexing.add_dataset(run.layout, "tests")
    assert counts(sought(run, looker(run, OWNERS["tickets"]), spelt[0])) == {"tickets": len(spelt)}


def test_who_may_look_at_nothing_is_refused_and_nothing_is_said_of_the_person(done: Run) -> None:
    for value in (ADA, "Grace Hopper"):
        with pytest.raises(Refused, match="stranger may look at records of no source here: chats takes its owner"):
            sought(done, looker(done, "stranger", "requester"), value)
    assert ledger(done).entries(PERSON_SOUGHT) == []


def test_the_look_is_on_the_ledger_without_the_value(done: Run) -> None:
    sought(done, looker(done, "reader"))
    sought(done, looker(done, "reader"), "Grace Hopper")
    first, second = ledger(done).entries(PERSON_SOUGHT)
    assert (first.body["person"], first.body["reason"]) == ("reader", WHY)
    assert make_token("name", ADA, vault_keys.load_keys(done.layout.state).tokens) in first.body["tokens"]
    assert "Lovelace" not in json.dumps([first.body, first.subject]) and first.body["tokens"] != second.body["tokens"]


def test_nothing_is_answered_that_is_not_recorded(done: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise OSError("the ledger is away")

    monkeypatch.setattr(Ledger, "append", away)
    with pytest.raises(OSError, match="the ledger is away"):
        sought(done, looker(done, "reader"))


@pytest.mark.parametrize(("value", "reason", "wanted"), [(ADA, " ", "say in words why"), (" ", WHY, "is empty")])
def test_a_reason_and_a_value_are_asked_for(done: Run, value: str, reason: str, wanted: str) -> None:
    with pytest.raises(InputError, match=wanted):
        sought(done, looker(done, "reader"), value, reason)
    assert ledger(done).entries(PERSON_SOUGHT) == []


def test_where_nothing_is_indexed_nobody_is_refused(run: Run) -> None:
    run.resolve(*several(run.root, {"tickets": messages(3)}))
    assert sought(run, looker(run, "stranger")) == PersonSearchResult([], [])
    assert len(ledger(run).entries(PERSON_SOUGHT)) == 1
