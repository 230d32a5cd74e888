"""What a person signs about schedules and triggers: that a file is in force, that one of them rests or goes on."""

from datetime import datetime
from typing import Any, Literal

from tasks.core.files import sha256_bytes
from tasks.core.params.values import Name, Sha256
from tasks.policy.read_signed import Dated, Kind
from tasks.trust import dsse

DECLARED, PAUSED, RESUMED = "deployment.declared", "schedule.paused", "schedule.resumed"
"""Kinds of ledger entries; the subject of the first is the file's digest, of the others a name."""
TYPE = "urn:hallmark:deployment:v1"
SWITCH_TYPE = "urn:hallmark:schedule-switch:v1"
Deed = Literal["pause", "resume"]


class Declaration(Dated):
    """The predicate of a declaration."""

    person: Name
    file_sha256: Sha256
    """Of the file."""
    text: str
    """The file."""
    follows: Sha256 | None
    """Of the file that was in force before; null: none was."""
    environment: Name
    time: datetime


class Switch(Dated):
    """The predicate of a pause or of its end."""

    deed: Deed
    name: Name
    """Of a schedule or trigger."""
    person: Name
    reason: str
    follows: Sha256 | None = None
    """`dsse.digest` of the switch of that name before, or of the file in force where there was none: nobody records it
    again later. Null: signed by a version that did not say."""
    environment: Name
    time: datetime


DECLARATION = Kind(TYPE, Declaration, "a declaration of schedules", by=lambda said: said.person)
SWITCH = Kind(SWITCH_TYPE, Switch, "a pause or its end", by=lambda said: said.person)


def statement_of_file(said: Declaration) -> dict[str, Any]:
    return dsse.statement(TYPE, {"deployments.yaml": said.file_sha256}, said.said)


def statement_of_switch(said: Switch) -> dict[str, Any]:
    return dsse.statement(SWITCH_TYPE, {said.name: sha256_bytes(said.name.encode())}, said.said)
