"""A project, and answers about an environment that is set up in it."""

from pathlib import Path

import pytest

from infra.cli.environment_setup import file_texts
from tasks.ledger.ledger import open_ledger
from tasks.policy import adoption_entries
from tasks.trust import keys
from tests.checkouts import Checkouts

ROLES = {"ada": "requester", "zeno": "data_owner", "cleo": "product_owner", "dora": "risk_officer"}


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
