"""Each rule of the release gate says the same of a rollback order: drawn up, read from the ledger, on its page."""

import re
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from infra.console.site import RequestState, Site
from infra.console.views import release
from infra.console.views.signing_form import SigningForm
from tasks.core.errors import Refused
from tasks.gates import decisions
from tasks.registry.promote import rollback, rollback_orders
from tasks.registry.promote.rollback import RollbackRequest
from tasks.registry.promote.rollback_orders import ORDER_ENTRY_KIND, Order
from tasks.registry.release import promotions
from tasks.registry.release.promotions import SignedPromotion
from tasks.trust import dsse, keys
from tasks.trust.keys import Signer
from tests.governed.authenticator import Token
from tests.registry.house import NAME, House

OFFICER = "name: Risk officer, roles: [risk]"
TWO_ROLES = "  low:\n    separation: {two_roles: false}\n"
GLASS = "    break_glass: {role: on-call, confirm_role: risk, confirm_hours: 4}\n"


def as_founded(_: House) -> None:
    """Nothing was changed since."""


def given(person: str, role: str) -> Callable[[House], None]:
    """Somebody holds one more role."""

    def arrange(house: House) -> None:
        house.adopt(lambda text: re.sub(rf"(id: {person},.*roles: \[[^]]*)", rf"\1, {role}", text), "people.yaml")

    return arrange


def own_keys(house: House) -> None:
    """The release gate asks for keys of people's own, and one risk officer has one."""
    keys.create_key_pair(house.state / "keys", "second")
    lines, second = [line_of(house, "risk-officer")], "  - {id: second, name: Second risk officer, roles: [risk]}\n"
    house.adopt(lambda text: text.replace(OFFICER, f"{OFFICER}, keys: {lines}") + second, "people.yaml")
    house.adopt(lambda text: text.replace("      release:\n", "      release:\n        signature: own\n"))


def one_role(house: House) -> None:
    """Who decided on the data is a risk officer too, and policy lets nobody decide in two roles."""
    given("owner", "risk")(house)
    house.adopt(lambda text: text.replace("  low:\n", TWO_ROLES))


@dataclass(frozen=True)
class Case:
    rule: str
    word: str
    person: str
    role: str = "risk"
    arrange: Callable[[House], None] = as_founded


CASES = [
    Case("own_run", "nobody decides on their own run", "engineer", arrange=given("engineer", "risk")),
    Case("demo_identity", "demo-risk is a demo identity", "demo-risk"),
    Case("role_asked", "does not ask role product-owner to approve; it asks risk", "product", "product-owner"),
    Case("role_held", "product did not hold role risk on", "product"),
    Case("key_strength", "people.yaml gives, and second has none there", "second", arrange=own_keys),
    Case("second_role", "owner decides in role data-owner in this run", "owner", arrange=one_role),
]


@pytest.mark.attack(rights="approver", stopped="an order is judged by the rules of the release gate")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.rule)
def test_a_rule_says_the_same_of_an_approval_and_of_an_order(succeeded: House, case: Case) -> None:
    house = succeeded
    case.arrange(house)
    assert case.word in order(house, case)
    record(house, case.person, case.role)
    assert pending(house) == []
    assert page(house, case.person) is None
    asked = house.ask(house.ready("run-3", b"third", skip=("release",)), "release")
    with pytest.raises(Refused) as caught:
        decisions.decide(house.ledger, house.governance, asked, case.person, "approve", "seen", case.role)
    assert case.word in str(caught.value)


def test_who_may_order_is_offered_it_and_waits_for_others(succeeded: House) -> None:
    record(succeeded, "risk-officer", "risk")
    assert [signed.order.person for signed in pending(succeeded)] == ["risk-officer"]
    form = page(succeeded, "risk-officer")
    assert form and form.roles == ["risk"]


@pytest.mark.attack(rights="approver", stopped="the key that signed an order is judged when it is recorded")
def test_a_key_outside_hardware_signs_no_order_where_policy_asks_for_hardware(succeeded: House) -> None:
    """The officer has both kinds, and an order is drawn up before it is known which of them signs."""
    token = Token()
    lines = [line_of(succeeded, "risk-officer"), " ".join(token.line.split()[:2])]
    succeeded.adopt(lambda text: text.replace(OFFICER, f"{OFFICER}, keys: {lines}"), "people.yaml")
    succeeded.adopt(lambda text: text.replace("      release:\n", "      release:\n        signature: hardware\n"))
    form = page(succeeded, "risk-officer")
    assert form and form.keys == [keys.fingerprint(lines[1])]
    said = (succeeded.ledger, succeeded.governance, "triage-1", "risk-officer", RollbackRequest("so I say"))
    drawn = rollback.draft_order(*said)
    with pytest.raises(Refused, match=r"policy asks for a key in hardware .* which is none"):
        rollback.submit_order(*said, dsse.sign_statement(drawn, succeeded.key("risk-officer")))
    assert succeeded.served() == b"second"
    rollback.submit_order(*said, dsse.sign_statement(drawn, Signer(lines[1], token.sign)))
    assert succeeded.served() == b"adapter"


def test_a_demo_identity_goes_back_to_a_demo_release(house: House) -> None:
    house.release("run-1", demo=True)
    house.release("run-2", b"second", demo=True)
    assert rollback.rollback(house.ledger, house.governance, "triage-1", "demo-risk", "worse").waiting_for == []
    assert house.served() == b"adapter"


@pytest.mark.attack(rights="approver", stopped="an emergency rollback lifts the roles of the release gate alone")
def test_an_emergency_lifts_roles_and_not_the_rest(succeeded: House) -> None:
    """The data owner decided in another role of the run; the engineer asked for it."""
    given("engineer", "on-call")(succeeded)
    given("owner", "on-call")(succeeded)
    given("demo-owner", "on-call")(succeeded)
    succeeded.adopt(lambda text: text.replace("  low:\n", TWO_ROLES + GLASS))
    for person, why in (("engineer", "nobody decides on their own run"), ("demo-owner", "is a demo identity")):
        with pytest.raises(Refused, match=rf"{person} may not break the glass in risk tier low: .*{why}"):
            break_glass(succeeded, person)
        assert succeeded.served() == b"second"
    break_glass(succeeded, "owner")
    assert succeeded.served() == b"adapter"


@pytest.mark.attack(rights="approver", stopped="an emergency rollback takes the keys that the release gate takes")
def test_an_emergency_lifts_no_strength_of_keys(succeeded: House) -> None:
    own_keys(succeeded)
    succeeded.adopt(lambda text: text.replace("  low:\n", f"  low:\n{GLASS.replace('on-call', 'risk')}"))
    with pytest.raises(Refused, match=r"may not break the glass .* policy asks for a key that people.yaml gives"):
        break_glass(succeeded, "second")
    break_glass(succeeded, "risk-officer")
    assert succeeded.served() == b"adapter"


def line_of(house: House, person: str) -> str:
    """The public key that `hallmark init` made, without comment."""
    return " ".join((house.state / "keys" / f"{person}.pub").read_text().split()[:2])


def order(house: House, case: Case) -> str:
    """Why somebody may not order it."""
    with pytest.raises(Refused) as caught:
        rollback.rollback(house.ledger, house.governance, "triage-1", case.person, "so I say", case.role)
    assert house.served() == b"second"
    return str(caught.value)


def break_glass(house: House, person: str) -> None:
    rollback.rollback(house.ledger, house.governance, "triage-1", person, "on fire", break_glass=True)


def champion(house: House) -> SignedPromotion:
    newest = promotions.read_promotions(house.ledger, house.governance, NAME).newest_statement
    assert newest
    return newest


def target_of(house: House) -> SignedPromotion:
    line = promotions.read_promotions(house.ledger, house.governance, NAME)
    return rollback_orders.target_statement(house.ledger, house.governance, line, "triage-1")


def record(house: House, person: str, role: str) -> None:
    """Append an order that nobody judged, as an earlier version or whoever writes to the database can."""
    order = Order(
        person=person, role=role, release="triage-1", environment="local", reason="so I say", break_glass=False,
        follows=champion(house).sha256, joins=[], time=house.ledger.now(),
    )  # fmt: skip
    envelope = dsse.sign_statement(rollback_orders.order_statement(order, target_of(house)), house.key(person))
    house.ledger.append(ORDER_ENTRY_KIND, NAME, {"envelope": envelope})


def pending(house: House) -> list[rollback_orders.SignedOrder]:
    return rollback_orders.pending_orders(house.ledger, house.governance, target_of(house), champion(house))


def page(house: House, person: str) -> SigningForm | None:
    """Return the form that the page of the release offers somebody to sign."""
    here = RequestState(Site(house.root, "http://127.0.0.1:4220"))
    return release.release(here, here.require_reader(person), "triage-1").asked_of
