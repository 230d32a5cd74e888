"""What ended or was revoked stays so, whoever has the key and however many adoptions lie between."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tasks.core.errors import Refused
from tasks.policy import adoption, ended_keys, in_force, root_of_trust
from tasks.policy.ended_keys import KeyEnds
from tasks.policy.people import People
from tasks.trust import keys
from tests.governed.house import PEOPLE, House
from tests.policy.test_adoption import adopt, envelopes, forged, root, why_not

LINE, OTHER = (keys.make_public_line(Ed25519PrivateKey.generate()) for _ in range(2))
AT = datetime(2026, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)
ENDED = f"{{public_key: '{LINE}', valid_before: 2026-01-01}}"
REVOKED = f"{{public_key: '{LINE}', revoked_as_of: 2026-01-01, reason: r}}"


def people(**given: str) -> str:
    """A people.yaml with these keys, by person; `gate`: of that machine."""
    text = PEOPLE
    for who, those in given.items():
        text = text.replace(f"{{id: {who.replace('_', '-')},", f"{{id: {who.replace('_', '-')}, keys: [{those}],")
    return text + (f"machines: {{gate: {{keys: [{gate}]}}}}\n" if (gate := given.get("gate")) else "")


def bare(who: str, text: str) -> str:
    """The same with that demo identity no longer one."""
    head, tail = text.split(f"{{id: {who},")
    line, rest = tail.split("\n", 1)
    return f"{head}{{id: {who},{line.replace(', demo: true', '')}\n{rest}"


CASES = {
    "ended, given from its end on": [
        people(owner=f"{ENDED}, '{OTHER}'"),
        people(owner=f"{{public_key: '{LINE}', valid_after: 2026-01-01}}, '{OTHER}'"),
    ],
    "ended, to another person": [people(owner=f"{ENDED}, '{OTHER}'"), people(owner=f"'{OTHER}'", lead=f"'{LINE}'")],
    "ended, left out in between": [
        people(owner=f"{ENDED}, '{OTHER}'"), people(owner=f"'{OTHER}'"), people(owner=f"'{LINE}'"),
    ],
    "revoked, to another person": [
        people(owner=f"{REVOKED}, '{OTHER}'"), people(owner=f"'{OTHER}'", lead=f"'{LINE}'"),
    ],
    "revoked, to the gate": [people(owner=f"{REVOKED}, '{OTHER}'"), people(owner=f"'{OTHER}'", gate=f"'{LINE}'")],
    "revoked, no longer a demo identity": [
        people(demo_owner=f"{REVOKED}, '{OTHER}'"), bare("demo-owner", people(demo_owner=f"'{LINE}'")),
    ],
    "revoked, left out in between": [
        people(owner=f"{REVOKED}, '{OTHER}'"), people(owner=f"'{OTHER}'"), people(owner=f"'{LINE}', '{OTHER}'"),
    ],
    "revoked, and the revocation put later": [
        people(owner=f"{REVOKED}, '{OTHER}'"), people(owner=f"{REVOKED.replace('2026', '2027')}, '{OTHER}'"),
    ],
}  # fmt: skip


@pytest.mark.attack(rights="approver", stopped="the end of a key is carried along the adoptions, whoever is given it")
@pytest.mark.parametrize("steps", CASES.values(), ids=CASES)
def test_a_key_does_not_come_back_by_a_detour(house: House, steps: list[str]) -> None:
    root_of_trust.create_root_key(house.state)
    adopt(house, "root")
    for step in steps[:-1]:
        assert adopt(house, "risk-one", people=step).is_adopted
    before = len(house.ledger.entries())
    with pytest.raises(Refused, match=r"(ended on|is revoked as of) 2026-01-01 00:00 UTC, and would count again; give"):
        adopt(house, "risk-one", people=steps[-1])
    assert len(house.ledger.entries()) == before, "nothing was signed"
    envelope = forged(house, "risk-one", people=in_force.load_proposed(house.governance.folder, house.state)[1])
    assert "would count again" in why_not(house)
    chain = envelopes(house)
    assert chain.pop() == envelope and adoption.verify_chain(chain, root(house))
    with pytest.raises(Refused, match=f"adoption {len(chain) + 1} of policy and people does not count.*would count"):
        adoption.verify_chain([*chain, envelope], root(house))


def said(**key: Any) -> People:
    ada = {"id": "ada", "name": "Ada", "roles": ["r"], "keys": [{"public_key": LINE} | key]}
    return People.model_validate({"people": [ada]})


def carried(*adopted: tuple[People, datetime]) -> KeyEnds:
    ends: KeyEnds = {}
    for those, at in adopted:
        ends = ended_keys.carry_over_key_ends(those, ends, at)
    return ends


def test_a_key_that_has_not_ended_may_go_on_and_change_hands() -> None:
    longer = carried((said(valid_before=AT + DAY), AT), (said(valid_before=AT + 3 * DAY), AT + DAY))
    assert longer[keys.fingerprint(LINE)].valid_before == AT + 3 * DAY
    endless = carried((said(valid_before=AT + DAY), AT), (said(), AT), (said(), AT + 9 * DAY))
    assert endless[keys.fingerprint(LINE)].valid_before is None
    moved = said().model_copy(update={"people": [said().people[0].model_copy(update={"id": "bob"})]})
    assert carried((said(), AT), (moved, AT + DAY))


def test_what_ended_may_stay_listed_and_be_ended_earlier() -> None:
    first = (said(valid_before=AT, revoked_as_of=AT, reason="r"), AT + DAY)
    same = carried(first, first)
    earlier = (said(valid_before=AT - DAY, revoked_as_of=AT - DAY, reason="r"), AT + DAY)
    assert same[keys.fingerprint(LINE)] == (AT, AT)
    assert carried(first, earlier, (said(valid_before=AT, revoked_as_of=AT - DAY, reason="r"), AT + DAY)) == {
        keys.fingerprint(LINE): (AT - DAY, AT - DAY)
    }
    with pytest.raises(Refused, match=r"is revoked as of 2026-05-31 00:00 UTC, and would count again"):
        carried(first, earlier, first)
