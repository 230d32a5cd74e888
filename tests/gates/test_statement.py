"""gates/NAME.json: what stages accept, and what they refuse however it was made."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.core.errors import InputError, Refused
from tasks.core.files import read_json, write_json
from tasks.core.json_text import canonical_json
from tasks.gates import statement
from tasks.trust import dsse
from tasks.trust.gate_statement import require_gate, verify_gate
from tests.governed.house import POLICY, House, authority, reload


@pytest.fixture
def passed(house: House) -> House:
    """The data gate has passed, its statement is written."""
    let_pass(house)
    authority(house)
    return house


def let_pass(house: House, run: str = "run-1", **kwargs) -> Path:
    asked = house.ask(run=run, **kwargs)
    house.decide(asked, "owner")
    return statement.write_gate_statement(house.layout, asked, house.settle(asked), house.governance)


def test_a_passed_gate_lets_the_stages_behind_it_run(passed: House) -> None:
    require_gate(passed.layout, "data")


def test_the_same_inputs_give_the_same_bytes_whoever_ran_and_decided_when(passed: House) -> None:
    first = passed.layout.gate_statement_path("data").read_bytes()
    let_pass(passed, run="run-2", by="lead")
    assert passed.layout.gate_statement_path("data").read_bytes() == first
    claim = dsse.verify_envelope(dsse.read_envelope(passed.layout.gate_statement_path("data")), [passed.line("gate")])[
        "predicate"
    ]
    assert set(claim) == {"gate", "subject", "policy_sha256", "verdict", "demo"}


def test_a_demo_pass_is_marked(house: House) -> None:
    authority(house)
    let_pass(house, demo=True)
    lines, policy = [house.line("gate")], house.governance.policy.digest()
    assert verify_gate(house.layout, "data", lines, policy).demo


def split(house: House) -> Path:
    return house.layout.artefacts("split")


def take_evaluation_statement(house: House) -> None:
    asked = house.ask("evaluation")
    for person in ("lead", "risk-one", "both"):
        house.decide(asked, person)
    made = statement.write_gate_statement(house.layout, asked, house.settle(asked), house.governance)
    shutil.copy(made, house.layout.gate_statement_path("data"))


def sign_it_oneself(house: House) -> None:
    payload = dsse.unverified_statement(dsse.read_envelope(house.layout.gate_statement_path("data")))
    dsse.write_envelope(house.layout.gate_statement_path("data"), dsse.sign_statement(payload, house.key("owner")))


def change_policy(house: House) -> None:
    reload(house, POLICY.replace("at_least: 0.7", "at_least: 0.6"))
    authority(house)


OTHER = "is not the output that gate data let pass"
ATTACKS: dict[str, tuple[Callable[[House], object], str]] = {
    "change_output": (lambda house: (split(house) / "train.txt").write_text("rowz"), OTHER),
    "add_output": (lambda house: (split(house) / "more.txt").write_text(""), OTHER),
    "rename_output": (lambda house: (split(house) / "train.txt").rename(split(house) / "test.txt"), OTHER),
    "link_output": (lambda house: (split(house) / "more").symlink_to("/"), "symbolic link"),
    "remove_output": (lambda house: shutil.rmtree(split(house)), OTHER),
    "remove_statement": (lambda house: house.layout.gate_statement_path("data").unlink(), "gate data is not passed"),
    "respell_statement": (
        lambda house: write_json(
            house.layout.gate_statement_path("data"), read_json(house.layout.gate_statement_path("data"))
        ),
        "not in canonical form",
    ),
    "take_evaluation_statement": (take_evaluation_statement, "the statement of something else"),
    "sign_it_oneself": (sign_it_oneself, "is signed by"),
    "use_a_decision": (
        lambda house: dsse.write_envelope(
            house.layout.gate_statement_path("data"), house.ledger.entries("gate.decision")[0].body["envelope"]
        ),
        "is signed by",
    ),
    "change_policy": (change_policy, "under another policy"),
    "use_experiment_statement": (
        lambda house: statement.write_experiment_statement(house.layout, "data", house.governance),
        "is for experiments, this run is of risk tier low",
    ),
}


@pytest.mark.attack(rights="worker", stopped="the gate's signed statement names the output by digest")
@pytest.mark.parametrize(("attack", "why"), ATTACKS.values(), ids=ATTACKS)
def test_a_way_around_the_gate_is_refused(passed: House, attack: Callable[[House], object], why: str) -> None:
    attack(passed)
    with pytest.raises(Refused, match=why):
        require_gate(passed.layout, "data")


def test_every_byte_of_the_statement_matters(passed: House) -> None:
    path = passed.layout.gate_statement_path("data")
    original = path.read_bytes()
    for position in range(0, len(original), 7):
        path.write_bytes(original[:position] + bytes([original[position] ^ 1]) + original[position + 1 :])
        with pytest.raises(Refused):
            require_gate(passed.layout, "data")


@pytest.mark.attack(rights="gate key", stopped="the statement must agree with itself")
@pytest.mark.parametrize(
    "change",
    [
        {"subject": "*"},
        {"verdict": "experiment"},
        {"verdict": "failed"},
        {"gate": "release"},
        {"run": "run-1"},
        {"subject": "AB" * 32},
    ],
    ids=["any output", "an experiment", "failed", "another gate", "with a run in it", "a digest in capitals"],
)
def test_a_statement_that_contradicts_itself_is_refused_though_the_gate_signed_it(passed: House, change: dict) -> None:
    payload = dsse.unverified_statement(dsse.read_envelope(passed.layout.gate_statement_path("data")))
    payload["predicate"] |= change
    dsse.write_envelope(
        passed.layout.gate_statement_path("data"), dsse.sign_statement(payload, passed.governance.find_signer("gate"))
    )
    with pytest.raises(Refused):
        require_gate(passed.layout, "data")


@pytest.mark.attack(rights="worker", stopped="what a statement is, is part of what is signed")
def test_the_gates_key_signs_other_statements_that_are_not_taken_for_its_own(passed: House) -> None:
    payload = dsse.unverified_statement(dsse.read_envelope(passed.layout.gate_statement_path("data"))) | {
        "predicateType": "urn:hallmark:promotion:v1"
    }
    dsse.write_envelope(
        passed.layout.gate_statement_path("data"), dsse.sign_statement(payload, passed.governance.find_signer("gate"))
    )
    with pytest.raises(Refused, match="is a urn:hallmark:promotion:v1, not a gate statement"):
        require_gate(passed.layout, "data")


def test_experiments_run_with_any_output_under_tier_experiment_only(house: House) -> None:
    authority(house, tier="experiment")
    with pytest.raises(Refused, match="for an experiment by hand run `hallmark resolve`"):
        require_gate(house.layout, "data")
    statement.write_experiment_statement(house.layout, "data", house.governance)
    require_gate(house.layout, "data")
    (split(house) / "train.txt").write_text("rowz")
    require_gate(house.layout, "data")
    with pytest.raises(Refused):
        require_gate(house.layout, "evaluation")


@pytest.mark.attack(rights="worker", stopped="a statement is written only for a gate that passed on this evidence")
def test_a_gate_that_has_not_passed_on_this_evidence_is_never_written(house: House) -> None:
    asked, other = house.ask(run="run-1"), house.ask("release", run="run-2")
    with pytest.raises(Refused, match="has not passed on this evidence"):
        statement.write_gate_statement(house.layout, asked, house.judge(asked), house.governance)
    house.decide(asked, "owner")
    with pytest.raises(Refused, match="has not passed on this evidence"):
        statement.write_gate_statement(house.layout, other, house.judge(asked), house.governance)
    assert not house.layout.gate_statement_path("data").exists()


@pytest.mark.parametrize("text", [None, "", "[]", "{}", '{"gate_public_keys": 3}'])
def test_without_a_sound_authority_file_no_stage_runs(passed: House, text: str | None) -> None:
    passed.layout.authority_path.unlink()
    if text is not None:
        passed.layout.authority_path.write_text(text)
    with pytest.raises(InputError, match="run `hallmark resolve`"):
        require_gate(passed.layout, "data")


def test_an_authority_with_somebody_elses_key_accepts_nothing_of_ours(passed: House) -> None:
    value = read_json(passed.layout.authority_path)
    value["gate_public_keys"] = [passed.line("owner")]
    write_json(passed.layout.authority_path, value)
    with pytest.raises(Refused, match="is signed by"):
        require_gate(passed.layout, "data")
    write_json(passed.layout.authority_path, value | {"gate_public_keys": ["nonsense"]})
    with pytest.raises(InputError, match="public key line"):
        require_gate(passed.layout, "data")
    assert canonical_json(value)
