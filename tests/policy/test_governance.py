"""People and policy files: everything wrong with them is said at once, with file and line."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tasks.core.errors import InputError
from tasks.policy import fact_names_check, governance, staffing
from tasks.policy.people import MACHINES
from tasks.trust import keys
from tests.governed.house import PEOPLE, POLICY


def problems(folder: Path, policy: str = POLICY, people: str = PEOPLE) -> list[str]:
    """The lines of the message, without the folder's own path."""
    (folder / "policy.yaml").write_text(policy)
    (folder / "people.yaml").write_text(people)
    with pytest.raises(InputError) as caught:
        governance.load_governance(folder, folder / "state")
    return str(caught.value).replace(f"{folder}/", "").splitlines()


def replaced(text: str, old: str, new: str) -> str:
    assert old in text
    return text.replace(old, new)


def test_mistakes_of_both_files_are_reported_together(folder: Path) -> None:
    policy = replaced(replaced(POLICY, "at_least: 100", "at_lest: 100"), "count: 2", "count: 0")
    people = replaced(replaced(PEOPLE, "roles: [risk]}", "rolls: [risk]}"), "id: gone", "id: G one")
    found = problems(folder, policy, people)
    assert [line.split(": ")[:2] for line in found] == [
        ["policy.yaml:8", "tiers.low.gates.data.checks.0.at_lest"],
        ["policy.yaml:16", "tiers.low.gates.evaluation.decisions.1.count"],
        ["people.yaml:6", "people.4.roles"],
        ["people.yaml:6", "people.4.rolls"],
        ["people.yaml:8", "people.6.id"],
    ]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("at_least: 100}", "at_least: 100, at_most: 3}", r"policy.yaml:8: .*give exactly one of at_least and at_most"),
        ("at_least: 100}", "bound: mean, at_least: 100}", r"policy.yaml:8: .*bound: .*'value', 'low' or 'high'"),
        (
            "name: new fact",
            "name: enough rows",
            r"policy.yaml:6: .*check of a gate stands here once; twice: enough rows",
        ),
        ("role: ml-lead", "role: risk", r"policy.yaml:12: .*role of a gate stands here once; twice: risk"),
        ("      release:\n        decisions: [{role: release-manager}]\n", "", r"policy.yaml:4: .*all of data, eval"),
        ("experiment: {gates: {}}", "other: {gates: {}}", r"tier other: `experiment` has no gates, and every other"),
        ("environment: local\n", "", r"policy.yaml:1: environment: missing"),
        ("max_days: 30}", "max_days: 30}\n        deadline_days: 0", r"deadline_days: .*greater than 0"),
        ("max_days: 30}", "max_days: .inf}", r"max_days: Input should be a finite number"),
    ],
)
def test_a_policy_that_means_nothing(folder: Path, old: str, new: str, expected: str) -> None:
    found = "\n".join(problems(folder, policy=replaced(POLICY, old, new)))
    assert re.search(expected, found), found


def test_a_policy_that_nobody_can_satisfy(folder: Path) -> None:
    policy = replaced(POLICY, "{role: risk, count: 2}", "{role: risk, count: 4}")
    people = replaced(PEOPLE, "roles: [ml-lead]", "roles: [cook]")
    found = problems(folder, policy, people)
    assert len(found) == 2
    assert found[0].startswith("policy.yaml:16: tiers.low.gates.evaluation.decisions.0: policy that nobody can satisfy")
    assert "wants 1 with role ml-lead, people.yaml has 0" in found[0]
    assert found[1].startswith("policy.yaml:16: tiers.low.gates.evaluation.decisions.1: policy that nobody can satisfy")
    assert "wants 4 with role risk, people.yaml has 3" in found[1]


def test_a_tier_whose_releases_nobody_could_roll_back(folder: Path) -> None:
    policy = replaced(POLICY, "decisions: [{role: release-manager}]", "decisions: []")
    (found,) = problems(folder, policy)
    assert "tiers.low.gates.release: policy that nobody can satisfy: nobody could order a rollback" in found
    glass = "  low:\n    break_glass: {role: risk, confirm_role: ml-lead, confirm_hours: 24}\n"
    (folder / "policy.yaml").write_text(replaced(policy, "  low:\n", glass))
    assert governance.load_governance(folder, folder / "state").policy.tier("low").break_glass


@pytest.mark.attack(rights="approver", stopped="a check names a metric of a stage that its gate covers")
@pytest.mark.parametrize(
    "fact",
    ["spilt.train_rows", "evaluate.exact_match", "split", "measured.split.seconds"],
    ids=["misspelt", "of a later stage", "no metric", "of a stage without measurements"],
)
@pytest.mark.parametrize("optional", [True, False], ids=["optional", "required"])
def test_a_check_of_a_metric_that_is_never_there(folder: Path, fact: str, optional: bool) -> None:
    check = f"fact: {fact}, optional: true" if optional else f"fact: {fact}"
    (folder / "policy.yaml").write_text(replaced(POLICY, "fact: split.train_rows", check))
    (folder / "people.yaml").write_text(PEOPLE)
    policy, path = governance.load_governance(folder, folder / "state").policy, folder / "policy.yaml"
    with pytest.raises(InputError) as caught:
        fact_names_check.require_known_facts(policy, path)
    told = str(caught.value)
    assert told.startswith(f"{path}:8: tiers.low.gates.data.checks.0: no run has a metric {fact!r} at gate data; ")
    assert "expected a name that begins with ingest, clean, " in told
    fact_names_check.require_known_facts(policy, path, in_force=policy)


def test_a_role_that_ended_stops_runs_and_not_what_was_decided(folder: Path) -> None:
    """The files still load: what its holders let pass goes on."""
    ended = "roles: [{role: release-manager, valid_before: 2026-03-02}]"
    (folder / "people.yaml").write_text(replaced(PEOPLE, "roles: [release-manager]", ended))
    loaded = governance.load_governance(folder, folder / "state")
    days = {day: datetime(2026, 3, day, tzinfo=UTC) for day in (1, 2)}
    found = {
        day: staffing.run_staffing_problem(loaded.policy, loaded.people, "low", ["asker"], [], False, moment)
        for day, moment in days.items()
    }
    assert found[1] == ""
    assert "gate release wants 1 with role release-manager, and 0 could decide" in found[2]


def test_outside_local_demo_people_hold_nothing_and_everybody_needs_a_key(folder: Path) -> None:
    found = problems(folder, policy=replaced(POLICY, "environment: local", "environment: production"))
    lacking = [line for line in found if "needs a key in environment production" in line]
    assert [line.split(":")[1] for line in lacking] == [*map(str, range(2, 11)), "1", "1", "1"]
    few = replaced(POLICY, "environment: local", "environment: production").replace("count: 2", "count: 3")
    assert any("wants 3 with role risk, people.yaml has 2" in line for line in problems(folder, policy=few))


def test_a_public_key_is_checked_where_it_stands(folder: Path, tmp_path: Path) -> None:
    line = keys.create_key_pair(tmp_path / "k", "owner")
    bad = replaced(PEOPLE, "name: Lead,", "name: Lead, keys: [ssh-ed25519 AAAA],")
    told = "people.yaml:5: people.3.keys.0.public_key: expected one OpenSSH public"
    assert problems(folder, people=bad)[0].startswith(told)
    twice = PEOPLE
    for name in ("Lead", "Risk one"):
        twice = replaced(twice, f"name: {name},", f"name: {name}, keys: [{line}],")
    mark = keys.fingerprint(line)
    told = f"people.yaml:6: people.4.keys.0: each key stands here once; twice: {mark} (lead and risk-one)"
    assert problems(folder, people=twice) == [told]
    machine = (
        replaced(PEOPLE, "name: Lead,", f"name: Lead, keys: [{line}],") + f"machines: {{gate: {{keys: [{line}]}}}}\n"
    )
    assert problems(folder, people=machine)[0].startswith("people.yaml:11: machines.gate.keys.0: each key stands here")


@pytest.mark.parametrize(
    ("people", "expected"),
    [
        (
            PEOPLE + "  - {id: owner, name: Again, roles: [risk]}\n",
            "people.yaml:11: people.9.id: each person stands here once; twice: owner",
        ),
        (PEOPLE + "  - {id: gate, name: Gate, roles: [risk]}\n", "people.yaml:11: people.9.id: `gate` is the name of"),
        ("people: []\n", "people.yaml:1: people: List should have at least 1 item"),
        ("people:\n  - {id: a, name: A, roles: []}\n", "people.yaml:2: people.0.roles: List should have at least 1"),
        ("people:\n  - id: [\n", "people.yaml:3: not valid YAML"),
        ("- a\n", "expected a mapping of keys to values"),
    ],
)
def test_a_people_file_that_cannot_be(folder: Path, people: str, expected: str) -> None:
    assert expected in "\n".join(problems(folder, people=people))


def test_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        governance.load_governance(tmp_path, tmp_path)
    assert [line.split(": ")[1] for line in str(caught.value).splitlines()] == [
        "no such file; give the path of an existing YAML file"
    ] * 2


def test_a_source_whose_owner_is_nobody(folder: Path) -> None:
    write_source(folder, owner="stranger", steward="nobody")
    assert problems(folder) == [
        "sources.yaml:6: sources.0.owner: stranger is not in people.yaml; add the person or name another",
        "sources.yaml:7: sources.0.steward: nobody is not in people.yaml; add the person or name another",
    ]


@pytest.mark.attack(rights="approver", stopped="policy lists the variables that a location may name")
@pytest.mark.parametrize("location", ["s3://evil/${AWS_SECRET_ACCESS_KEY}", "${DATA_ROOT}/${HALLMARK_VAULT_KEY:-x}"])
def test_a_source_that_is_found_by_a_variable_which_policy_does_not_list(folder: Path, location: str) -> None:
    write_source(folder, location=location)
    (problem,) = problems(folder, policy=f"location_variables: [DATA_ROOT]\n{POLICY}")
    assert "sources.yaml:5: sources.0.location: it names the environment variable " in problem
    assert ("AWS_SECRET_ACCESS_KEY" in problem) != ("HALLMARK_VAULT_KEY" in problem)
    write_source(folder, location="${DATA_ROOT}/a.csv")
    governance.load_governance(folder, folder)


def write_source(folder: Path, location: str = "a.csv", owner: str = "owner", steward: str = "owner") -> None:
    (folder / "sources.yaml").write_text(
        "sources:\n"
        f"  - id: tickets\n    kind: csv\n    licence: CC0-1.0\n    location: {location}\n"
        f"    owner: {owner}\n"
        f"    steward: {steward}\n"
        "    mapping: {prompt: a, response: b}\n    constants: {task: triage}\n"
        "    access: [data-owner]\n    classification: internal\n    lawful_basis: consent\n    retention_days: 365\n"
        "    region: eu\n    refresh_days: 7\n    approved_uses: [tests]\n"
    )


def test_keys_are_those_of_people_yaml_else_of_init(folder: Path, tmp_path: Path) -> None:
    line = keys.create_key_pair(tmp_path / "brought", "lead")
    (folder / "people.yaml").write_text(replaced(PEOPLE, "name: Lead,", f"name: Lead, keys: [{line}],"))
    loaded = governance.load_governance(folder, tmp_path / "state")
    owner, lead = (loaded.people.get(name) for name in ("owner", "lead"))
    assert owner is not None
    assert lead is not None
    for ask, who in ((loaded.keys_of, owner), (loaded.keys_of, "gate"), (loaded.find_signer, "gate")):
        with pytest.raises(InputError):
            ask(who)
    governance.create_vault_and_keys(loaded.state, loaded.people)
    made = {path.name for path in (tmp_path / "state" / "keys").iterdir()}
    assert {*MACHINES, "gate.pub", "owner", "owner.pub"} <= made
    assert not {"lead", "lead.pub"} & made
    assert [key.public_key for key in loaded.keys_of(lead)] == [line]
    for who, name in ((owner, "owner"), ("gate", "gate")):
        (key,) = loaded.keys_of(who)
        assert key.public_key == (tmp_path / "state" / "keys" / f"{name}.pub").read_text().strip()
        assert keys.fingerprint(loaded.find_signer(who).public_line) == key.fingerprint
    before = {path: path.read_bytes() for path in (tmp_path / "state" / "keys").iterdir()}
    governance.create_vault_and_keys(loaded.state, loaded.people)
    assert before == {path: path.read_bytes() for path in (tmp_path / "state" / "keys").iterdir()}


@pytest.mark.parametrize(
    ("lost", "message"),
    [
        (("owner", "worker"), "public keys of worker, owner without their private keys"),
        (("vault", "gate", "gate.pub"), "the vault's key is wanted"),
    ],
)
def test_init_makes_nothing_if_a_key_has_to_be_put_back(
    folder: Path, tmp_path: Path, lost: tuple[str, ...], message: str
) -> None:
    """As after a restoration without private keys."""
    loaded = governance.load_governance(folder, tmp_path / "state")
    governance.create_vault_and_keys(loaded.state, loaded.people)
    for name in lost:
        (loaded.state / "keys" / name).unlink()
    before = {path: path.read_bytes() for path in (loaded.state / "keys").iterdir()}
    with pytest.raises(InputError, match=message):
        governance.create_vault_and_keys(loaded.state, loaded.people)
    assert before == {path: path.read_bytes() for path in (loaded.state / "keys").iterdir()}


def test_the_command_that_makes_a_missing_key_is_named(tmp_path: Path) -> None:
    own, others = tmp_path / "infra" / "governance", tmp_path / "mine"
    told = {own: "run `hallmark init` to make it", others: f"run `hallmark init --governance {others}` to make it"}
    for folder, wanted in told.items():
        folder.mkdir(parents=True)
        (folder / "policy.yaml").write_text(POLICY)
        (folder / "people.yaml").write_text(PEOPLE)
        loaded = governance.load_governance(folder, tmp_path / ".hallmark")
        with pytest.raises(InputError, match=re.escape(wanted)):
            loaded.keys_of(loaded.people.people[0])


def test_the_policy_digest_is_of_its_meaning_not_its_spelling(folder: Path) -> None:
    digest = governance.load_governance(folder, folder).policy.digest()
    (folder / "policy.yaml").write_text("# comment\n" + replaced(POLICY, "count: 2", "count:   2"))
    assert governance.load_governance(folder, folder).policy.digest() == digest
    (folder / "policy.yaml").write_text(replaced(POLICY, "count: 2", "count: 1"))
    assert governance.load_governance(folder, folder).policy.digest() != digest
