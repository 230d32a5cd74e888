"""Entries hold the fields that the reference names."""

import pytest

from tasks.core.errors import Refused
from tasks.registry.admit import admission
from tasks.reproduce.reproduction import Reproduction
from tests.contract.test_ledger_kinds import documented
from tests.registry.house import NAME, House

OPTIONAL = {"promotion.made": {"order", "joined"}, "incident.opened": {"order"}, "run.requested": {"account"}}


def test_the_fields_of_each_kind_are_those_of_the_document(succeeded: House) -> None:
    succeeded.roll_back()
    admission.admit(succeeded.ledger, succeeded.governance, NAME, "here")
    with pytest.raises(Refused):
        admission.admit(succeeded.ledger, succeeded.governance, "another", "here")
    told, seen = documented(), set()
    for entry in succeeded.ledger.entries():
        wanted = told[entry.kind]
        assert entry.body.keys() <= wanted, entry.kind
        if entry.kind != "promotion.made" or "intent" in entry.body:
            assert wanted - entry.body.keys() <= OPTIONAL.get(entry.kind, set()), entry.kind
        seen.add(entry.kind)
    assert len(seen) >= 10
    assert told["release.reproduced"] == set(Reproduction.model_fields) - {"kept"}
