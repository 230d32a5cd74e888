"""`hallmark init --environment NAME` adopts what was shown and checked, whatever happens beside it."""

import errno
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer

from infra.cli.environment_setup import command, file_names, questions
from tasks.core.errors import InputError
from tasks.core.files import create_private_file
from tasks.ledger.ledger import open_ledger
from tasks.policy import adoption_entries, adoption_signing, root_of_trust
from tasks.policy.people import MACHINES
from tasks.trust import keys, signing_keys, ssh_agent
from tests.editing import edit
from tests.environment_setup.conftest import ROLES, adoptions, texts, words
from tests.in_process import adopt_anew, hallmark, run_command
from tests.tiny_project import checked

PRODUCTION = ("init", "--environment", "production")


def answer_after(monkeypatch: pytest.MonkeyPatch, act: Callable[[], Any]) -> None:
    """Let somebody act while the command asks whether to adopt, and then say yes."""

    def confirm(question: str, **_: Any) -> bool:
        if question.startswith("write this"):
            act()
        return True

    monkeypatch.setattr(questions, "can_ask", lambda: True)
    monkeypatch.setattr(typer, "confirm", confirm)


def test_a_file_that_changes_during_the_question_is_not_adopted(
    project: Path, answers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = project / file_names.POLICY
    edit(policy, "environment: local", "environment: production")
    with monkeypatch.context() as patch:
        answer_after(patch, lambda: edit(policy, "at_least: 10", "at_least: 0"))
        told = hallmark(project, *words(project)[:-1], code=1)
    assert "infra/governance/policy.yaml changed after it was read; nothing was written" in told
    assert "enough rows" in told, "a policy that stays as it is was not shown"
    assert adoptions(project) == 0 and "ml-engineer" in texts(project)[file_names.PEOPLE]
    assert not (project / ".hallmark/keys/root.pub").exists()


def test_what_is_signed_is_what_was_shown_even_if_a_file_changes_after_the_writing(
    project: Path, answers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy, store = project / file_names.POLICY, root_of_trust.store_root_key

    def change(*args: Any) -> None:
        edit(policy, "at_least: 10", "at_least: 0")
        store(*args)

    monkeypatch.setattr(root_of_trust, "store_root_key", change)
    hallmark(project, *words(project))
    (entry,) = open_ledger(project / ".hallmark").entries(adoption_entries.ADOPTED)
    adopted = adoption_entries.read_chain(open_ledger(project / ".hallmark"), root_of(project)).newest_adoption
    assert entry and adopted
    (check,) = [each for each in adopted.policy.tier("limited").gates["data"].checks if each.name == "enough rows"]
    assert check.at_least == 10


def root_of(project: Path) -> str:
    return keys.fingerprint((project / ".hallmark/keys/root.pub").read_text())


NOT_NOW = {
    "roles that have ended": ("roles: [risk_officer]", "roles: [{role: risk_officer, valid_before: 2020-01-01}]"),
    "roles that begin later": ("roles: [risk_officer]", "roles: [{role: risk_officer, valid_after: 2999-01-01}]"),
    "keys that have ended": ("keys: [KEYS/dora.pub]", "keys: [{public_key: KEYS/dora.pub, valid_before: 2020-01-01}]"),
    "revoked keys": (
        "keys: [KEYS/dora.pub]",
        "keys: [{public_key: KEYS/dora.pub, revoked_as_of: 2020-01-01, reason: lost}]",
    ),
}


@pytest.mark.parametrize("case", NOT_NOW)
def test_people_who_could_sign_nothing_now_are_refused_also_by_policy_adopt(
    project: Path, answers: Path, keys_of_people: Path, case: str
) -> None:
    old, new = (text.replace("KEYS", str(keys_of_people)) for text in NOT_NOW[case])
    edit(answers, old, new)
    told = hallmark(project, *words(project), code=2)
    assert "risk_officer" in told and "only roles and keys count that are valid on" in told
    assert not (project.parent / "root").exists()

    people, sources = project / file_names.PEOPLE, project / file_names.SOURCES
    text = answers.read_text()
    for who in ROLES:
        text = text.replace(f"{keys_of_people / who}.pub", (keys_of_people / f"{who}.pub").read_text().strip())
    edit(project / file_names.POLICY, "environment: local", "environment: production")
    runner = project.parent / "runner"
    machines = "".join(f"  {name}: {{keys: [{keys.create_key_pair(runner, name)}]}}\n" for name in MACHINES)
    people.write_text(f"people:\n{text}machines:\n{machines}")
    sources.write_text(sources.read_text().replace("data-owner", "zeno"))
    with pytest.raises(AssertionError, match="only roles and keys count that are valid on"):
        adopt_anew(project)
    assert adoptions(project) == 0


def test_no_second_root_of_trust_begins_during_the_question(
    project: Path, answers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another clone on the same ledger adopts first."""

    def adopt_elsewhere() -> None:
        state, ledger = project / ".hallmark", open_ledger(project / ".hallmark")
        line = keys.create_key_pair(project.parent, "other")
        signer = keys.make_signer(keys.load_private_key(project.parent / "other"))
        policy, people = command.file_checks.require_valid(project, shown[0]).policy, shown[1]
        adoption_signing.sign_adoption(ledger, keys.fingerprint(line), policy, people, signer)
        assert not (state / "keys" / "root.pub").exists()

    shown: list[Any] = []
    real = command.adopting.require_adoptable

    def remember(here: Any, governed: Any, root: Any) -> None:
        shown[:] = [texts(project) | {file_names.POLICY: texts(project)[file_names.POLICY]}, governed.people]
        real(here, governed, root)

    before = texts(project)
    with monkeypatch.context() as patch:
        patch.setattr(command.adopting, "require_adoptable", remember)
        answer_after(patch, adopt_elsewhere)
        told = hallmark(project, *words(project)[:-1], code=1)
    assert "this ledger was begun under another root key" in told
    assert "hallmark init --environment production --new-root" in told
    assert adoptions(project) == 1 and texts(project) == before
    assert not (project / ".hallmark/keys/root.pub").exists()

    monkeypatch.setattr(command.adopting, "require_trusted_root", skip_first(command.adopting.require_trusted_root, 2))
    assert "this ledger was begun under another root key" in hallmark(project, *words(project), code=1)
    assert adoptions(project) == 1, "the transaction of the adoption looks again"
    assert not (project / ".hallmark/keys/root.pub").exists(), "a root key is trusted that adopted nothing"


def skip_first(function: Callable[..., Any], count: int) -> Callable[..., Any]:
    calls = []

    def call(*args: Any) -> Any:
        calls.append(args)
        return function(*args) if len(calls) > count else None

    return call


BROKEN = {
    "no sources": (file_names.SOURCES, None, "has no infra/governance/sources.yaml; restore it"),
    "no people": (file_names.PEOPLE, None, "has no infra/governance/people.yaml; restore it"),
    "no policy": (file_names.POLICY, None, "has no infra/governance/policy.yaml; restore it"),
    "test cases of a wrong shape": (file_names.TESTS, "cases: 7\n", "policy_tests.yaml:1: cases"),
    "no owners": (file_names.PARAMS, "  owners:", "params.yaml"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_files_from_which_the_list_is_made_are_checked_before_any_question(
    project: Path, answers: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    name, text, told = BROKEN[case]
    file = project / name
    if text is None:
        file.unlink()
    elif name == file_names.PARAMS:
        lines = file.read_text().splitlines(keepends=True)
        file.write_text("".join(line for line in lines if not line.startswith(text)))
    else:
        file.write_text(text)
    monkeypatch.setattr(questions, "can_ask", lambda: True)
    done = run_command(project, PRODUCTION, "")
    assert told in checked(done, PRODUCTION, 2).stderr and "Is that meant?" not in done.stdout
    assert told in hallmark(project, *words(project), code=2) and not (project.parent / "root").exists()


def test_a_part_of_the_list_that_cannot_be_made_does_not_hide_the_rest(
    project: Path, answers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> Any:
        raise InputError("HEAD holds a file that nobody reads")

    monkeypatch.setattr(command.remaining_work.commit_tree, "read_tree", refuse)
    told = hallmark(project, *words(project))
    assert "HEAD holds a file that nobody reads" in told and "hallmark doctor" in told and "as a script" in told


def test_people_with_keys_stay_and_only_what_is_missing_is_asked(
    project: Path, keys_of_people: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = project / file_names.PEOPLE
    gone = keys.create_key_pair(project.parent, "gone")
    for who, person in (("Data owner, roles: [data_owner]", "zeno"), ("Product owner, roles: [product_owner]", "cleo")):
        line = (keys_of_people / f"{person}.pub").read_text().strip()
        edit(people, f"name: {who}", f"name: {who}, keys: [{line}]")
    ended = f"  - {{id: gone, name: Gone, roles: [{{role: requester, valid_before: 2020-01-01}}], keys: [{gone}]}}\n"
    edit(people, "  - {id: demo-data-owner", f"{ended}  - {{id: demo-data-owner")
    monkeypatch.setattr(questions, "can_ask", lambda: True)
    said = ["", str(project.parent / "root"), "dora", "Dora", f"{keys_of_people / 'dora'}.pub", ""]
    said += ["gone2", "dora", "y"]  # nobody who is still here has the role of the technical owner
    told = checked(run_command(project, PRODUCTION, "\n".join([*said, ""])), PRODUCTION, 0).stdout
    assert (
        "held by data-owner" in told
        and "technical: dora" in told
        and "leave     ml-engineer, colleague, risk-officer, demo-data-owner" in told
    )
    adopted = adoption_entries.read_chain(open_ledger(project / ".hallmark"), root_of(project)).newest_adoption
    assert adopted and [each.id for each in adopted.people.people] == [
        "data-owner", "product-owner", "gone", "dora"
    ]  # fmt: skip


def test_a_role_that_cannot_be_one_is_asked_again_and_an_alias_is_told_before_the_questions(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match="'Officer!' cannot be a role"):
        questions._roles("risk_officer Officer!")
    edit(project / file_names.SOURCES, "owner: data-owner", "owner: &o data-owner")
    edit(project / file_names.SOURCES, "steward: data-owner", "steward: *o")
    monkeypatch.setattr(questions, "can_ask", lambda: True)
    done = checked(run_command(project, PRODUCTION, ""), PRODUCTION, 2)
    assert "expected data-owner written out here" in done.stderr and "Is that meant?" not in done.stdout


def test_a_key_is_made_on_a_disk_without_hard_links_and_not_on_one_without_modes(
    project: Path, answers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refuse)
    assert create_private_file(tmp_path / "key", b"a key") and not create_private_file(tmp_path / "key", b"another")
    assert (tmp_path / "key").read_bytes() == b"a key" and (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    assert not list(tmp_path.glob(".key.*"))

    make = tempfile.mkstemp

    def open_to_all(*args: Any, **kwargs: Any) -> Any:
        handle, path = make(*args, **kwargs)
        Path(path).chmod(0o755)
        return handle, path

    monkeypatch.setattr(tempfile, "mkstemp", open_to_all)
    assert "this file system keeps neither owner nor mode of files" in hallmark(project, *words(project), code=2)
    assert not (project.parent / "root").exists()


def test_a_root_key_that_others_have_too_is_refused(
    project: Path, answers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def init(path: str, code: int = 2) -> str:
        return hallmark(project, *PRODUCTION, "--root-key", path, "--people", str(answers), "--yes", code=code)

    assert "~nosuchuser/k: there is no such user" in init("~nosuchuser/k")
    (tmp_path / "loop").symlink_to("loop")
    assert "is a loop of links" in init(str(tmp_path / "loop"))
    (tmp_path / "st" / "keys").mkdir(parents=True)
    (project / ".hallmark").symlink_to(tmp_path / "st")
    keys.create_key_pair(tmp_path / "st" / "keys", "mykey")
    assert "is in this checkout" in init(str(tmp_path / "st" / "keys" / "mykey"))
    os.mkfifo(tmp_path / "pipe", 0o600)
    assert "it is no file but a folder, a pipe or a device" in init(str(tmp_path / "pipe"))
    keys.create_key_pair(tmp_path, "root")
    with monkeypatch.context() as patch:
        patch.setattr(os, "geteuid", lambda: (tmp_path / "root").stat().st_uid + 1)
        assert "who has the key too; name a root key of your own" in init(str(tmp_path / "root"))
    tmp_path.chmod(0o777)
    assert "could replace the root key" in init(str(tmp_path / "root"), code=0)
    told = hallmark(project, *words(project), "--new-root", code=1)
    assert "leave --new-root out" in told
    assert "not used, since nothing is adopted any more: --root-key" in init(str(tmp_path / "other"), code=0)


def test_an_agent_signs_for_a_root_key_with_a_passphrase_if_its_public_half_lies_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = keys.create_key_pair(tmp_path, "root")
    key = keys.load_private_key(tmp_path / "root")
    (tmp_path / "root").write_bytes(keys.encode_private_key(key, b"secret"))
    monkeypatch.setattr(ssh_agent, "is_running", lambda: True)
    monkeypatch.setattr(ssh_agent, "list_public_lines", lambda: [line])
    assert signing_keys.signer_from_key_pair(tmp_path / "root").public_line == line
    (tmp_path / "root.pub").unlink()
    with pytest.raises(InputError, match=r"with root\.pub beside it"):
        signing_keys.signer_from_key_pair(tmp_path / "root")


@pytest.mark.parametrize("name", ["null", "true", "123"])
def test_a_name_that_yaml_reads_as_something_else_is_refused(project: Path, name: str) -> None:
    assert "YAML reads this as something else" in hallmark(project, "init", "--environment", name, "--yes", code=2)


def test_a_path_that_begins_like_a_key_is_a_path(project: Path, answers: Path, keys_of_people: Path) -> None:
    (answers.parent / "ssh-keys").mkdir()
    (answers.parent / "ssh-keys" / "zeno.pub").write_text((keys_of_people / "zeno.pub").read_text())
    edit(answers, f"{keys_of_people / 'zeno'}.pub", "ssh-keys/zeno.pub")
    hallmark(project, *words(project))
    edit(answers, "ssh-keys/zeno.pub", "~nosuchuser/zeno.pub")
    assert "there is no such user" in hallmark(project, *words(project), code=2)
