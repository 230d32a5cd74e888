"""The record of a stage: about its own outputs, each once, and taken from the record of the same work alone."""

from collections.abc import Iterable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tasks.core.errors import Refused
from tasks.core.files import canonical_json
from tasks.trust import dsse, keys, stage_record
from tasks.trust.stage_record import StageEnvironment, StageRecord

WORKER = keys.make_signer(Ed25519PrivateKey.generate())
OTHER = keys.make_signer(Ed25519PrivateKey.generate())
LEFT = {"artefacts/predict/base/rows": "1" * 64, "measured/predict/base/facts.json": "2" * 64}
RECORD = StageRecord(
    name="predict@base",
    command=["python"],
    materials=stage_record.make_materials({"tasks": "3" * 64, "artefacts/split": "4" * 64}),
    environment=StageEnvironment(
        run="first", sandbox="bubblewrap 0.11.0", network=False, platform="x", packages="5" * 64
    ),
    tree_sha256="6" * 64,
)

pytestmark = pytest.mark.attack(rights="worker", stopped="a record is about one stage, and names all of it once")


def verified(envelope: dict[str, Any]) -> stage_record.SignedRecord:
    return stage_record.verify_record(envelope, [WORKER.public_line])


def test_what_was_computed_is_taken_with_the_record_of_that() -> None:
    first = verified(stage_record.sign_record(RECORD, LEFT, WORKER))
    second = verified(stage_record.sign_cached_record(first, "7" * 64, WORKER))
    third = verified(stage_record.sign_cached_record(second, "8" * 64, WORKER))
    assert second.record.taken_from == third.record.taken_from == first.sha256, (
        "of the computation, however often taken"
    )
    assert (third.outputs, third.record.inputs, third.record.tree_sha256) == (
        first.outputs,
        first.record.inputs,
        "8" * 64,
    )
    with pytest.raises(Refused, match="is of no computation"):
        stage_record.verify_executed_record(second.envelope, [WORKER.public_line])


@pytest.mark.parametrize(
    ("change", "left"),
    [
        ({"materials": stage_record.make_materials({"tasks": "9" * 64})}, LEFT),
        ({"environment": RECORD.environment.model_copy(update={"sandbox": None})}, LEFT),
        ({}, {**LEFT, "artefacts/predict/base/rows": "9" * 64}),
        ({"taken_from": "9" * 64}, LEFT),
        ({"byproducts": {}}, LEFT),
    ],
    ids=["other materials", "another sandbox", "other outputs", "another record", "no record"],
)
def test_what_is_taken_is_what_was_computed(change: dict[str, Any], left: dict[str, str]) -> None:
    taken = verified(
        stage_record.sign_cached_record(verified(stage_record.sign_record(RECORD, LEFT, WORKER)), "7" * 64, WORKER)
    ).record
    with pytest.raises(Refused):
        verified(stage_record.sign_record(taken.model_copy(update=change), left, WORKER))


def test_the_computation_is_signed_by_a_key_that_counts_too() -> None:
    foreign = stage_record.verify_record(stage_record.sign_record(RECORD, LEFT, OTHER), [OTHER.public_line])
    with pytest.raises(Refused, match="is signed by"):
        verified(stage_record.sign_cached_record(foreign, "7" * 64, WORKER))


@pytest.mark.parametrize(
    "path", ["artefacts/predict/candidate/rows", "artefacts/predict/base2/rows", "gates/data.json"]
)
def test_it_is_about_outputs_of_its_own_stage(path: str) -> None:
    with pytest.raises(Refused, match="which is no output of it"):
        verified(stage_record.sign_record(RECORD, {**LEFT, path: "1" * 64}, WORKER))


def test_it_names_nothing_twice() -> None:
    twice = RECORD.model_copy(update={"materials": [*RECORD.materials, RECORD.materials[0]]})
    with pytest.raises(Refused, match="names something twice"):
        verified(stage_record.sign_record(twice, LEFT, WORKER))
    statement = dsse.make_statement(stage_record.LINK_PREDICATE_TYPE, LEFT, RECORD.json_value)
    statement["subject"].append(statement["subject"][-1])
    with pytest.raises(Refused):
        verified(dsse.sign_statement(statement, WORKER))


def test_a_folder_is_known_by_the_files_in_it() -> None:
    assert stage_record.digest_of_path("artefacts/predict/base/rows", LEFT) == "1" * 64
    assert stage_record.digest_of_path("artefacts/predict/base", LEFT) not in (None, "1" * 64)
    assert stage_record.digest_of_path("artefacts/predict/bas", LEFT) is None


@pytest.mark.parametrize(
    "names",
    [map(str, range(5_001)), (f"{n}/{'x' * 4_000}" for n in range(140))],
    ids=["5,001 short ones", "140 of 4,000 characters"],
)
def test_a_record_of_many_names_is_not_signed(names: Iterable[str]) -> None:
    left = {f"artefacts/predict/base/{name}": "1" * 64 for name in names}
    with pytest.raises(
        Refused, match=rf"left {len(left):,} files, with names of [\d,]+ bytes, .* at most; write fewer"
    ):
        stage_record.sign_record(RECORD, left, WORKER)


def test_a_long_record_of_an_earlier_version_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    left = {f"artefacts/predict/base/{n}": "1" * 64 for n in range(5_001)}
    with monkeypatch.context() as earlier:
        earlier.setattr(stage_record, "MAX_FILES", len(left))
        envelope = stage_record.sign_record(RECORD, left, WORKER)
    assert verified(envelope).outputs == left


def test_the_longest_record_is_short_in_the_ledger() -> None:
    """Also where it is taken, with the record of what was computed in it."""
    length = stage_record.MAX_NAMES_BYTES // stage_record.MAX_FILES
    left = {f"artefacts/predict/base/{n:05}".ljust(length, "x"): "1" * 64 for n in range(stage_record.MAX_FILES)}
    taken = stage_record.sign_cached_record(verified(stage_record.sign_record(RECORD, left, WORKER)), "7" * 64, WORKER)
    assert len(canonical_json(taken)) < 4 * 2**20
