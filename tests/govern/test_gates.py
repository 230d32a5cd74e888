"""A gate from question to statement, as people and the flow use it."""

from datetime import timedelta

import pytest

from tasks.errors import InputError, Refused
from tasks.files import read_json, sha256_file
from tasks.govern import decisions, evidence, gates, statement
from tasks.govern.decisions import decide
from tests.govern.conftest import POLICY, House, put_result, reload


def test_a_gate_waits_passes_closes_and_lets_the_next_stage_run(house: House) -> None:
    asked = house.ask()
    standing = house.judge(asked)
    assert standing.state == "waiting"
    assert standing.waiting_for == ["1 approval in role data-owner, of owner, both"]
    assert gates.waiting(house.ledger) == [asked]

    decide(house.ledger, house.governance, asked, "owner", "approve", "looks right")
    settled = gates.settle(house.ledger, house.governance, asked)
    assert settled.state == "passed"
    assert gates.waiting(house.ledger) == []

    path = statement.write_gate(house.layout, asked, settled, house.governance)
    authority(house)
    statement.require_gate(house.layout, "data")
    first = path.read_bytes()
    statement.write_gate(house.layout, asked, settled, house.governance)
    assert path.read_bytes() == first
    for private in (b"run-1", b"owner", b"time"):
        assert private not in first


def authority(house: House, tier: str = "low") -> None:
    from tasks.files import write_json

    value = statement.Authority(
        gate_public_key=house.governance.gate_public_key(),
        policy_sha256=house.governance.policy.digest(),
        environment="local",
        tier=tier,
    )
    write_json(house.layout.authority, value.model_dump())
