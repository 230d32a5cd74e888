"""`hallmark identity`: keys are made, brought and revoked as proposals in people.yaml, whose comments stay."""

import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tasks.core.machine import locks
from tasks.policy import people, proposal
from tasks.policy.people import People
from tasks.trust import keys, ssh_agent
from tests.asking_agent import needs_ssh_agent, started
from tests.governed.house import PEOPLE, POLICY
from tests.in_process import hallmark, hallmark_json
from tests.tiny_project import commit, git

FILE = Path("infra/governance/people.yaml")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("identity")
    for name, text in (
        ("dvc.yaml", ""),
        ("params.yaml", ""),
        ("infra/governance/policy.yaml", POLICY),
        (str(FILE), "# Who may do what.\n" + PEOPLE),
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    git(folder, "init", "--quiet")
    commit(folder, "Somebody's project")
    hallmark(folder, "init")
    return folder


def read(project: Path) -> People:
    return people.load_people(project / "infra" / "governance")


def test_a_key_that_takes_anothers_place_is_proposed_and_the_other_ends(project: Path) -> None:
    made = (project / ".hallmark" / "keys" / "owner.pub").read_text()
    told = hallmark_json(project, "identity", "create", "owner", "--out", str(project / "key"), "--replace")
    assert told["fingerprint"] == keys.fingerprint(keys.make_public_line(keys.load_private_key(project / "key")))
    old, new = read(project).get("owner").keys
    assert (old.fingerprint, new.fingerprint) == (keys.fingerprint(made), told["fingerprint"])
    assert old.valid_before == new.valid_after and abs((new.valid_after - datetime.now(UTC)).total_seconds()) < 60
    text = (project / FILE).read_text()
    assert text.startswith("# Who may do what.\n") and "{id: lead, name: Lead, roles: [ml-lead]}" in text
    told = hallmark(project, "identity", "create", "owner", "--out", str(project / "key"), code=2)
    assert "a key is here already" in told
    assert (project / FILE).read_text() == text


@pytest.mark.parametrize("change", ["create ada --name Ada --role risk", "revoke owner"])
def test_commands_change_the_file_one_after_another(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    """They wait for each other, so that none of them has read what another is about to change."""
    held = []

    def look(*_: object, **__: object) -> bool:
        held.append(locks.is_held(project / ".hallmark" / "editing.lock"))
        return False

    monkeypatch.setattr(proposal, "propose_changes", look)
    mark = keys.fingerprint(keys.create_key_pair(tmp_path, "key"))
    more = ["--key", mark, "--as-of", "2026-03-01", "--reason", "lost"] if "revoke" in change else []
    hallmark(project, "identity", *change.split(), *more)
    assert held == [True]


def test_no_public_key_of_somebody_is_overwritten(project: Path, tmp_path: Path) -> None:
    """Its private key may be in an agent or a token."""
    public, text = tmp_path / "own.pub", (project / FILE).read_text()
    public.write_text("ssh-ed25519 somebody's\n")
    told = hallmark(project, "identity", "create", "owner", "--out", str(tmp_path / "own"), code=2).replace("\n", "")
    assert f"{public}: a key is here already" in told
    assert public.read_text() == "ssh-ed25519 somebody's\n" and (project / FILE).read_text() == text
    assert [path.name for path in tmp_path.iterdir()] == ["own.pub"]


def test_a_key_that_lies_where_hallmark_looks_first_is_told(project: Path, tmp_path: Path) -> None:
    """`hallmark init` made it; a machine's is wanted there, a person's is in the way."""
    place = project / ".hallmark" / "keys"
    said = hallmark(project, "identity", "create", "risk-one", "--out", str(tmp_path / "own")).replace("\n", "")
    assert f"{place / 'risk-one'} is another key of risk-one" in said
    assert "move it and risk-one.pub away" in said
    said = hallmark(project, "identity", "create", "worker", "--out", str(tmp_path / "machine"))
    assert "put the new one in its place" in said
    assert "goes before all others" not in hallmark(
        project, "identity", "import", "scheduler", str(place / "scheduler")
    )
    said = hallmark(project, "identity", "create", "lead", code=2)
    assert "To have another in its place, move it and lead.pub away first" in said


def test_an_existing_key_is_brought_once_and_revoked(project: Path) -> None:
    line, brought = keys.create_key_pair(project / "brought", "id"), str(project / "brought" / "id")
    said = hallmark(project, "identity", "import", "gate", brought)
    assert "it counts once adopted: hallmark policy adopt infra/governance" in said.replace("\n", " ")
    text = (project / FILE).read_text()
    assert "nothing was changed" in hallmark(project, "identity", "import", "gate", f"{brought}.pub")
    assert (project / FILE).read_text() == text
    made = (project / ".hallmark" / "keys" / "gate.pub").read_text().strip()
    listed = [key.public_key for key in read(project).machines["gate"].keys]
    assert listed == [made, line], "what the key of `hallmark init` signed goes on to count"
    assert "each key stands here once" in hallmark(project, "identity", "import", "lead", brought, code=2)
    assert (project / FILE).read_text() == text
    revoke = ("identity", "revoke", "gate", "--key", keys.fingerprint(line), "--reason", "lost", "--as-of")
    assert hallmark_json(project, *revoke, "2026-03-02")["proposed"]
    assert not hallmark_json(project, *revoke, "2026-03-02")["proposed"]
    assert "would make count again" in hallmark(project, *revoke, "2026-03-03", code=1)
    hallmark(project, *revoke, "2026-03-01")
    assert read(project).machines["gate"].keys[-1].revoked_as_of == datetime(2026, 3, 1, tzinfo=UTC)


def test_a_key_with_a_passphrase_is_made_at_a_terminal(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = iter(["one", "another", "one", "one"])
    monkeypatch.setattr("getpass.getpass", lambda prompt: next(said))
    make = f"identity create clerk --name Clerk --role risk --passphrase --out {tmp_path / 'clerk'}".split()
    assert "not the same; nothing was made" in hallmark(project, *make, code=2)
    assert not (tmp_path / "clerk").exists()
    hallmark(project, *make)
    with pytest.raises(keys.PassphraseRequired):
        keys.load_private_key(tmp_path / "clerk")
    line = keys.make_public_line(keys.load_private_key(tmp_path / "clerk", b"one"))
    assert [key.fingerprint for key in read(project).get("clerk").keys] == [keys.fingerprint(line)]


@needs_ssh_agent
def test_the_key_that_an_agent_has_is_brought(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = (keys.create_key_pair(tmp_path, name) for name in ("first", "second"))
    bring = ("identity", "import", "guest", "--name", "Guest", "--role", "risk", "--agent")
    with started(tmp_path / "agent") as agent:
        monkeypatch.setenv(ssh_agent.SOCKET_VARIABLE, agent.environment[ssh_agent.SOCKET_VARIABLE])
        assert "the ssh-agent has no ed25519 key" in hallmark(project, *bring, code=2)
        for name in ("first", "second"):
            subprocess.run(["ssh-add", "-q", tmp_path / name], check=True)
        assert "say which with --key FINGERPRINT" in hallmark(project, *bring, code=2)
        hallmark(project, *bring, "--key", keys.fingerprint(second))
    assert [key.fingerprint for key in read(project).get("guest").keys] == [keys.fingerprint(second)]
    assert keys.fingerprint(first) not in (project / FILE).read_text()


def test_who_is_not_there_is_proposed_with_name_and_roles(project: Path) -> None:
    assert "is nobody in people.yaml; say --name" in hallmark(project, "identity", "create", "ada", code=2)
    assert not (project / ".hallmark" / "keys" / "ada").exists()
    hallmark(project, "identity", "create", "ada", "--name", "Ada", "--role", "risk")
    ada = read(project).get("ada")
    assert (ada.name, ada.roles[0].role, len(ada.keys)) == ("Ada", "risk", 1)
    assert (project / ".hallmark" / "keys" / "ada").stat().st_mode & 0o777 == 0o600


def test_the_list_says_which_keys_count(project: Path) -> None:
    rows = {row["id"]: row for row in hallmark_json(project, "identity", "list")}
    assert rows["risk-one"]["roles"] == ["risk"]
    assert rows["scheduler"]["roles"] == ["machine"]
    assert [key["state"] for key in rows["ledger"]["keys"]] == ["current"]


LONG = "a" * 5000


@pytest.mark.parametrize(
    "command",
    [
        ["identity", "create", LONG],
        ["identity", "create", "owner", "--out", LONG],
        ["identity", "import", "owner", LONG],
        ["backup", f"/tmp/{LONG}"],
        ["releases", "diff", LONG, LONG],
    ],
    ids=lambda command: " ".join(command[:2])[:20],
)
def test_a_path_that_no_system_has_is_an_input_error(project: Path, command: list[str]) -> None:
    told = hallmark(project, *command, code=2)
    assert "characters): this path cannot be used (File name too long); give another" in told


def test_a_key_is_not_made_below_a_file(project: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    below = str(tmp_path / "file" / "key")
    assert "cannot be written" in hallmark(project, "identity", "create", "owner", "--out", below, code=2)
    told = hallmark(project, "identity", "import", "owner", "", code=2)
    assert "others can read this private key" in told or "no private key can be read" in told
