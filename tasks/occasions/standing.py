"""Which schedules and triggers are in force, since when, and which rest: what the ledger's signatures add up to."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from tasks.core import config, yaml_text
from tasks.core.errors import HallmarkError, InputError
from tasks.core.files import sha256_bytes
from tasks.ledger.ledger import Ledger
from tasks.occasions.declared import DEFAULT, Deployments
from tasks.occasions.signed_deed import DECLARATION, DECLARED, PAUSED, RESUMED, SWITCH, Declaration, Switch
from tasks.policy.governance import Governance
from tasks.policy.read_signed import read_signed


@dataclass(frozen=True)
class Standing:
    deployments: Deployments = field(default_factory=Deployments)
    declaration: Declaration | None = None
    """Who put them in force, and when; None: nobody has."""
    since: Mapping[str, datetime] = field(default_factory=dict)
    """By name, from when on it counts as it stands: its declaration, the change of its times, or the end of a pause."""
    paused: Mapping[str, Switch] = field(default_factory=dict)
    """By name, who paused it and why."""
    problem: str = ""
    """Why this version cannot read what is in force; empty where it can."""
    declared_by: Mapping[str, str] = field(default_factory=dict)
    """By name, who put it in force as it stands. Who puts the file in force anew and changes nothing of it does not."""
    orphaned: tuple[str, ...] = ()
    """Names of those whose declarer holds no role any more. Who declares the file again takes them over."""
    switched: Mapping[str, str] = field(default_factory=dict)
    """By name, `dsse.digest` of its last pause or the end of that."""

    def follows(self, name: str) -> str | None:
        """What the next switch of a name follows."""
        return self.switched.get(name, self.sha256)

    @property
    def sha256(self) -> str | None:
        return self.declaration.file_sha256 if self.declaration else None

    def require(self, name: str) -> None:
        """Raises InputError where nothing of that name is in force."""
        if name not in self.deployments.named:
            known = ", ".join(self.deployments.named) or "none is in force; `hallmark deploy` puts some in force"
            raise InputError(f"there is no schedule or trigger {name!r}: {known}")


def read(ledger: Ledger, governance: Governance) -> Standing:
    """As of now. What does not verify under the people in force counts for nothing."""
    newest: Declaration | None = None
    problem, deployments = "", Deployments()
    since: dict[str, datetime] = {}
    before: dict[str, Any] = {}
    content: dict[str, Any] = {}
    by: dict[str, str] = {}
    files: set[str] = set()
    for entry in ledger.entries(DECLARED):
        with suppress(HallmarkError):
            signed = read_signed(entry, DECLARATION, governance)
            said = signed.said
            if (
                said.environment != governance.policy.environment
                or sha256_bytes(said.text.encode()) != said.file_sha256
            ):
                continue
            newest, problem = said, ""
            try:
                deployments = parse(said.text)
            except InputError as error:
                problem, deployments = str(error), Deployments()
            timing = {name: each.timing for name, each in deployments.named.items()}
            since = {name: since[name] if before.get(name) == it else signed.at for name, it in timing.items()}
            before = timing
            contents = {name: each.model_dump(mode="json") for name, each in deployments.named.items()}
            stayed = (name for name, it in contents.items() if content.get(name) == it)
            same = {name for name in stayed if _is_here(by[name], governance, signed.at)}
            by = {name: by[name] if name in same else said.person for name in contents}
            content = contents
            files.add(said.file_sha256)
    paused, switched = _switched(ledger, governance, since, files)
    orphaned = tuple(name for name, person in by.items() if not _is_here(person, governance, ledger.now()))
    return Standing(deployments, newest, since, paused, problem, by, orphaned, switched)


def _is_here(person_id: str, governance: Governance, at: datetime) -> bool:
    person = governance.people.get(person_id)
    return person is not None and bool(person.roles_at(at))


def _switched(
    ledger: Ledger, governance: Governance, since: dict[str, datetime], files: set[str]
) -> tuple[dict[str, Switch], dict[str, str]]:
    """Who paused what, and the digest of the last switch of each name; `since` is moved to the end of a pause."""
    paused: dict[str, Switch] = {}
    last: dict[str, str] = {}
    known: set[str] = set()
    told: set[str] = set()
    for entry in sorted(ledger.entries(PAUSED) + ledger.entries(RESUMED), key=lambda entry: entry.seq):
        with suppress(HallmarkError):
            signed = read_signed(entry, SWITCH, governance)
            said = signed.said
            if said.environment != governance.policy.environment or entry.subject != said.name:
                continue
            if said.follows is None and said.name in told:
                continue  # its name has switches by now that say what they follow
            if signed.sha256 in known or not _in_turn(said, last.get(said.name), files):
                continue  # whoever can append wrote an old one again
            known.add(signed.sha256)
            told |= {said.name} if said.follows else set()
            last[said.name] = signed.sha256
            if said.deed == "pause":
                paused[said.name] = said
            elif paused.pop(said.name, None) and said.name in since:
                since[said.name] = max(since[said.name], signed.at)
    return paused, last


def _in_turn(said: Switch, before: str | None, files: set[str]) -> bool:
    """Whether a switch was signed after the one before it. Those of a version that did not say count in their place."""
    if said.follows is None:
        return True
    return said.follows == before if before else said.follows in files


@cache
def parse(text: str) -> Deployments:
    """The file with this text. Raises InputError with every mistake and its line."""
    document = yaml_text.load(text, DEFAULT)
    return config.validate({} if document is None else document, Deployments, Path(DEFAULT))
