"""A later version of Hallmark reads what this one signed: its schemas have a field more, and every digest stays."""

from pathlib import Path

import pytest

from tasks.core.documents.document import Document, document_error_message
from tasks.core.errors import Refused
from tasks.core.json_text import canonical_json
from tasks.gates import cases
from tasks.policy import in_force
from tasks.registry.release import promotions
from tasks.registry.verify import verification
from tasks.sources.dataset import Dataset
from tasks.trust import dsse
from tests.golden.later import below, one_field_more
from tests.registry.house import House


def test_what_this_version_signed_counts_for_one_whose_schemas_have_a_field_more(house: House) -> None:
    first, root = house.release("run-1"), house.root_of_trust
    policy_sha256, asked = house.governance.policy.sha256, cases.read_cases(house.ledger)
    folder, state = house.governance.folder, house.state
    with one_field_more(below(Document)):
        assert "added_later" in type(house.governance.policy).model_fields
        house.governance = in_force.load_in_force(folder, state, house.ledger)
        assert house.governance.policy.sha256 == policy_sha256
        assert [case.evidence.sha256 for case in cases.read_cases(house.ledger)] == [case.sha256 for case in asked]
        checked = verification.verify_from_root(Path(first.bundle), root)
        assert checked.ok, checked.against
        assert not promotions.read_promotions(house.ledger, house.governance, "triage").problems

        house.adopt(lambda people: people.replace("name: Engineer", "name: Somebody"), "people.yaml")
        assert house.governance.policy.sha256 == policy_sha256, "policy that says the same is signed as it was"
        second = house.release("run-2", b"other")
        for each in (first, second):
            checked = verification.verify_from_root(Path(each.bundle), root)
            assert checked.ok, checked.against


def test_what_was_read_is_spelled_as_it_was_and_what_is_changed_anew() -> None:
    class Inner(Document):
        number: int
        added: str | None = None

    class Outer(Document):
        inner: Inner
        several: list[Inner] = []

    value = {"inner": {"number": 1}, "several": [{"number": 2}]}
    found = Outer.from_value(value)
    assert (found.serialised, found.inner.serialised) == (canonical_json(value), b'{"number":1}')
    assert Outer.from_bytes(b'{"inner": {"number": 1}}').serialised == b'{"inner": {"number": 1}}'
    assert found.inner == Inner(number=1) and found.inner.sha256 != Inner(number=1).sha256
    assert Outer(inner=found.inner).serialised == b'{"inner":{"number":1},"several":[]}'
    assert found.inner.model_copy(update={"number": 3}).serialised == b'{"added":null,"number":3}'


@pytest.mark.parametrize(
    ("came", "words"),
    [
        ({}, "it names no type, expected urn:hallmark:dataset:v1: it was made before formats had versions"),
        ({"type": "urn:hallmark:dataset:v12"}, "v1; a newer Hallmark made it: install that version, or a later one"),
        ({"type": "urn:hallmark:manifest:v2"}, "it is a urn:hallmark:manifest:v2, expected urn:hallmark:dataset:v1"),
    ],
)
def test_a_document_of_another_type_is_refused_in_words(came: dict[str, str], words: str) -> None:
    with pytest.raises(ValueError) as caught:
        Dataset.from_value(came)
    assert words in document_error_message(caught.value)


def test_a_statement_of_a_later_version_is_told_from_another() -> None:
    later = dsse.make_statement("urn:hallmark:promotion:v2", {"triage-1": "0" * 64}, {})
    with pytest.raises(Refused, match="is a urn:hallmark:promotion:v2, not a promotion; a newer Hallmark made it"):
        dsse.read_predicate(later, promotions.PREDICATE_TYPE, promotions.Promotion, "a promotion")
