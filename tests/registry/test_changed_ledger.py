"""A ledger that somebody changed promotes, rolls back and newly admits nothing."""

import shutil
from pathlib import Path

import pytest

from infra import ledger_signs
from tasks.core.errors import Refused, Unavailable
from tasks.gates import signed_decision
from tasks.ledger import quick_check
from tasks.ledger.heads import publication
from tasks.ledger.tree.subtrees import BLOCK_SIZE
from tasks.registry.admit import admission
from tasks.registry.promote import promotion, recovery
from tasks.registry.release import promotions
from tests.governed.house import raw
from tests.ledger.publishing import append, edit
from tests.registry.house import COMMIT, NAME, House, adopt

pytestmark = pytest.mark.attack(rights="database", stopped="who acts looks at the ledger first, under the signed head")


def hide(house: House, kind: str) -> None:
    """Take the newest entry of a kind for another, in a ledger whose head is signed."""
    publication.publish(house.ledger, house.governance)
    newest = house.ledger.entries(kind)[-1].seq
    raw(house, f"UPDATE hallmark_ledger SET kind = 'gate.reminded' WHERE seq = {newest}")


def loop_heads(house: House) -> None:
    """Put a file that cannot be opened among the heads: a link to itself."""
    loop = house.state / "heads" / "000000999999.json"
    loop.symlink_to(loop)


def test_nothing_is_promoted(ready: House) -> None:
    hide(ready, signed_decision.ENTRY_KIND)
    with pytest.raises(Refused, match="So nothing is done on it"):
        promotion.promote(ready.run("run-1"), "run-1", COMMIT, ready.ledger, ready.governance)
    assert not ready.ledger.entries(promotions.PROMOTION_KIND)


@pytest.mark.parametrize("break_glass", [False, True], ids=["by order", "by breaking the glass"])
def test_nothing_goes_back(succeeded: House, break_glass: bool) -> None:
    hide(succeeded, signed_decision.ENTRY_KIND)
    before = succeeded.ledger.last_seq()
    with pytest.raises(Refused, match="So nothing is done on it"):
        promotion.rollback(
            succeeded.ledger, succeeded.governance, "triage-1", "risk-officer", "wrong", break_glass=break_glass
        )
    assert succeeded.ledger.last_seq() == before


def test_a_new_server_is_given_nothing(succeeded: House) -> None:
    hide(succeeded, promotions.PROMOTION_KIND)
    with pytest.raises(Refused, match="So nothing is done on it"):
        admission.admit(succeeded.ledger, succeeded.governance, NAME)


def test_a_server_goes_on_with_what_it_had(released: House) -> None:
    assert released.served() == b"adapter"
    released.release("run-2", b"second")
    hide(released, signed_decision.ENTRY_KIND)
    admitted = admission.admit(released.ledger, released.governance, NAME)
    assert (admitted.label, admitted.ledger_unavailable) == ("triage-1", True)


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM hallmark_ledger WHERE seq = (SELECT max(seq) FROM hallmark_ledger)",
        "UPDATE hallmark_ledger SET body = '{}' WHERE kind = 'promotion.made'",
        "UPDATE hallmark_ledger SET body = 'x' WHERE kind = 'promotion.made'",
    ],
    ids=["its end cut off", "statements taken out", "statements made unreadable"],
)
def test_whatever_was_changed_a_server_goes_on(released: House, change: str) -> None:
    assert released.served() == b"adapter"
    publication.publish(released.ledger, released.governance)
    edit(released, change, mended=False)
    admitted = admission.admit(released.ledger, released.governance, NAME)
    assert (admitted.label, admitted.ledger_unavailable) == ("triage-1", True)


def test_with_the_adoptions_hidden_a_server_goes_on(released: House) -> None:
    adopt(released.governance.folder, released.state, released.ledger, "root")
    root = released.checkout()
    assert admission.admit_in_checkout(root, NAME).label == "triage-1"
    hide(released, "governance.adopted")
    admitted = admission.admit_in_checkout(root, NAME)
    assert (admitted.label, admitted.ledger_unavailable) == ("triage-1", True)


def test_a_machine_that_has_signed_no_head_looks_where_heads_are_kept(
    succeeded: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(publication.PLACES_VARIABLE, str(tmp_path / "heads"))
    hide(succeeded, promotions.PROMOTION_KIND)
    shutil.rmtree(succeeded.state / "heads")
    with pytest.raises(Refused, match="So nothing is done on it"):
        admission.admit(succeeded.ledger, succeeded.governance, NAME)


@pytest.mark.attack(rights="disk", stopped="without the signed heads, only what was admitted here before goes on")
@pytest.mark.parametrize("in_checkout", [False, True], ids=["by its ledger", "in a checkout"])
def test_with_heads_that_nobody_can_read_a_server_goes_on_with_what_it_had(released: House, in_checkout: bool) -> None:
    adopt(released.governance.folder, released.state, released.ledger, "root")
    root = released.checkout()

    def admit() -> tuple[str, bool]:
        admitted = (
            admission.admit_in_checkout(root, NAME)
            if in_checkout
            else admission.admit(released.ledger, released.governance, NAME)
        )
        return admitted.label, admitted.ledger_unavailable

    assert admit() == ("triage-1", False)
    released.release("run-2", b"second")
    hide(released, signed_decision.ENTRY_KIND)
    loop_heads(released)
    assert admit() == ("triage-1", True)


@pytest.mark.attack(rights="disk", stopped="without the signed heads, only what was admitted here before goes on")
def test_with_heads_that_nobody_can_read_a_new_server_is_given_nothing(succeeded: House) -> None:
    loop_heads(succeeded)
    with pytest.raises(Unavailable, match="heads cannot be used"):
        admission.admit(succeeded.ledger, succeeded.governance, NAME)


def test_heads_that_nobody_can_read_are_told_before_a_command(released: House) -> None:
    root = released.checkout()
    adopt(released.governance.folder, released.state, released.ledger, "root")
    assert ledger_signs.tampering_signs(root) == []
    loop_heads(released)
    (sign,) = ledger_signs.tampering_signs(root)
    assert sign.startswith("it cannot be checked: ") and "heads cannot be used" in sign


def test_in_a_long_ledger_every_entry_is_looked_at_before_something_is_done(
    succeeded: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quick_check, "BLOCKS_TO_VERIFY", 1)
    append(succeeded, 3 * BLOCK_SIZE)
    publication.publish(succeeded.ledger, succeeded.governance)
    edit(succeeded, "UPDATE hallmark_ledger SET subject = 'another' WHERE seq = 2", mended=False)
    for _ in range(3):
        with pytest.raises(Refused, match="So nothing is done on it"):
            succeeded.roll_back()


def test_a_promotion_that_was_interrupted_is_not_completed(ready: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(recovery, "record_promotion", killed)
        ready.promote(ready.run("run-1"))
    hide(ready, signed_decision.ENTRY_KIND)
    (told,) = promotion.recover(ready.ledger, ready.governance)
    assert "So nothing is done on it" in told and not ready.ledger.entries(promotions.PROMOTION_KIND)
