"""`hallmark init --environment NAME`: the whole way to an adopted environment, and nothing half-done on it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.cli.environment_setup import command, file_texts
from tasks.core.documents import config
from tasks.ledger.ledger import open_ledger
from tasks.policy import adoption_entries, people
from tasks.policy.people import MACHINES
from tasks.trust import keys
from tests.checkouts import Checkouts
from tests.in_process import hallmark
from tests.tiny_project import commit

ROLES = {"ada": "requester", "zeno": "data_owner", "cleo": "product_owner", "dora": "risk_officer"}
LOOKED = ("--reason", "looked at it")


@pytest.fixture(scope="module")
def keys_of_people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("people")
    for who in ROLES:
        keys.create_key_pair(folder, who)
    return folder


@pytest.fixture
def project(tmp_path: Path, checkouts: Checkouts) -> Path:
    return checkouts.made(tmp_path / "project")


@pytest.fixture
def answers(tmp_path: Path, keys_of_people: Path) -> Path:
    """Whoever decides in the environment. One key is a line, the others are files."""
    own = {who: f"{keys_of_people / who}.pub" for who in ROLES}
    own["ada"] = (keys_of_people / "ada.pub").read_text().strip()
    lines = [
        f"- {{id: {who}, name: {who.title()}, roles: [{role}], keys: [{own[who]}]}}\n" for who, role in ROLES.items()
    ]
    (tmp_path / "answers.yaml").write_text("".join(lines))
    return tmp_path / "answers.yaml"


def words(project: Path, answers: Path | None = None) -> tuple[str, ...]:
    """The command with every answer."""
    given = answers or project.parent / "answers.yaml"
    root = project.parent / "root"
    return ("init", "--environment", "production", "--root-key", str(root), "--people", str(given), "--yes")


def texts(project: Path) -> dict[str, str]:
    return file_texts.read_texts(project)


def adoptions(project: Path) -> int:
    return len(open_ledger(project / ".hallmark").entries(adoption_entries.ADOPTED))


def test_one_command_sets_an_environment_up_and_lists_what_is_left(
    project: Path, answers: Path, keys_of_people: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HALLMARK_SHARED", raising=False)
    told = hallmark(project, *words(project))
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


def cut_at(number: int, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function, whose call with this number, counted from 1, ends the process before it did anything."""
    calls: Iterator[int] = iter(range(1, 100))

    def call(*args: Any, **kwargs: Any) -> Any:
        if next(calls) == number:
            raise Cut
        return function(*args, **kwargs)

    return call


STEPS = {
    "root key": (keys, "create_private_file", 1),
    "second machine": (keys, "create_private_file", 3),
    "vault": (command.governance, "create_vault_and_keys", 1),
    "first file": (config, "overwrite_if_unchanged", 1),
    "second file": (config, "overwrite_if_unchanged", 2),
    "third file": (config, "overwrite_if_unchanged", 3),
    "last file": (config, "overwrite_if_unchanged", 4),
    "trust": (adoption_entries, "store_root_key", 1),
    "adoption": (adoption_entries, "sign_adoption", 1),
}


@pytest.mark.parametrize("step", STEPS)
def test_a_call_that_was_cut_short_is_repeated_and_does_the_rest(
    project: Path, answers: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    module, name, number = STEPS[step]
    with monkeypatch.context() as patch, pytest.raises(Cut):
        patch.setattr(module, name, cut_at(number, getattr(module, name)))
        hallmark(project, *words(project))
    made = {path: path.read_bytes() for path in (project.parent / "root", *(project / ".hallmark/keys").glob("*"))
            if path.exists()}  # fmt: skip
    hallmark(project, *words(project))
    assert adoptions(project) == 1
    assert {path: path.read_bytes() for path in made} == made, "a key that was there was replaced"
    now = texts(project)
    assert "business: cleo" in now["params.yaml"] and "owner: zeno" in now["infra/governance/sources.yaml"]
    adopted = people.load_people(project / "infra/governance")
    for machine in MACHINES:
        (key,) = adopted.keys_of_machine(machine)
        assert key.public_key == (project / f".hallmark/keys/{machine}.pub").read_text().strip()
