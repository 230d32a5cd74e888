"""`hallmark init --environment NAME`: the whole way to an adopted environment, and nothing half-done on it."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from infra.cli.environment_setup import command, file_names, questions
from tasks.core.documents import config
from tasks.policy import adoption_signing, people, root_of_trust
from tasks.policy.people import MACHINES
from tasks.trust import keys
from tests.environment_setup.conftest import ROLES, adoptions, texts, words
from tests.in_process import hallmark, run_command
from tests.infra.test_gates import Terminal
from tests.tiny_project import checked, commit

PRODUCTION = ("--environment", "production")
LOOKED = ("--reason", "looked at it")
CASE = (
    "cases: [{name: it waits, tier: limited, gate: data, requester: ml-engineer, owners: [data-owner], "
    "decisions: [{person: gone}], expect: waiting}]\n"
)


def test_one_command_sets_an_environment_up_and_lists_what_is_left(
    project: Path, answers: Path, keys_of_people: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HALLMARK_SHARED", raising=False)
    monkeypatch.setattr(questions, "can_ask", lambda: True)  # with all answers as options a terminal is asked nothing
    (project / file_names.TESTS).write_text(CASE)
    told = hallmark(project, *words(project))
    assert "its cases name gone" in told
    case = CASE.replace("ml-engineer", "ada").replace("data-owner", "zeno")
    assert texts(project)[file_names.TESTS] == case
    root, state = project.parent / "root", project / ".hallmark"
    fingerprint = keys.fingerprint((state / "keys" / "root.pub").read_text())
    assert fingerprint in told and hallmark(project, "identity", "root").strip() == fingerprint
    assert root.stat().st_mode & 0o777 == 0o600 and not (state / "keys" / "root").exists()
    assert {each.id: each.roles_at(None) for each in people.load_people(project / "infra/governance").people} == {
        who: [role] for who, role in ROLES.items()
    }
    assert "owners: {business: cleo, technical: ada, data: zeno}" in texts(project)["params.yaml"]
    assert adoptions(project) == 1 and "HALLMARK_LEDGER_URL" in told

    before = texts(project)
    again = hallmark(project, *words(project))
    assert "is in force since entry" in again and "hallmark code adopt HEAD --as dora" in again
    assert (texts(project), adoptions(project)) == (before, 1), "the second call changed something"

    assert "git commit -am 'Environment production'" in told
    commit(project, "Environment production")
    for who, *verb in (("zeno", "data", "adopt"), ("cleo", "card", "adopt"), ("dora", "code", "adopt", "HEAD")):
        assert f"hallmark {' '.join(verb)} --as {who}" in told
        monkeypatch.setenv("HALLMARK_KEY", str(keys_of_people / who))
        hallmark(project, *verb, "--as", who, *LOOKED)
    monkeypatch.delenv("HALLMARK_KEY")
    doctor = hallmark(project, "doctor", code=1)
    (left,) = [line for line in doctor.splitlines() if line.startswith("!")]
    assert "an editable install, SHA-256" in left, "nothing else is to mend, and tests install no wheel"
    left = hallmark(project, *words(project))
    assert "--as zeno" not in left and "--as cleo" not in left and "--as dora" not in left


class Cut(BaseException):
    """The machine that stops in the middle."""


STEPS = (
    (keys, "create_private_file"),  # of the root key
    (keys, "create_private_file"),  # of the first machine
    (command.governance, "create_vault_and_keys"),
    *[(config, "overwrite_if_unchanged")] * len(file_names.FILES_IN_WRITE_ORDER),
    (root_of_trust, "store_root_key"),
    (adoption_signing, "sign_adoption"),
)
"""Functions by which a step begins to write, in the order of the steps. Each is ended in the middle once."""


def test_a_call_that_was_cut_short_is_repeated_and_does_the_rest(
    project: Path, answers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: dict[Path, bytes] = {}
    (project / file_names.TESTS).write_text(CASE)
    before, written = texts(project), 0
    for number, (module, name) in enumerate(STEPS):
        with monkeypatch.context() as patch, pytest.raises(Cut):
            patch.setattr(module, name, _cut_after(getattr(module, name), writes=module in (config, keys)))
            hallmark(project, *words(project))
        found = {path: path.read_bytes() for path in (project.parent / "root", *(project / ".hallmark/keys").glob("*"))
                 if path.is_file()}  # fmt: skip
        assert {path: found[path] for path in made} == made, f"step {number} replaced a key that was there"
        made, now = found, texts(project)
        if module is keys:
            assert len([path for path in made if path.suffix != ".pub"]) == number + 1, "one more key a step"
        written += module is config
        changed = [name for name in file_names.FILES_IN_WRITE_ORDER if now[name] != before[name]]
        assert changed == list(file_names.FILES_IN_WRITE_ORDER[:written]), f"step {number}"
        assert adoptions(project) == 0
    hallmark(project, *words(project))
    assert adoptions(project) == 1
    adopted = people.load_people(project / "infra/governance")
    for machine in MACHINES:
        (key,) = adopted.keys_of_machine(machine)
        assert key.public_key == (project / f".hallmark/keys/{machine}.pub").read_text().strip()


def _cut_after(function: Callable[..., Any], writes: bool) -> Callable[..., Any]:
    """Return the function, which ends the process: after it wrote one file, or before it did anything."""

    def call(*args: Any, **kwargs: Any) -> Any:
        if writes:
            function(*args, **kwargs)
        raise Cut

    return call


def test_at_a_terminal_all_is_asked_for_and_a_wrong_answer_again(
    project: Path, keys_of_people: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(questions, "can_ask", lambda: True)
    root, before = project.parent / "root", texts(project)

    def new(who: str) -> list[str]:
        return [who, who.title(), f"{keys_of_people / who}.pub"]

    said = ["", "", str(project / "root"), str(root)]  # the ledger; no root key, one in the checkout, one beside it
    said += [*new("zeno"), ""]
    said += ["", "Dora!", "dora", "", "Dora", str(keys_of_people / "dora"), f"{keys_of_people / 'zeno'}.pub"]
    said += [f"{keys_of_people / 'dora'}.pub", "dora", ""]
    said += [*new("cleo"), "dora", ""]
    said += ["nobody", "cleo", "dora"]  # who takes over from the owner of the product, and from the engineer
    wrong = [
        "name a file", "is in this checkout", "'' cannot be an id", "'Dora!' cannot be an id", "it cannot be empty",
        "dora is a private key", "this key is zeno's already", "dora holds role risk_officer already",
        "'nobody' is none of the people: zeno, dora, cleo",
    ]  # fmt: skip

    done = run_command(project, ("init", *PRODUCTION), "\n".join([*said, "n", ""]))
    told = checked(done, ("init",), 1).stdout
    places = [told.find(text) for text in wrong]
    assert -1 not in places and places == sorted(places), told
    assert "nothing was adopted" in done.stderr and texts(project) == before

    done = run_command(project, ("init", *PRODUCTION), "\n".join([*said, "y", ""]))
    told = checked(done, ("init",), 0).stdout
    assert "hallmark init --environment production --root-key PATH --people FILE --successor" in told
    assert people.load_people(project / "infra/governance").get("dora").roles_at(None) == [
        "risk_officer",
        "product_owner",
    ]
    assert "owners: {business: cleo, technical: dora, data: zeno}" in texts(project)[file_names.PARAMS]


def test_at_a_terminal_somebody_may_say_no(project: Path, answers: Path) -> None:
    before = texts(project)
    terminal = Terminal(project, *words(project)[:-1])
    terminal.until("(For Postgres say n.)")
    os.write(terminal.screen, b"y\n")
    shown = terminal.until("[y/N]")
    assert "+environment: production" in shown and "write this, and adopt environment production" in shown
    code, told = terminal.answer("n")
    assert code == 1 and "nothing was adopted" in told and texts(project) == before
    assert not (project / ".hallmark/keys/root.pub").exists(), "a root key is trusted that adopted nothing"
