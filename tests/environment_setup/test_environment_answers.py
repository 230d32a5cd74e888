"""`hallmark init --environment NAME`: wrong answers are told before it writes anything, and files keep their layout."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from infra.cli.environment_setup import file_checks, file_names, file_texts, given_people, named_people, questions
from tasks.core.errors import InputError
from tasks.policy import people, root_of_trust
from tasks.policy.people import MACHINES
from tasks.trust import keys
from tests.checkouts import Checkouts
from tests.editing import edit
from tests.environment_setup.conftest import ROLES, adoptions, texts, words
from tests.in_process import hallmark
from tests.tiny_project import ROOT


def files_beside(project: Path) -> dict[Path, bytes]:
    """All files that the command could write: of the checkout, of its state and beside it."""
    state, governance = project / ".hallmark", project / file_names.GOVERNANCE
    places = (*project.parent.iterdir(), *state.rglob("*"), *governance.iterdir())
    return {path: path.read_bytes() for path in (*places, project / file_names.PARAMS) if path.is_file()}


PRIVATE = "-----BEGIN OPENSSH PRIVATE KEY-----"
BAD_PEOPLE: dict[str, tuple[list[tuple[str, str]], str]] = {
    "nobody in a role": (
        [("roles: [product_owner]", "roles: [requester]")],
        "policy that nobody can satisfy: it wants 1 with role product_owner, people.yaml has 0",
    ),
    "a private key": ([("zeno.pub", "zeno")], "zeno is a private key, which stays with its owner; give the .pub"),
    "a key twice": ([("zeno.pub", "cleo.pub")], "each key stands here once; twice: SHA256:"),
    "no key": ([(", keys: [KEYS/zeno.pub]", "")], "zeno needs a key in environment production"),
    "no such file": ([("zeno.pub", "nobody.pub")], "no public key can be read here (No such file or directory)"),
    "no public key": ([("KEYS/zeno.pub", "answers.yaml")], "expected one OpenSSH public key line"),
    "an unknown field": ([("name: Zeno", "nme: Zeno")], "answers.yaml:2: people.1.nme: unknown key"),
    "an id of a machine": ([("id: zeno", "id: gate")], "is the name of a machine's key"),
    "hidden text": ([("name: Zeno", 'name: "Ze\\u202eno"')], "it holds the character <U+202E>"),
    "nobody at all": ([], "expected a list of people in the form of people.yaml"),
    "two who could take over": (
        [("roles: [requester]", "roles: [requester, data_owner]")],
        "--successor data-owner=ID",
    ),
}


@pytest.mark.parametrize("case", BAD_PEOPLE)
def test_people_that_cannot_be_are_told_and_nothing_is_written(
    made: Path, answers: Path, keys_of_people: Path, case: str
) -> None:
    edits, told = BAD_PEOPLE[case]
    for old, new in edits:
        edit(answers, old.replace("KEYS", str(keys_of_people)), new)
    if not edits:
        answers.write_text("nobody")
    before = files_beside(made)
    refused = hallmark(made, *words(made, answers), code=2)
    assert told in refused and PRIVATE not in refused, refused
    assert files_beside(made) == before


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, checkouts: Checkouts) -> Path:
    """A project for commands that write nothing."""
    return checkouts.made(tmp_path_factory.mktemp("made") / "project")


PRODUCTION = ("--environment", "production")
BAD_OPTIONS = {
    "nothing else": (PRODUCTION, "--root-key PATH", "--people FILE", "no key of ml-engineer, colleague", "--yes "),
    "environment local": (("--environment", "local"), "environment local needs no people and no root key"),
    "a name with spaces": (("--environment", "a b"), "expected lower-case letters, digits, - and _"),
    "other governance": ((*PRODUCTION, "--governance", "x"), "--governance is for environment local"),
    "no environment": (("--yes",), "go with --environment NAME"),
    "a root key in the checkout": ((*PRODUCTION, "--root-key", "root"), "root is in this checkout"),
    "a public root key": ((*PRODUCTION, "--root-key", "../root.pub"), "named like a public key"),
    "a folder": ((*PRODUCTION, "--root-key", ".."), "is a folder; name a file in it, such as ../root"),
    "a disk that is away": (
        (*PRODUCTION, "--root-key", "/media/none/root"),
        "/media/none is not there; mount that disk",
    ),
    "no pair": ((*PRODUCTION, "--successor", "zeno"), "--successor zeno: expected OLD=NEW"),
}


@pytest.mark.parametrize("case", BAD_OPTIONS)
def test_options_that_are_wrong_or_missing_are_told_together(made: Path, case: str) -> None:
    given, *told = BAD_OPTIONS[case]
    before = files_beside(made)
    refused = hallmark(made, "init", *given, code=2)
    assert all(text in refused for text in told), refused
    assert files_beside(made) == before


def test_an_id_takes_over_that_an_option_names(made: Path, answers: Path) -> None:
    edit(answers, "roles: [requester]", "roles: [requester, data_owner]")
    told = hallmark(made, *words(made, answers), "--successor", "data-owner=nobody", code=2)
    assert "nobody is none of these people: ada, cleo, dora, zeno" in told
    before = file_texts.read_texts(made)
    wanted = file_texts.WantedContents("production", None, {"data-owner": "ada"})
    now = file_texts.propose_texts(made, before, wanted, {})
    assert "owner: ada\n" in now[file_names.SOURCES] and "data: ada}" in now[file_names.PARAMS]


def test_test_cases_that_cannot_be_edited_stay_and_other_files_do_not(made: Path) -> None:
    cases = "cases: [{requester: &one data-owner, name: *one}]\n"
    sources = "sources: [{owner: &one data-owner, id: *one}]\n"
    before = file_texts.read_texts(made) | {file_names.TESTS: cases}
    wanted = file_texts.WantedContents("production", None, {"data-owner": "zeno"})
    now = file_texts.propose_texts(made, before, wanted, {})
    assert now[file_names.TESTS] == cases and "owner: zeno" in now[file_names.SOURCES]
    with pytest.raises(InputError, match="expected data-owner written out here"):
        file_texts.propose_texts(made, before | {file_names.SOURCES: sources}, wanted, {})


def test_a_policy_that_counts_in_environment_local_alone_is_told_before_any_question(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = project / file_names.POLICY
    policy.write_text(policy.read_text().replace("people: [{role: risk_officer}]", "people: []"))
    monkeypatch.setattr(questions, "can_ask", lambda: True)
    told = hallmark(project, "init", *PRODUCTION, code=2)
    assert "changes: name who signs off policy and people" in told and "[Y/n]" not in told


def test_a_checkout_of_environment_local_stays_one(project: Path, answers: Path) -> None:
    hallmark(project, "init")
    before = texts(project)
    told = hallmark(project, *words(project), code=1)
    assert "is a checkout of environment local" in told and "Make another clone" in told
    for file in (project / ".hallmark").glob("ledger.db*"):
        file.unlink()  # as if HALLMARK_LEDGER_URL named another one, which is empty
    assert "is a checkout of environment local" in hallmark(project, *words(project), code=1)
    assert texts(project) == before and not (project.parent / "root").exists()


def test_a_root_key_that_is_there_is_taken_and_no_other_afterwards(
    project: Path, answers: Path, keys_of_people: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = project.parent / "root"
    with monkeypatch.context() as patch:
        mark = keys.fingerprint((keys_of_people / "ada.pub").read_text())
        patch.setenv(root_of_trust.ROOT_VARIABLE, mark)
        told = hallmark(project, *words(project), code=2)
        assert f"root is not there, and {root_of_trust.ROOT_VARIABLE} names root key {mark}" in told
        given = (*PRODUCTION, "--root-key", str(keys_of_people / "zeno"), "--people", str(answers), "--yes")
        assert f"{root_of_trust.ROOT_VARIABLE} names {mark}; give the key that" in hallmark(
            project, "init", *given, code=2
        )
    assert not root.exists()
    line = keys.create_key_pair(project.parent, "root")
    root.chmod(0o644)
    assert "others can read this private key" in hallmark(project, *words(project), code=2)
    root.chmod(0o600)
    edit(answers, "name: Ada", "name: Ada, sign_in: [{issuer: https://login.example.com, subject: '7'}]")
    with answers.open("a") as file:
        file.write(f"- {{id: eve, name: Eve, roles: [auditor], keys: [{line}]}}\n")
    before = texts(project)
    assert "people.yaml gives it to eve; give eve another key" in hallmark(project, *words(project), code=1)
    assert texts(project) == before
    answers.write_text(answers.read_text().rpartition("- {")[0])
    gate = keys.create_key_pair(project.parent / "runner", "gate")
    with (project / file_names.PEOPLE).open("a") as file:
        file.write(f"machines: {{gate: {{keys: [{gate}]}}}}\n")
    told, mark = hallmark(project, *words(project), code=2), keys.fingerprint(gate)
    assert f"--machine-key {mark}   of machine gate" in told and adoptions(project) == 0
    told = hallmark(project, *words(project), "--machine-key", mark)
    assert keys.fingerprint(line) in told and f"key of gate: {mark} (as you named it)" in told
    assert "policy and people that would be adopted" in told and "(new, in .hallmark/keys)" in told
    (account,) = people.load_people(project / "infra/governance").get("ada").sign_in
    assert account.subject == "7"
    (key,) = people.load_people(project / "infra/governance").keys_of_machine("gate")
    assert key.public_key == gate, "a gate that signs elsewhere has lost its key"
    other = hallmark(project, *words(project)[:4], str(project.parent / "other"), "--people", str(answers), "--yes")
    assert "is in force since" in other and not (project.parent / "other").exists(), "nobody needs a root key any more"
    edit(answers, "name: Dora", "name: Isidora")
    told = hallmark(project, *words(project), code=1)
    assert (
        "names other people than infra/governance/people.yaml. If this clone is older" in told
        and "propose changes" in told
    )


def test_people_and_machines_that_have_keys_already_stay_with_the_comments_beside_them(
    project: Path, keys_of_people: Path
) -> None:
    file, text = project / file_names.PEOPLE, "# Our people.\npeople:\n"
    for who, person in zip(("ml-engineer", "data-owner", "product-owner", "risk-officer"), ROLES, strict=True):
        line = (keys_of_people / f"{person}.pub").read_text().strip()
        text += f"  - {{id: {who}, name: {person}, roles: [{ROLES[person]}], keys: [{line}]}}  # {person}, since May\n"
    assert file_texts.DEMO_COMMENT in (ROOT / file_names.PEOPLE).read_text()
    demo = file_texts.DEMO_COMMENT + "  - {id: demo-owner, name: Demo, roles: [data_owner], demo: true}\n"
    gate = keys.create_key_pair(project.parent / "runner", "gate")
    machines = f"machines:\n  gate: {{keys: [{gate}]}}  # on the runner\n"
    file.write_text(text + demo + machines)
    other = {name: text for name, text in texts(project).items() if name in (file_names.PARAMS, file_names.SOURCES)}
    hallmark(project, "init", *PRODUCTION, "--root-key", str(project.parent / "root"), "--yes",
             "--machine-key", keys.fingerprint(gate))  # fmt: skip
    now = file.read_text()
    assert now.startswith(text + machines) and len(now.splitlines()) == len((text + machines).splitlines()) + 3
    assert not (project / ".hallmark/keys/gate").exists(), "the gate signs elsewhere"
    assert {name: texts(project)[name] for name in other} == other


KEYS_OF_NAMES = r" *(owner|owners|steward|business|technical|data|environment|requester|decisions|- {?person): "


def test_the_shipped_files_change_in_what_they_name_alone(answers: Path, keys_of_people: Path) -> None:
    with answers.open("a") as file:
        line = keys.create_key_pair(answers.parent, "eve")
        file.write(f"- {{id: eve, name: Eve, roles: [approver], keys: [{line}]}}\n")
    given = given_people.read_people(answers)
    before = file_texts.read_texts(ROOT)
    policy = file_texts.policy_for_environment(ROOT, before, "production")
    file_checks.require_staffed(ROOT, policy, given, datetime.now(UTC))
    given["people"][3]["roles"].append(given["people"][2]["roles"].pop())
    given["people"][2]["roles"].append("requester")
    with pytest.raises(InputError, match="nobody may decide in two roles, and no other person is left for role"):
        file_checks.require_staffed(ROOT, policy, given, datetime.now(UTC))
    given = given_people.read_people(answers)
    absent = named_people.absent_people(ROOT, before, given)
    assert {who: able for who, able in absent.items() if who == "data-owner"} == {"data-owner": ["zeno"]}
    wanted = file_texts.WantedContents("production", given, {who: able[0] for who, able in absent.items()})
    lines = file_checks.machine_lines_for_check(MACHINES, ROOT / ".hallmark-none")
    now = file_texts.propose_texts(ROOT, before, wanted, lines)
    assert file_checks.require_valid(ROOT, now).policy.environment == "production"
    for name in (file_names.PARAMS, file_names.SOURCES, file_names.TESTS, file_names.POLICY):
        pairs = zip(before[name].splitlines(), now[name].splitlines(), strict=True)
        changed = [(old, new) for old, new in pairs if old != new]
        assert changed and all(re.match(KEYS_OF_NAMES, old) for old, _ in changed), changed
    assert "demo" not in now[file_names.PEOPLE].partition("people:\n")[2]
