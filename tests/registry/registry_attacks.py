"""What somebody does to a model registry who may call its API or write to its store, to have their model served.

Each takes a client, the model's name and a folder with weights of their own, and finds version 1, an older valid
release, and version 2 as the champion. tests/attack_suite.py runs the same against MLflow without Hallmark.
"""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

CHAMPION = "champion"
TAGS = {"hallmark.release": "triage-2", "hallmark.gate.release": "0" * 64, "approved_by": "risk-officer"}
"""That claim what people decided."""

RegistryAttack = Callable[[Any, str, Path], object]


def _own_version(client: Any, name: str, own: Path, **tags: str) -> str:
    return client.create_model_version(name, own.resolve().as_uri(), tags=tags or None, await_creation_for=0).version


def back_to_the_older(client: Any, name: str, own: Path) -> None:
    client.set_registered_model_alias(name, CHAMPION, "1")


def to_their_own(client: Any, name: str, own: Path) -> None:
    client.set_registered_model_alias(name, CHAMPION, _own_version(client, name, own))


def to_their_own_with_tags(client: Any, name: str, own: Path) -> None:
    client.set_registered_model_alias(name, CHAMPION, _own_version(client, name, own, **TAGS))


def champion_deleted(client: Any, name: str, own: Path) -> None:
    """MLflow gives the number of a deleted newest version again."""
    client.delete_model_version(name, "2")
    client.set_registered_model_alias(name, CHAMPION, _own_version(client, name, own, **TAGS))


def made_anew(client: Any, name: str, own: Path) -> None:
    client.delete_registered_model(name)
    _under_the_name(client, name, own)


def renamed(client: Any, name: str, own: Path) -> None:
    client.rename_registered_model(name, f"{name}-old")
    _under_the_name(client, name, own)


def _under_the_name(client: Any, name: str, own: Path) -> None:
    client.create_registered_model(name)
    client.set_registered_model_alias(name, CHAMPION, _own_version(client, name, own))


def artefacts_overwritten(client: Any, name: str, own: Path) -> None:
    """Where the registry's champion has its files."""
    place = Path(unquote(urlparse(client.get_model_version(name, "2").source).path))
    for path in own.rglob("*"):
        target = place / path.relative_to(own)
        if path.is_file():
            target.parent.chmod(0o755)
            target.unlink()
            shutil.copyfile(path, target)


ATTACKS: dict[str, RegistryAttack] = {
    "the alias moved to an older valid release": back_to_the_older,
    "the alias moved to a version of their own": to_their_own,
    "… with tags that say who approved it": to_their_own_with_tags,
    "the champion deleted, their own under its number": champion_deleted,
    "the model deleted and made anew": made_anew,
    "the model renamed, their own under its name": renamed,
    "the champion's files overwritten in the store": artefacts_overwritten,
}
