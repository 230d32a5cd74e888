"""The data gate of a policy that asks every owner of a source."""

from collections.abc import Callable

import pytest

from tasks.core.errors import InputError, Refused
from tasks.gates import cases
from tasks.gates import evidence as evidence_module
from tasks.gates.decisions import approve_as_demo_identities
from tasks.gates.evidence import Evidence
from tasks.policy import policy
from tasks.trust import keys
from tests.governed.datasets import dataset, origin, put
from tests.governed.house import PEOPLE, POLICY, House, reload

OWNERS = POLICY.replace("{role: data-owner}", "{role: data-owner, owners: true}")


@pytest.fixture
def asking(house: House) -> House:
    """Sources of two owners, and a third holder of the role who owns none."""
    third = "  - {id: third, name: Third, roles: [data-owner]}\n"
    reload(house, OWNERS, PEOPLE + third)
    keys.create_key_pair(house.state / "keys", "third")
    own(house, "owner", "both")
    return house


def own(house: House, *owners: str) -> None:
    named = enumerate([*owners, owners[0]])
    put(house.layout, dataset({f"s{number}": origin(50, owner=name) for number, name in named}))


def test_every_owner_must_approve_and_nobody_else_can(asking: House) -> None:
    asked = asking.ask()
    assert asked.asks.owners == ["both", "owner"]
    with pytest.raises(Refused, match=r"third owns no source of this run; .* both, owner"):
        asking.decide(asked, "third")
    asking.decide(asked, "owner")
    assert asking.judge(asked).waiting_for == ["1 approval in role data-owner, of both"]
    asking.decide(asked, "both")
    assert asking.settle(asked).state == "passed"


def test_one_owner_can_reject(asking: House) -> None:
    asked = asking.ask()
    asking.decide(asked, "owner")
    asking.decide(asked, "both", "reject", role="data-owner")
    assert asking.settle(asked).state == "rejected"


def test_a_demo_identity_stands_in_on_a_demo_run(asking: House) -> None:
    asked = asking.ask(demo=True)
    assert asked.asks.owners == []
    approve_as_demo_identities(asking.ledger, asking.governance, asked)
    assert asking.settle(asked).state == "passed"


@pytest.mark.attack(rights="database", stopped="what is asked is worked out again from policy and dataset")
@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda asked: asks(asked, owners=[]), "states other roles, owners"),
        (lambda asked: asks(asked, owners=["third"]), "states other roles, owners"),
        (lambda asked: asked.model_copy(update={"dataset": None}), "says what the dataset is"),
    ],
    ids=["no owner", "another than the dataset names", "no dataset"],
)
def test_evidence_of_other_owners_than_are_asked_is_refused(
    asking: House, change: Callable[[Evidence], Evidence], told: str
) -> None:
    asked = asking.ask()
    assert asking.judge(asked).state == "waiting"
    forged = change(asked)
    asking.ledger.append(cases.ASKED, forged.run, cases.opening_body(forged), evidence_module.evidence_bytes(forged))
    with pytest.raises(Refused, match=told):
        asking.judge(forged)


def asks(evidence: Evidence, **changes: object) -> Evidence:
    return evidence.model_copy(update={"asks": evidence.asks.model_copy(update=changes)})


def test_sources_that_cannot_be_read_are_told(asking: House) -> None:
    asking.layout.sources_path.write_text("{}")
    with pytest.raises(InputError, match="hallmark resolve"):
        asking.ask()


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        ("{role: data-owner}", "{role: data-owner, owners: true, count: 2}", "leave `count` out"),
        ("{role: release-manager}", "{role: release-manager, owners: true}", "decide at the data gate, not at release"),
    ],
)
def test_a_policy_that_asks_owners_in_vain_is_refused(house: House, old: str, new: str, wanted: str) -> None:
    (house.governance.folder / "policy.yaml").write_text(POLICY.replace(old, new))
    with pytest.raises(InputError, match=wanted):
        policy.load_policy(house.governance.folder)
