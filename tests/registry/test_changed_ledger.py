"""On a ledger that somebody changed nothing is promoted, nothing goes back, and no server is given anything new."""

import pytest

from tasks.core.errors import Refused
from tasks.gates import signed_decision
from tasks.ledger.heads import publication
from tasks.registry.admit import admission
from tasks.registry.promote import promotion
from tasks.registry.release import promotions
from tests.governed.house import raw
from tests.registry.house import COMMIT, NAME, House

pytestmark = pytest.mark.attack(rights="database", stopped="who acts looks at the ledger first, under the signed head")


def hide(house: House, kind: str) -> None:
    """Take the newest entry of a kind for another, in a ledger whose head is signed."""
    publication.publish(house.ledger, house.governance)
    newest = house.ledger.entries(kind)[-1].seq
    raw(house, f"UPDATE hallmark_ledger SET kind = 'gate.reminded' WHERE seq = {newest}")


def test_nothing_is_promoted(ready: House) -> None:
    hide(ready, signed_decision.ENTRY_KIND)
    with pytest.raises(Refused, match="the ledger was changed by hand, and nothing is done on it"):
        promotion.promote(ready.run("run-1"), "run-1", COMMIT, ready.ledger, ready.governance)
    assert not ready.ledger.entries(promotions.PROMOTION_KIND)


@pytest.mark.parametrize("break_glass", [False, True], ids=["by order", "by breaking the glass"])
def test_nothing_goes_back(succeeded: House, break_glass: bool) -> None:
    hide(succeeded, signed_decision.ENTRY_KIND)
    before = succeeded.ledger.last_seq()
    with pytest.raises(Refused, match="the ledger was changed by hand, and nothing is done on it"):
        promotion.rollback(
            succeeded.ledger, succeeded.governance, "triage-1", "risk-officer", "wrong", break_glass=break_glass
        )
    assert succeeded.ledger.last_seq() == before


def test_a_new_server_is_given_nothing(succeeded: House) -> None:
    hide(succeeded, promotions.PROMOTION_KIND)
    with pytest.raises(Refused, match="the ledger was changed by hand, and nothing is done on it"):
        admission.admit(succeeded.ledger, succeeded.governance, NAME)


def test_a_server_goes_on_with_what_it_had(released: House) -> None:
    assert released.served() == b"adapter"
    released.release("run-2", b"second")
    hide(released, signed_decision.ENTRY_KIND)
    admitted = admission.admit(released.ledger, released.governance, NAME)
    assert (admitted.label, admitted.ledger_unavailable) == ("triage-1", True)
