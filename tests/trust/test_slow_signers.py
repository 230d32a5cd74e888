"""Somebody takes their time to sign: others write meanwhile, and what was signed counts only if it is still asked."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tasks.consent import withdrawals
from tasks.core.errors import HallmarkError, Refused
from tasks.gates.evidence import Evidence
from tasks.gates.signed_decision import ENTRY_KIND
from tasks.incidents import incidents
from tasks.ledger.ledger import Entry, open_ledger
from tasks.policy import adoption_signing, in_force, root_of_trust
from tasks.policy.adoption_entries import PROPOSED, SIGNED
from tasks.policy.adoption_signing import SigningOutcome
from tasks.trust import keys, signing_keys
from tasks.trust.keys import Signer
from tests.asking_agent import AskingAgent, needs_ssh_agent
from tests.consent.test_withdrawals import declare
from tests.governed.house import PEOPLE, House
from tests.incidents.test_incidents import opened, the_one
from tests.patience import patience
from tests.policy.test_adoption import OTHER, TWO, adopt, root, rows


class Slow:
    """A key that signs once it is let."""

    def __init__(self, fast: Signer) -> None:
        self.asked, self.let, self._fast = threading.Event(), threading.Event(), fast
        self.signer = Signer(fast.public_line, self._sign)

    def _sign(self, data: bytes) -> bytes:
        self.asked.set()
        assert self.let.wait(patience(30))
        return self._fast.sign(data)


def meanwhile(slow: Slow, act: Callable[[], Entry | SigningOutcome], what: Callable[[], object]) -> Future:
    """Begin to act; once the key is asked, do something else, and only then let it sign."""
    with ThreadPoolExecutor(1) as pool:
        acting = pool.submit(act)
        try:
            assert slow.asked.wait(patience(30))
            what()
            assert not acting.done()
        finally:
            slow.let.set()
    return acting


def decide_meanwhile(house: House, slow: Slow, asked: Evidence, what: Callable[[], object]) -> Future:
    """Have the owner approve with the slow key, and do something else before it signs."""
    return meanwhile(slow, lambda: house.decide(asked, "owner", signer=slow.signer), what)


def other_writer(house: House) -> Entry:
    """Another process, as good as: a ledger of its own, whose append waits for whoever holds the write lock."""
    return open_ledger(house.state).append("a.b", "another", {})


@pytest.fixture
def slow(house: House) -> Slow:
    return Slow(house.key("owner"))


def test_others_write_while_somebody_signs_a_decision(house: House, slow: Slow) -> None:
    asked, between = house.ask(), []
    deciding = decide_meanwhile(house, slow, asked, lambda: between.append(other_writer(house)))
    assert deciding.result().seq == between[0].seq + 1
    assert house.judge(asked).state == "passed"


def test_a_decision_at_a_gate_that_closed_meanwhile_is_not_recorded(house: House, slow: Slow) -> None:
    asked = house.ask()

    def close() -> None:
        house.decide(asked, "both", "reject", role="data-owner")
        house.settle(asked)

    deciding = decide_meanwhile(house, slow, asked, close)
    with pytest.raises(Refused, match="takes no more decisions"):
        deciding.result()
    assert len(house.ledger.entries(ENTRY_KIND)) == 1


def test_a_decision_on_evidence_that_the_run_put_anew_is_not_recorded(house: House, slow: Slow) -> None:
    asked = house.ask()

    def ask_anew() -> None:
        (house.layout.artefacts("split") / "train.txt").write_text("other rows")
        house.ask()

    deciding = decide_meanwhile(house, slow, asked, ask_anew)
    with pytest.raises(HallmarkError):
        deciding.result()
    assert not house.ledger.entries(ENTRY_KIND)


def test_the_same_decision_from_elsewhere_meanwhile_is_the_one(house: House, slow: Slow) -> None:
    asked, first = house.ask(), []
    deciding = decide_meanwhile(house, slow, asked, lambda: first.append(house.decide(asked, "owner")))
    assert deciding.result() == first[0]
    assert len(house.ledger.entries(ENTRY_KIND)) == 1


def test_a_withdrawal_of_other_decisions_than_were_there_is_not_recorded(house: House) -> None:
    """What is withdrawn is signed by digest, and a decision that came meanwhile is not among them."""
    asked, slow = house.ask("evaluation"), Slow(house.key("both"))
    house.decide(asked, "both", role="risk")
    deciding = meanwhile(
        slow,
        lambda: house.decide(asked, "both", "withdraw", signer=slow.signer),
        lambda: house.decide(asked, "both", "reject", role="risk"),
    )
    with pytest.raises(Refused, match="has changed while it was being signed"):
        deciding.result()
    assert [house.judge(asked).state, len(house.ledger.entries(ENTRY_KIND))] == ["rejected", 2]


@pytest.fixture
def adopted(house: House) -> House:
    """With the sample policy in force."""
    root_of_trust.create_root_key(house.state)
    adopt(house, "root")
    return house


def adopt_slowly(house: House, slow: Slow, policy: str) -> Callable[[], SigningOutcome]:
    (house.governance.folder / "policy.yaml").write_text(policy)
    what = in_force.load_proposed(house.governance.folder, house.state)
    return lambda: adoption_signing.sign_adoption(house.ledger, root(house), *what, slow.signer)


def test_others_write_while_somebody_signs_an_adoption(adopted: House) -> None:
    slow = Slow(adopted.key("risk-one"))
    signing = meanwhile(slow, adopt_slowly(adopted, slow, OTHER), lambda: other_writer(adopted))
    assert signing.result().is_adopted
    assert rows(adopted) == 50


@pytest.mark.parametrize("theirs", [OTHER, TWO], ids=["another adopted", "the same proposed"])
def test_an_adoption_that_follows_what_is_no_longer_in_force_is_not_recorded(adopted: House, theirs: str) -> None:
    """Nor one that somebody else proposed meanwhile: their statement is the one to sign."""
    adopt(adopted, "risk-one", TWO)
    adopt(adopted, "both", TWO)
    final = TWO.replace("at_least: 100}", "at_least: 60}")
    other = final if theirs is TWO else TWO.replace("count: 2}", "count: 1}")
    slow = Slow(adopted.key("risk-one"))

    def act() -> None:
        adopt(adopted, "both", other)
        if other != final:
            adopt(adopted, "risk-one", other)

    before = len(adopted.ledger.entries(PROPOSED)) + len(adopted.ledger.entries(SIGNED))
    signing = meanwhile(slow, adopt_slowly(adopted, slow, final), act)
    with pytest.raises(Refused, match="has changed while it was being signed"):
        signing.result()
    after = len(adopted.ledger.entries(PROPOSED)) + len(adopted.ledger.entries(SIGNED))
    assert after - before == (1 if other == final else 2), "only what was signed meanwhile"


@pytest.fixture
def read(adopted: House) -> House:
    """The house with the governance in force, as a command has read it."""
    adopted.governance = in_force.load_in_force(adopted.governance.folder, adopted.state, adopted.ledger)
    return adopted


def revoke(house: House, person: str) -> None:
    """Adopt people of whom one has another key, and the one of before none that counts."""
    other = keys.make_public_line(Ed25519PrivateKey.generate())
    assert adopt(
        house, "risk-one", people=PEOPLE.replace(f"id: {person},", f"id: {person}, keys: ['{other}'],")
    ).is_adopted


DEEDS = ("decide", "withdraw", "restore", "close")


def owners(deed: str, house: House) -> Callable[[], Entry]:
    """Arrange what a deed takes, and return it as the owner's."""
    declare(house, "owner", "both")
    ledger, governed, asked = house.ledger, house.governance, house.ask()
    opened(house, role="data-owner")
    if deed == "restore":
        withdrawals.withdraw_source(ledger, governed, "tickets", "owner", "consent ended")
    deeds: dict[str, Callable[[], Entry]] = {
        "decide": lambda: house.decide(asked, "owner"),
        "withdraw": lambda: withdrawals.withdraw_source(ledger, governed, "tickets", "owner", "consent ended"),
        "restore": lambda: withdrawals.restore_source(ledger, governed, "tickets", "owner", "a mistake"),
        "close": lambda: incidents.close_incident(ledger, governed, the_one(house).id, "owner", "looked into"),
    }
    return deeds[deed]


@pytest.mark.attack(rights="approver", stopped="what is recorded is checked with what is in force then")
@pytest.mark.parametrize("deed", DEEDS)
def test_who_is_taken_off_while_they_sign_records_nothing(
    read: House, monkeypatch: pytest.MonkeyPatch, deed: str
) -> None:
    act, slow = owners(deed, read), Slow(read.key("owner"))
    monkeypatch.setattr(signing_keys, "for_person", lambda *_: slow.signer)
    last: list[int] = []
    acting = meanwhile(slow, act, lambda: (revoke(read, "owner"), last.append(read.ledger.last_seq())))
    with pytest.raises(Refused, match="has changed while it was being signed"):
        acting.result()
    assert read.ledger.last_seq() == last[0]


@pytest.mark.attack(rights="approver", stopped="who owns a source is looked up again when it is recorded")
def test_a_source_that_has_another_owner_meanwhile_is_not_given_by_the_one_before(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(house, "owner", "both")
    withdrawals.withdraw_source(house.ledger, house.governance, "tickets", "owner", "consent ended")
    declare(house, "both", "both")
    slow = Slow(house.key("both"))
    monkeypatch.setattr(signing_keys, "for_person", lambda *_: slow.signer)
    acting = meanwhile(
        slow,
        lambda: withdrawals.restore_source(house.ledger, house.governance, "tickets", "both", "a mistake"),
        lambda: declare(house, "lead", "lead"),
    )
    with pytest.raises(Refused, match="both does not own source tickets"):
        acting.result()
    assert withdrawals.withdrawals_in_force(house.ledger, house.governance)


@needs_ssh_agent
@pytest.mark.parametrize("deed", DEEDS)
@pytest.mark.parametrize("answer", ["yes", "no"])
def test_others_write_while_an_agent_asks_its_owner(house: House, agent: AskingAgent, deed: str, answer: str) -> None:
    act = owners(deed, house)
    agent.take(house.state / "keys" / "owner")
    with ThreadPoolExecutor(1) as pool:
        acting = pool.submit(act)
        agent.asked()
        between = other_writer(house)
        assert not acting.done()
        agent.answer(answer)
    if answer == "yes":
        assert acting.result().seq == between.seq + 1
    else:
        with pytest.raises(Refused, match="its owner said no"):
            acting.result()
        assert house.ledger.last_seq() == between.seq
