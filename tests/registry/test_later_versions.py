"""A later version of Hallmark reads what this one signed: its schemas have a field more, and every digest stays."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from tasks.core.config import Frozen
from tasks.core.document import Document
from tasks.core.files import canonical_json
from tasks.gates import docket
from tasks.policy import adopting, in_force
from tasks.registry.release import succession
from tasks.registry.verify import verification
from tests.registry.house import House


def _below(kind: type[BaseModel]) -> list[type[BaseModel]]:
    return [one for each in kind.__subclasses__() for one in (each, *_below(each))]


def _rebuild() -> None:
    for _ in range(4):  # what is inside first: documents stand three deep
        for kind in _below(Frozen):
            kind.model_rebuild(force=True)
    adopting._verified.cache_clear()  # another version is another process


@contextmanager
def one_field_more() -> Iterator[None]:
    """Every document's schema as a later version might have it."""
    documents = [Document, *_below(Document)]
    for kind in documents[1:]:
        kind.__pydantic_fields__["added"] = FieldInfo.from_annotation(str | None)  # type: ignore[arg-type]
        kind.__pydantic_fields__["added"].default = None
    _rebuild()
    try:
        yield
    finally:
        for kind in documents[1:]:
            kind.__pydantic_fields__.pop("added", None)
        _rebuild()


def test_what_this_version_signed_counts_for_one_whose_schemas_have_a_field_more(house: House) -> None:
    first, root = house.release("run-1"), house.root_of_trust
    policy_sha256, asked = house.governance.policy.sha256, docket.cases(house.ledger)
    folder, state = house.governance.folder, house.state
    with one_field_more():
        assert "added" in type(house.governance.policy).model_fields
        house.governance = in_force.load(folder, state, house.ledger)
        assert house.governance.policy.sha256 == policy_sha256
        assert [case.evidence.sha256 for case in docket.cases(house.ledger)] == [case.sha256 for case in asked]
        checked = verification.verify_from_root(Path(first.bundle), root)
        assert checked.ok, checked.against
        assert not succession.read(house.ledger, house.governance, "triage").problems

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
    found = Outer.read(value)
    assert (found.spelled, found.inner.spelled) == (canonical_json(value), b'{"number":1}')
    assert Outer.read_bytes(b'{"inner": {"number": 1}}').spelled == b'{"inner": {"number": 1}}'
    assert found.inner == Inner(number=1) and found.inner.sha256 != Inner(number=1).sha256
    assert Outer(inner=found.inner).spelled == b'{"inner":{"number":1},"several":[]}'
    assert found.inner.model_copy(update={"number": 3}).spelled == b'{"added":null,"number":3}'
