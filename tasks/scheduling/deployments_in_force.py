"""Schedules and triggers in force, since when, and which are paused, derived from the ledger's signed entries."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from tasks.core.documents import config, yaml_text
from tasks.core.errors import HallmarkError, InputError
from tasks.core.files import sha256_bytes
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance
from tasks.policy.signed_document import SignedDocument, verify_entry
from tasks.scheduling.deployments_file import DEFAULT_PATH, Deployments
from tasks.scheduling.signed_statements import DECLARATION, DECLARED, PAUSED, RESUMED, SWITCH, Declaration, Switch


@dataclass(frozen=True)
class DeploymentsInForce:
    deployments: Deployments = field(default_factory=Deployments)
    declaration: Declaration | None = None
    """Declaration that put the file in force; None if no file is in force."""
    since: Mapping[str, datetime] = field(default_factory=dict)
    """Time since which each schedule or trigger has been active, by name: its declaration, the last change of its
    timing, or the end of its last pause."""
    paused: Mapping[str, Switch] = field(default_factory=dict)
    problem: str = ""
    """Error message if this version cannot read the file in force; otherwise empty."""
    declared_by: Mapping[str, str] = field(default_factory=dict)
    """Id of the person who declared each schedule or trigger as it is now, by name. Another person who declares it
    again unchanged does not replace this person."""
    without_declarer: tuple[str, ...] = ()
    """Names of schedules and triggers whose declarer no longer holds a role. The next person who declares the file
    becomes their declarer."""
    last_switches: Mapping[str, str] = field(default_factory=dict)
    """Digest of the last signed pause or resumption, by name of the schedule or trigger."""

    def predecessor(self, name: str) -> str | None:
        """Return the digest that the next pause or resumption of a schedule or trigger must refer to."""
        return self.last_switches.get(name, self.sha256)

    @property
    def sha256(self) -> str | None:
        return self.declaration.file_sha256 if self.declaration else None

    def require(self, name: str) -> None:
        """Raise InputError unless a schedule or trigger with this name is in force."""
        if name not in self.deployments.named:
            known = ", ".join(self.deployments.named) or "none is in force; `hallmark deploy` puts some in force"
            raise InputError(f"there is no schedule or trigger {name!r}: {known}")


def read(ledger: Ledger, governance: Governance) -> DeploymentsInForce:
    """Return the schedules and triggers in force. Entries that do not verify under the people in force are ignored."""
    newest: Declaration | None = None
    problem, deployments = "", Deployments()
    since: dict[str, datetime] = {}
    before: dict[str, Any] = {}
    content: dict[str, Any] = {}
    by: dict[str, str] = {}
    files: set[str] = set()
    for signed in _declarations(ledger, governance):
        newest, problem = signed.document, ""
        try:
            deployments = parse(newest.text)
        except InputError as error:
            problem, deployments = str(error), Deployments()
        timing = {name: each.timing for name, each in deployments.named.items()}
        since = {name: since[name] if before.get(name) == it else signed.effective_at for name, it in timing.items()}
        before = timing
        contents = {name: each.model_dump(mode="json") for name, each in deployments.named.items()}
        stayed = (name for name, it in contents.items() if content.get(name) == it)
        same = {name for name in stayed if _holds_a_role(by[name], governance, signed.effective_at)}
        by = {name: by[name] if name in same else newest.person for name in contents}
        content = contents
        files.add(newest.file_sha256)
    paused, switched = _read_switches(ledger, governance, since, files)
    orphaned = tuple(name for name, person in by.items() if not _holds_a_role(person, governance, ledger.now()))
    return DeploymentsInForce(deployments, newest, since, paused, problem, by, orphaned, switched)


def _declarations(ledger: Ledger, governance: Governance) -> Iterator[SignedDocument[Declaration]]:
    """Yield the valid declarations, oldest first. Each counts once, and only after the file that it replaces.

    If an entry does not verify, for example because its signer has left people.yaml, the declaration after it still
    counts.
    """
    seen: set[str] = set()
    predecessors: set[str | None] = {None}
    for entry in ledger.entries(DECLARED):
        try:
            signed = verify_entry(entry, DECLARATION, governance)
        except HallmarkError:
            predecessors.add(entry.subject)
            continue
        said = signed.document
        elsewhere = said.environment != governance.policy.environment
        if elsewhere or signed.sha256 in seen or sha256_bytes(said.text.encode()) != said.file_sha256:
            continue
        seen.add(signed.sha256)
        if said.follows in predecessors:
            predecessors = {said.file_sha256}
            yield signed


def _holds_a_role(person_id: str, governance: Governance, at: datetime) -> bool:
    person = governance.people.get(person_id)
    return person is not None and bool(person.roles_at(at))


def _read_switches(
    ledger: Ledger, governance: Governance, since: dict[str, datetime], files: set[str]
) -> tuple[dict[str, Switch], dict[str, str]]:
    """Return the pauses in force by name, and the digest of the last pause or resumption of each name.

    `since` is modified: a resumed schedule or trigger counts from the end of its pause.
    """
    paused: dict[str, Switch] = {}
    last: dict[str, str] = {}
    known: set[str] = set()
    told: set[str] = set()
    for entry in sorted(ledger.entries(PAUSED) + ledger.entries(RESUMED), key=lambda entry: entry.seq):
        with suppress(HallmarkError):
            signed = verify_entry(entry, SWITCH, governance)
            said = signed.document
            if said.environment != governance.policy.environment or entry.subject != said.name:
                continue
            if said.follows is None and said.name in told:
                continue  # later versions, which state it, have switched this name
            if signed.sha256 in known or not _follows_previous(said, last.get(said.name), files):
                continue  # an old statement that was appended again
            known.add(signed.sha256)
            told |= {said.name} if said.follows else set()
            last[said.name] = signed.sha256
            if said.deed == "pause":
                paused[said.name] = said
            elif paused.pop(said.name, None) and said.name in since:
                since[said.name] = max(since[said.name], signed.effective_at)
    return paused, last


def _follows_previous(said: Switch, before: str | None, files: set[str]) -> bool:
    """Return whether a pause or resumption refers to the one before it.

    Statements of earlier versions, which had no such reference, always count.
    """
    if said.follows is None:
        return True
    return said.follows == before if before else said.follows in files


@cache
def parse(text: str) -> Deployments:
    """Parse the text of a deployments file.

    Raises:
        InputError: The text is not valid; the message lists all errors with their lines.
    """
    document = yaml_text.load(text, DEFAULT_PATH)
    return config.validate({} if document is None else document, Deployments, Path(DEFAULT_PATH))
