"""Sources and cards: who adopts them, what counts of that, and what a run may do with what is not as adopted."""

from typing import Any

import pytest

from tasks.core.errors import InputError, Refused
from tasks.core.params.params import Params
from tasks.declarations import criteria, declarations, signed_declaration, signing, status
from tasks.declarations.signed_declaration import (
    ENTRY_KIND,
    DeclaredCard,
    DeclaredDocument,
    DeclaredSource,
    DeclaredSuite,
)
from tasks.sources.expectation_suites import Suites
from tasks.sources.sources import Source
from tasks.stages.evaluate.suites.suite import EvaluationSuite
from tasks.trust import dsse, keys
from tests.governed.house import PARAMS, PEOPLE, POLICY, House, keyed, reload
from tests.stages.data import build

MORE = """\
  - {id: second, name: Second owner, roles: [data-owner]}
  - {id: lead-two, name: Second lead, roles: [ml-lead]}
  - {id: demo-lead, name: Demo lead, roles: [ml-lead], demo: true}
"""
TIERS = POLICY.replace("  low:\n", "  low:\n    level: 1\n")
HIGH = "  high:\n    level: 2\n" + TIERS.partition("    level: 1\n")[2].partition("changes:")[0]
SOURCE: dict[str, Any] = build.source(
    "data/tickets.csv", id="tickets", owner="owner", steward="owner", access=["data-owner"], approved_uses=["a"],
    mapping={"prompt": "text", "response": "answer"}, constants={"task": "triage"},
).model_dump(mode="json", exclude_defaults=True)  # fmt: skip
OWNED = PARAMS["use_case"]["owners"]
LEAD = PARAMS["use_case"] | {"owners": {"business": "lead", "technical": "lead", "data": "owner"}}


@pytest.fixture
def outside(house: House) -> House:
    """A house outside environment local, with a second owner, a second lead and a higher tier."""
    for name in ("second", "lead-two", "demo-lead"):
        keys.create_key_pair(house.state / "keys", name)
    reload(house, placed("production"), keyed(PEOPLE + MORE, house.state))
    return house


def placed(environment: str) -> str:
    return TIERS.replace("environment: local", f"environment: {environment}").replace("changes:", f"{HIGH}changes:")


SUITE = {"name": "s", "expectations": [{"type": "t", "why": "w"}]}
NONE: dict[str, Any] = {"by_source": {}, "dataset": None}


def source(suites: dict | None = None, terms: dict | None = None, **changes: Any) -> DeclaredSource:
    checked = Source.model_validate(SOURCE | changes), Suites.model_validate(suites or NONE)
    return signed_declaration.declare_source(*checked, terms or {}, [])


def card(evaluation: dict | None = None, **changes: Any) -> DeclaredCard:
    said = PARAMS | {"use_case": LEAD | changes, "evaluation": PARAMS["evaluation"] | (evaluation or {})}
    said |= {"data": {"calibration_share": 0.2}}  # `required_precision` needs some
    return signed_declaration.declare_card(Params.model_validate(said))


def sign(house: House, who: str, *declared: DeclaredDocument, reason: str = "looked at it") -> None:
    signing.sign_declarations(house.ledger, house.governance, who, declared, reason)


def require(house: House, *declared: DeclaredDocument) -> None:
    declarations.require_in_force(house.ledger, house.governance, declared)


def waits(house: House, declared: DeclaredDocument) -> list[str]:
    return signing.missing_owners(declared, status.read_status(house.ledger, house.governance), house.governance)


def signed_first(house: House, declared: DeclaredDocument, owner: str) -> dict[str, Any]:
    """Return the statement by which an owner adopts a source for the first time."""
    said = signed_declaration.Declaration(
        declared=declared, owners=[owner], follows=None, environment="production", person=owner, reason="r",
        time=house.ledger.now(),
    )  # fmt: skip
    return dsse.sign_statement(signed_declaration.DECLARATION_KIND.statement(said), house.key(owner))


@pytest.mark.attack(rights="commit", stopped="a source is read as its owner adopted it, outside environment local")
@pytest.mark.parametrize(
    "changed",
    [
        {"access": ["data-owner", "engineer"]},
        {"owner": "second"},
        {"id": "tickets-2"},
        {"location": "${AWS_SECRET_ACCESS_KEY}"},
        {"approved_uses": ["a", "anything else"]},
        {"retention_days": 9000},
        {"protect": {"name": "keep"}},
        {"constants": {"task": "triage", "split": "train"}},
        {"max_rows": 10},
        {"terms": {"trade_secret": ["Halcyon"]}},
        {"suites": NONE | {"by_source": {"tickets": SUITE}}},
        {"suites": NONE | {"dataset": SUITE}},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_a_source_is_used_as_its_owner_adopted_it(outside: House, changed: dict) -> None:
    with pytest.raises(
        Refused, match="source/tickets was adopted by nobody; to adopt it: hallmark data adopt --as owner"
    ):
        require(outside, source())
    sign(outside, "owner", source())
    require(outside, source())
    with pytest.raises(Refused, match=r"is not what was adopted|was adopted by nobody"):
        require(outside, source(), source(**changed))


ASKED: dict[str, Any] = {
    "name": "pushed", "version": 1, "owner": "lead", "title": "t", "about": "a", "licence": "l", "origin": "o",
    "judge": {"kind": "excludes", "texts": ["yes"]}, "cases": [{"id": "one", "prompt": "Say yes."}],
}  # fmt: skip


def suite(**changes: Any) -> DeclaredSuite:
    return signed_declaration.declare_suite(EvaluationSuite.model_validate(ASKED | changes))


@pytest.mark.attack(rights="commit", stopped="a run asks the evaluation suites that their owners adopted")
@pytest.mark.parametrize(
    "changed",
    [
        {"cases": [{"id": "one", "prompt": "Say no."}]},
        {"judge": {"kind": "well_formed"}},
        {"severity": "low"},
        {"owner": "lead-two"},
        {"use_case": "another"},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_a_suite_is_asked_as_its_owner_adopted_it(outside: House, changed: dict) -> None:
    with pytest.raises(Refused, match="suite/pushed was adopted by nobody; to adopt it: hallmark suites adopt --as"):
        require(outside, suite())
    with pytest.raises(Refused, match=r"holds data-owner, and policy asks for ml-lead|its owner owner holds"):
        sign(outside, "owner", suite(owner="owner"))
    sign(outside, "lead", suite())
    require(outside, suite())
    with pytest.raises(Refused, match="suite/pushed is not what was adopted"):
        require(outside, suite(), suite(**changed))


def test_no_suite_is_declared_where_nobody_signs_cards(outside: House) -> None:
    asked, policy = EvaluationSuite.model_validate(ASKED), outside.governance.policy
    params = Params.model_validate(PARAMS | {"use_case": LEAD | {"risk_tier": "experiment"}})
    assert declarations.declarations_of_suites([asked], params, policy) == []


@pytest.mark.attack(rights="commit", stopped="a source changes hands with the signatures of both owners")
def test_a_source_changes_hands_with_both_signatures(outside: House) -> None:
    sign(outside, "owner", source())
    taken = source(owner="second", access=["engineer"])
    sign(outside, "second", taken)
    assert waits(outside, taken) == ["owner"]
    with pytest.raises(Refused, match="is not what was adopted: owner, access differ"):
        require(outside, taken)
    require(outside, source())
    sign(outside, "owner", taken)
    require(outside, taken)
    with pytest.raises(Refused, match="source/tickets is adopted by second, not by owner"):
        sign(outside, "owner", source(owner="second"))


@pytest.mark.attack(rights="commit", stopped="another source at the same place takes the signature of its owner too")
@pytest.mark.parametrize("location", ["data/tickets.csv", "./data//tickets.csv", "data/x/../tickets.csv"])
def test_the_same_file_under_another_name_takes_its_owner_too(outside: House, location: str) -> None:
    sign(outside, "owner", source())
    copied = source(id="own", owner="second", location=location)
    sign(outside, "second", copied)
    assert waits(outside, copied) == ["owner"]
    with pytest.raises(Refused, match="source/own was adopted by nobody"):
        require(outside, copied)


@pytest.mark.attack(rights="commit", stopped="a place is known where it lies, however its location is written")
@pytest.mark.parametrize("how", ["absolute", "two slashes", "a variable", "a link", "a folder that is a link"])
def test_a_place_is_known_however_it_is_written(outside: House, how: str) -> None:
    """Also where somebody else's signature was put on the ledger elsewhere, where it is no such place."""
    root = outside.state.parent
    (root / "data").mkdir()
    (root / "data" / "tickets.csv").write_text("a\n")
    (root / "link.csv").symlink_to(root / "data" / "tickets.csv")
    (root / "folder").symlink_to("data")
    ways = {
        "absolute": f"{root}/data/tickets.csv",
        "two slashes": f"/{root}/data/tickets.csv",
        "a variable": "${NOT_SET_HERE:-data}/tickets.csv",
        "a link": "link.csv",
        "a folder that is a link": "folder/tickets.csv",
    }
    sign(outside, "owner", source())
    copied = source(id="own", owner="second", location=ways[how])
    sign(outside, "second", copied)
    assert waits(outside, copied) == ["owner"]
    envelope = signed_first(outside, copied, "second")
    outside.ledger.append(ENTRY_KIND, copied.subject, {"envelope": envelope})
    assert not waits(outside, copied), "by the ledger alone it is in force"
    with pytest.raises(Refused, match="source/own lies where source/tickets lies, and owner has not signed it"):
        require(outside, copied)
    require(outside, source())
    other = source(region="us")
    sign(outside, "owner", other)
    require(outside, other)


def left(house: House) -> None:
    """The owner's role ended, after they had signed."""
    ended = f"[{{role: data-owner, valid_before: '{house.ledger.now().isoformat()}'}}]"
    people = PEOPLE.replace("name: Data owner, roles: [data-owner]", f"name: Data owner, roles: {ended}")
    assert people != PEOPLE
    reload(house, placed("production"), keyed(people + MORE, house.state))


def test_for_an_owner_who_left_somebody_signs_who_signs_people_off(outside: House) -> None:
    sign(outside, "owner", source())
    taken = source(owner="second")
    with pytest.raises(Refused, match="is adopted by owner and second, not by risk-one"):
        sign(outside, "risk-one", taken)
    left(outside)
    require(outside, source())
    sign(outside, "second", taken)
    assert waits(outside, taken) == ["owner"]
    with pytest.raises(Refused, match="owner holds no role"):
        sign(outside, "owner", taken)
    with pytest.raises(Refused, match="not by lead"):
        sign(outside, "lead", taken)
    sign(outside, "risk-one", taken)
    require(outside, taken)


@pytest.mark.attack(rights="approver", stopped="what somebody else signed, or signed of something else, adopts nothing")
@pytest.mark.parametrize(
    ("who", "declared", "told"),
    [
        ("second", source(), "source/tickets is adopted by owner, not by second"),
        ("asker", source(owner="lead"), "its owner lead holds ml-lead, and policy asks for data-owner"),
        ("gone", source(), "gone holds no role"),
        ("demo-owner", source(owner="demo-owner"), "demo identity"),
        ("lead-two", card(), "card/triage is adopted by lead, not by lead-two"),
        ("owner", card(owners=OWNED), "policy asks for ml-lead or risk"),
        ("lead", card(risk_tier="experiment"), "and policy asks for nobody, since its risk tier has no gates"),
    ],
)  # fmt: skip
def test_who_is_not_asked_adopts_nothing(outside: House, who: str, declared: DeclaredDocument, told: str) -> None:
    with pytest.raises(Refused, match=told):
        sign(outside, who, declared)
    assert not outside.ledger.entries(ENTRY_KIND)


def test_a_reason_is_given_and_twice_is_once(outside: House) -> None:
    with pytest.raises(InputError, match="say in words what you looked at"):
        sign(outside, "owner", source(), reason=" ")
    with pytest.raises(InputError, match="is nobody in people"):
        sign(outside, "nobody", source())
    sign(outside, "owner", source())
    sign(outside, "owner", source(), reason="again")
    assert len(outside.ledger.entries(ENTRY_KIND)) == 1


@pytest.mark.attack(rights="database", stopped="an old declaration counts in its own place alone, once")
def test_an_old_declaration_written_anew_adopts_nothing(outside: House) -> None:
    lax, strict = source(access=["data-owner", "engineer"]), source()
    for each in (strict, lax, strict):
        sign(outside, "owner", each)
    for entry in outside.ledger.entries(ENTRY_KIND)[:2]:  # the last is `lax`, which once followed what is in force now
        outside.ledger.append(ENTRY_KIND, entry.subject, entry.body)
    require(outside, strict)
    with pytest.raises(Refused):
        require(outside, lax)


@pytest.mark.attack(rights="approver", stopped="what was signed counts in the place of what it names alone")
def test_what_was_signed_and_held_back_adopts_nothing_later(outside: House) -> None:
    """The owner signed it while nothing was in force, and something else was adopted before it was recorded."""
    lax, strict = source(access=["data-owner", "engineer"]), source()
    envelope = signed_first(outside, lax, "owner")
    sign(outside, "owner", strict)
    outside.ledger.append(ENTRY_KIND, lax.subject, {"envelope": envelope})
    require(outside, strict)


@pytest.mark.attack(rights="database", stopped="a declaration counts by signature, subject, environment and owners")
def test_what_was_signed_otherwise_adopts_nothing(outside: House) -> None:
    sign(outside, "owner", source())
    (entry,) = outside.ledger.entries(ENTRY_KIND)
    other = entry.body["envelope"]
    said = signed_declaration.DECLARATION_KIND.unverified_document(other)
    for changes, key in (
        ({"environment": "staging"}, "owner"),
        ({"owners": ["owner", "second"]}, "owner"),
        ({"person": "second"}, "second"),
        ({"declared": source(access=["engineer"])}, "second"),
        ({"follows": "0" * 64}, "owner"),
    ):
        changed = said.model_copy(update={"declared": source(region="us")} | changes)
        envelope = dsse.sign_statement(signed_declaration.DECLARATION_KIND.statement(changed), outside.key(key))
        outside.ledger.append(ENTRY_KIND, "source/tickets", {"envelope": envelope})
    swapped = dsse.make_statement(signed_declaration.PREDICATE_TYPE, {"source/tickets": "1" * 64}, said.json_value)
    outside.ledger.append(
        ENTRY_KIND, "source/tickets", {"envelope": dsse.sign_statement(swapped, outside.key("owner"))}
    )
    outside.ledger.append(ENTRY_KIND, "source/tickets", {"envelope": None})
    now = status.read_status(outside.ledger, outside.governance)
    assert {name: each.declared for name, each in now.declarations_by_subject.items()} == {
        "source/tickets": source()
    } and not now.partial_signatures


def metric(**changes: Any) -> dict:
    first, second = PARAMS["use_case"]["success_metrics"]
    return {"success_metrics": [first | changes, second]}


STRICTER: dict[str, DeclaredCard] = {
    "the same": card(),
    "a threshold that is harder": card(**metric(at_most=500)),
    "another metric besides": card(
        success_metrics=[*LEAD["success_metrics"], {"name": "n", "fact": "evaluate.exact_match", "at_least": 0.9}]
    ),
    "a higher tier": card(risk_tier="high"),
    "more confidence": card({"confidence": 0.99}),
    "a precision without review": card({"required_precision": 0.9}),
}
LAXER: dict[str, DeclaredCard] = {
    "a threshold that is easier": card(**metric(at_most=5000)),
    "a metric that is gone": card(success_metrics=LEAD["success_metrics"][1:]),
    "judged in production alone": card(**metric(judged="production")),
    "less confidence": card({"confidence": 0.8}),
    "another purpose": card(problem="rank employees for dismissal"),
    "another use": card(approved_uses=["a", "b"]),
    "other users": card(users=["everybody"]),
    "another owner": card(owners=LEAD["owners"] | {"business": "lead-two"}),
    "another limitation": card(limitations=["none"]),
    "another name": card(name="triage-2"),
}


@pytest.mark.parametrize("what", STRICTER)
def test_a_run_may_ask_more_than_the_card_in_force(outside: House, what: str) -> None:
    sign(outside, "lead", card())
    require(outside, STRICTER[what])


@pytest.mark.attack(rights="commit", stopped="a governed run asks at least as much as the card that was adopted")
@pytest.mark.parametrize("what", LAXER)
def test_a_run_may_not_ask_less_than_the_card_in_force(outside: House, what: str) -> None:
    sign(outside, "lead", card())
    with pytest.raises(Refused, match=r"asks less than what was adopted, or is another|was adopted by nobody"):
        require(outside, LAXER[what])


def test_a_lower_tier_than_that_in_force_is_less(outside: House) -> None:
    both = {"risk_tier": "high"}
    sign(outside, "lead", card(**both))
    require(outside, card(**both))
    with pytest.raises(Refused, match="risk_tier high becomes low"):
        require(outside, card())


def test_the_experiment_tier_asks_for_no_card(outside: House) -> None:
    params = Params.model_validate(PARAMS | {"use_case": LEAD | {"risk_tier": "experiment"}})
    assert declarations.declarations_of_params(params, outside.governance.policy) == []


def test_local_takes_what_the_files_say(house: House) -> None:
    require(house, source(), card())
    assert declarations.declarations_complied_with(house.ledger, house.governance, [source()]) == {}
    sign(house, "owner", source())
    assert list(
        declarations.declarations_complied_with(house.ledger, house.governance, [source(), source(id="b")])
    ) == ["source/tickets"]


def test_the_same_said_in_other_bytes_is_the_same(outside: House) -> None:
    """As an earlier version spelled it, which knew no `max_rows`."""
    said = source().json_value
    del said["source"]["max_rows"]
    sign(outside, "owner", DeclaredSource.from_value(said))
    require(outside, source())


def test_what_is_in_force_says_whose_data_is_whose(outside: House) -> None:
    sign(outside, "owner", source())
    known = declarations.sources_by_id(outside.ledger, outside.governance)
    assert {name: each.access for name, each in known.items()} == {"tickets": ["data-owner"]}


def test_a_precision_without_review_does_not_fall_from_one_promotion_to_the_next() -> None:
    strict, lax, none = (card({"required_precision": share}).bar for share in (0.95, 0.5, None))
    promoted = criteria.PromotedCriteria(release="triage-1", bar=strict)
    assert criteria.relaxed_criteria(promoted, lax) == ["precision without review 0.95 becomes 0.5"]
    assert criteria.relaxed_criteria(promoted, none) == ["precision without review 0.95 becomes none"]
    assert criteria.relaxed_criteria(promoted, strict) == []
    assert criteria.next_criteria(promoted, lax).required_precision == 0.95
    assert "required_precision" not in none.model_dump(), "digests of earlier cards stay"
