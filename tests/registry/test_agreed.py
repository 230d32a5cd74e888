"""Where policy asks for two machines, a run is released once both have made the same of every stage."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tasks.core.errors import InputError, Refused
from tasks.core.graph import DVC_STAGES
from tasks.core.layout import Layout
from tasks.gates import agreement, record_chain
from tasks.policy import in_force
from tasks.registry.release import bundle
from tasks.registry.verify import verification
from tasks.trust import dsse, keys, stage_record
from tests.recorded import sign
from tests.registry.conftest import After
from tests.registry.forging import resign
from tests.registry.house import House, copy

Change = Callable[[dict[str, Any]], object]


SECOND = "second/worker"
"""The key of another machine, in the house."""


def ask_for_two(house: House) -> None:
    """Let tier `low` ask for two machines, with a run that one has made behind all its gates."""
    place = (house.root / SECOND).parent
    keys.create_key_pair(place, "worker")
    lines = [(folder / "worker.pub").read_text().strip() for folder in (house.state / "keys", place)]
    house.adopt(lambda people: f"{people}machines:\n  worker: {{keys: [{', '.join(lines)}]}}\n", "people.yaml")
    house.adopt(lambda policy: policy.replace("  low:\n", "  low:\n    machines: 2\n"))
    house.ready("run-1")


def release(house: House) -> None:
    layout = house.run("run-1")
    put(house, layout, again(layout, house.root / SECOND))
    house.promote(layout)


@pytest.fixture
def by_one(after: After) -> House:
    """A house whose run-1 is behind all its gates, and was made by one machine where policy asks for two."""
    return after(ask_for_two)


@pytest.fixture
def by_two(after: After) -> House:
    """A house whose run-1 was made by two machines and released."""
    return after(ask_for_two, release)


def again(layout: Layout, key: Path, **said: Any) -> dict[str, Any]:
    """What a machine signs that built the run again, in a worktree of its own."""
    return {name: sign(layout, name, key, **said) for name in DVC_STAGES}


def put(house: House, layout: Layout, records: object) -> None:
    house.ledger.append(agreement.REPRODUCED_ENTRY_KIND, layout.root.name, {"records": records})


def test_a_run_that_one_machine_made_is_not_released(by_one: House) -> None:
    told = "policy asks for 2 machines .* and fewer did of stage base_model, clean, .*hallmark reproduce run-1; then"
    with pytest.raises(Refused, match=told):
        by_one.promote(by_one.run("run-1"))
    release(by_one)
    checked = verification.verify_release(by_one.bundle(), by_one.governance)
    assert checked.ok, checked.against
    assert "2 machines made the same of every stage, each with a worker's key of its own" in str(checked)


def other_output(house: House, layout: Layout, key: Path) -> dict[str, Any]:
    """All the same but for what `train` left there."""
    records = again(layout, key)
    record = stage_record.parse_unverified_record(records["train"])
    left = record.outputs | {"artefacts/train/adapter/adapter_model.safetensors": "1" * 64}
    return records | {
        "train": stage_record.sign_record(record.record, left, keys.make_signer(keys.load_private_key(key)))
    }


def other_materials(house: House, layout: Layout, key: Path) -> dict[str, Any]:
    return again(layout, key, materials=stage_record.make_materials({"tasks": "1" * 64}))


def taken(house: House, layout: Layout, key: Path) -> dict[str, Any]:
    """Signed by the other machine without computing anything: taken from the first one's."""
    signer = keys.make_signer(keys.load_private_key(key))
    known = record_chain.records_of_run(house.ledger, house.governance, layout.root.name)
    return {
        name: stage_record.sign_cached_record(record, record.record.tree_sha256, signer)
        for name, record in known.items()
    }


REFUSED: dict[str, Callable[[House, Layout, Path], object]] = {
    "the same machine": lambda h, run, _: again(run, h.state / "keys" / "worker"),
    "a key of nobody": lambda h, run, _: again(run, h.state / "keys" / "gate"),
    "other outputs": other_output,
    "other materials": other_materials,
    "taken, not computed": taken,
    "one stage is missing": lambda h, run, key: {n: e for n, e in again(run, key).items() if n != "evaluate"},
    "no records": lambda h, run, key: "none",
    "no envelopes": lambda h, run, key: {"train": {"payload": "x"}},
}


@pytest.mark.attack(rights="database", stopped="another machine counts by its own key, for the same work and outputs")
@pytest.mark.parametrize("what", REFUSED)
def test_what_is_no_second_machine_does_not_count(by_one: House, what: str) -> None:
    layout = by_one.run("run-1")
    put(by_one, layout, REFUSED[what](by_one, layout, by_one.root / SECOND))
    with pytest.raises(Refused, match="policy asks for 2 machines"):
        by_one.promote(layout)


@pytest.mark.attack(rights="database", stopped="a machine that took what another computed has made nothing")
def test_who_took_it_from_the_other_machine_is_no_second_one(by_one: House) -> None:
    """All computed by the other machine, taken by this one, and built again by the other."""
    layout, second = by_one.run("run-1"), by_one.root / SECOND
    computed = {
        name: stage_record.parse_unverified_record(envelope) for name, envelope in again(layout, second).items()
    }
    own = by_one.key("worker")
    of_run = {
        name: stage_record.parse_unverified_record(
            stage_record.sign_cached_record(record, record.record.tree_sha256, own)
        )
        for name, record in computed.items()
    }
    assert {record.keyid for record in of_run.values()} == {keys.fingerprint(own.public_line)}
    put(by_one, layout, again(layout, second))
    found = agreement.agreeing_records(by_one.ledger, by_one.governance, "run-1", of_run)
    assert agreement.disagreeing_stages(2, of_run, found) == sorted(DVC_STAGES)
    assert agreement.disagreeing_stages(1, of_run, found) == []
    as_a_release_has_it = {name: [record] for name, record in computed.items()}
    assert agreement.disagreeing_stages(2, of_run, as_a_release_has_it) == sorted(DVC_STAGES)


@pytest.mark.attack(rights="gate key", stopped="a release holds the other machine's records, which anybody checks")
@pytest.mark.parametrize("what", ["one is gone", "all are gone", "another output", "its own again"])
def test_offline_too_two_machines_made_it(by_two: House, tmp_path: Path, what: str) -> None:
    folder, layout = copy(by_two.bundle(), tmp_path / "copied"), by_two.run("run-1")
    (record,) = (folder / bundle.REPRODUCTION_RECORDS / "train").iterdir()
    if what == "one is gone":
        shutil.rmtree(record.parent)
    elif what == "all are gone":
        shutil.rmtree(folder / bundle.REPRODUCTION_RECORDS)
    elif what == "another output":
        dsse.write_envelope(record, other_output(by_two, layout, by_two.root / SECOND)["train"])
    else:
        dsse.write_envelope(record, sign(layout, "train", by_two.state / "keys" / "worker"))
    resign(by_two, folder)
    against = str(verification.verify_release(folder, by_two.governance).against)
    assert ("left something else" if what == "another output" else "policy asks for 2 machines") in against


def test_policy_asks_for_no_more_machines_than_have_keys(house: House) -> None:
    path = house.governance.folder / "policy.yaml"
    path.write_text(path.read_text().replace("  low:\n", "  low:\n    machines: 2\n"))
    told = r"tiers\.low\.machines: .*: a release takes 2 machines, and people\.yaml has keys of 1; add one for each"
    with pytest.raises(InputError, match=told):
        in_force.load_proposed(house.governance.folder, house.state)
