"""Current schedules and triggers, since when they are active, and which of them are paused, from signed entries."""

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
from tasks.scheduling.signed_statements import (
    DECLARATION,
    DECLARED,
    PAUSED,
    RESUMED,
    SWITCH,
    Declaration,
    ScheduleSwitch,
)


@dataclass(frozen=True)
class DeploymentsInForce:
    deployments: Deployments = field(default_factory=Deployments)
    declaration: Declaration | None = None
    """Declaration of the current deployments file; None if no file was declared."""
    active_since: Mapping[str, datetime] = field(default_factory=dict)
    """Time when each schedule or trigger last became active, by name. It becomes active when it is declared, when its
    timing changes, and when it is resumed."""
    pauses: Mapping[str, ScheduleSwitch] = field(default_factory=dict)
    error_text: str = ""
    """Error message if this version of Hallmark cannot read the current deployments file; otherwise empty."""
    declared_by: Mapping[str, str] = field(default_factory=dict)
    """Id of the person who declared each schedule or trigger in its current form, by name. If another person declares
    it again unchanged, the first person remains responsible for it."""
    without_declarer: tuple[str, ...] = ()
    """Names of schedules and triggers whose declarer no longer holds a role. The next person who declares the file
    becomes their declarer."""
    last_switches: Mapping[str, str] = field(default_factory=dict)
    """Digest of the last signed pause or resumption, by name of the schedule or trigger."""

    def predecessor_digest(self, name: str) -> str | None:
        """Return the digest that the next pause or resumption of a schedule or trigger must refer to."""
        return self.last_switches.get(name, self.sha256)

    @property
    def sha256(self) -> str | None:
        return self.declaration.file_sha256 if self.declaration else None

    def require_in_force(self, name: str) -> None:
        """Verify that there is a schedule or trigger with this name.

        Raises:
            InputError: There is none.
        """
        if name not in self.deployments.named:
            known = ", ".join(self.deployments.named) or "none is in force; `hallmark deploy` puts some in force"
            raise InputError(f"there is no schedule or trigger {name!r}: {known}")


def read_deployments(ledger: Ledger, governance: Governance) -> DeploymentsInForce:
    """Return the current schedules and triggers. Entries that the people in force cannot have signed are ignored."""
    newest: Declaration | None = None
    problem, deployments = "", Deployments()
    since: dict[str, datetime] = {}
    before: dict[str, Any] = {}
    content: dict[str, Any] = {}
    by: dict[str, str] = {}
    files: set[str] = set()
    for signed in _valid_declarations(ledger, governance):
        newest, problem = signed.document, ""
        try:
            deployments = parse_deployments(newest.text)
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


def _valid_declarations(ledger: Ledger, governance: Governance) -> Iterator[SignedDocument[Declaration]]:
    """Yield the valid declarations, oldest first.

    A declaration is valid once, and only if it names the deployments file declared before it as the one that it
    replaces. A declaration that cannot be verified, for example because its signer left people.yaml, is left out; the
    next one may still name its file.
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
) -> tuple[dict[str, ScheduleSwitch], dict[str, str]]:
    """Return the current pauses by name, and the digest of the last pause or resumption of each name.

    `since` is modified: a resumed schedule or trigger is active since the end of its pause.
    """
    paused: dict[str, ScheduleSwitch] = {}
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


def _follows_previous(switch: ScheduleSwitch, previous_digest: str | None, declared_files: set[str]) -> bool:
    """Return whether a pause or resumption refers to the previous one.

    Statements of earlier versions of Hallmark have no such reference and always count.
    """
    if switch.follows is None:
        return True
    return switch.follows == previous_digest if previous_digest else switch.follows in declared_files


@cache
def parse_deployments(text: str) -> Deployments:
    """Parse the text of a deployments file.

    Raises:
        InputError: The text is not valid; the message lists all errors with their lines.
    """
    document = yaml_text.parse_with_limits(text, DEFAULT_PATH)
    return config.validate_document({} if document is None else document, Deployments, Path(DEFAULT_PATH))
