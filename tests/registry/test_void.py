"""One byte of what was decided on, changed: asked again the decisions count no more, and nothing is promoted."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.core.errors import Refused
from tasks.core.files import write_json
from tasks.core.layout import Layout
from tasks.gates import gates
from tasks.registry.release import promotions
from tasks.trust import gate_statement
from tasks.trust.gate_statement import GateName
from tests.registry.house import NAME, House, open_house

Change = Callable[[House, Layout], None]


def in_file(name: str) -> Change:
    return lambda _, layout: flip(layout.root / name)


def in_policy(house: House, _: Layout) -> None:
    house.adopt(lambda text: text.replace("at_least: 2}", "at_least: 3}"))


def flip(path: Path) -> None:
    """Change the last letter or digit for another, so that what is text or JSON still is."""
    data = bytearray(path.read_bytes())
    place = next(i for i in reversed(range(len(data))) if chr(data[i]).isalnum())
    data[place] ^= 1
    path.write_bytes(bytes(data))


def in_suites(_: House, layout: Layout) -> None:
    suite = {"name": "other", "expectations": [{"type": "expect_column_to_exist", "why": "w"}]}
    write_json(layout.suites_path, {"by_source": {}, "dataset": suite})


CHANGES: dict[str, tuple[GateName, Change]] = {
    "data": ("data", in_file("artefacts/split/result.json")),
    "suite": ("data", in_suites),
    "parameters": ("evaluation", in_file("params.yaml")),
    "code": ("evaluation", in_file("tasks/stages/train/train.py")),
    "model": ("evaluation", in_file("artefacts/train/adapter/adapter_model.safetensors")),
    "policy": ("data", in_policy),
}


@pytest.mark.parametrize(("gate", "change"), CHANGES.values(), ids=CHANGES.keys())
def test_changed_after_the_decision_and_asked_again_it_waits_anew(house: House, gate: GateName, change: Change) -> None:
    layout = house.begin("run-1")
    house.open(layout, "data")
    if gate == "evaluation":
        house.open(layout, "evaluation")
    change(house, layout)
    house = open_house(house.root)
    asked = house.ask(layout, gate)
    standing = gates.judge_and_close(house.ledger, house.governance, asked)
    assert standing.state == "waiting" and not any(decision.counted for decision in standing.decisions)


PACKED = {name: change for name, (_, change) in CHANGES.items()} | {
    "model": in_file("artefacts/package/payload/model/adapter_model.safetensors")
}


@pytest.mark.parametrize("change", PACKED.values(), ids=PACKED.keys())
def test_changed_after_all_gates_nothing_is_promoted(ready: House, change: Change) -> None:
    change(ready, ready.run("run-1"))
    house = open_house(ready.root)
    with pytest.raises(Refused):
        house.promote(house.run("run-1"))
    assert promotions.read_promotions(house.ledger, house.governance, NAME).newest_statement is None


@pytest.mark.parametrize("name", ["data", "suite", "parameters", "code", "model"])
def test_changed_between_the_evaluation_and_the_package_nothing_is_promoted(house: House, name: str) -> None:
    """Whoever decides at the release gate sees a package that agrees with itself; the earlier gates saw another."""
    layout = house.evaluated("run-1")
    CHANGES[name][1](house, layout)
    house.package(layout)
    with pytest.raises(Refused, match=r"changed after the|was not made from the output|is not the output that gate"):
        house.promote(layout)


def test_a_model_exchanged_inside_the_package_is_not_promoted(house: House) -> None:
    layout = house.evaluated("run-1")
    house.pack(layout)
    flip(layout.artefacts("package") / "payload" / "model" / "adapter_model.safetensors")
    house.open(layout, "release")
    assert gate_statement.verify_gate(
        layout, "release", house.governance.gate_public_keys(house.ledger.now()), house.governance.policy.digest()
    )
    with pytest.raises(Refused, match="is not what `train` left when the evaluation gate looked"):
        house.promote(layout)
