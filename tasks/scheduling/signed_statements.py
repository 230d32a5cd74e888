"""Statements that people sign about schedules and triggers: declarations, pauses and resumptions."""

from datetime import datetime
from typing import Literal

from tasks.core.files import sha256_bytes
from tasks.core.params.values import Name, Sha256
from tasks.policy.signed_document import DatedDocument, SignedKind

DECLARED, PAUSED, RESUMED = "deployment.declared", "schedule.paused", "schedule.resumed"
"""Kinds of ledger entries; the subject of the first is the file's digest, of the others the schedule's or trigger's
name."""
TYPE = "urn:hallmark:deployment:v1"
SWITCH_TYPE = "urn:hallmark:schedule-switch:v1"
SwitchAction = Literal["pause", "resume"]


class Declaration(DatedDocument):
    """Predicate of a declaration of schedules and triggers."""

    person: Name
    file_sha256: Sha256
    """SHA-256 of the file."""
    text: str
    """Content of the file."""
    follows: Sha256 | None
    """SHA-256 of the file that was in force before; null: there was none."""
    environment: Name
    time: datetime


class Switch(DatedDocument):
    """Predicate of a pause or resumption."""

    deed: SwitchAction
    name: Name
    """Name of the schedule or trigger."""
    person: Name
    reason: str
    follows: Sha256 | None = None
    """`dsse.digest` of the last pause or resumption of that name, or SHA-256 of the file in force if there was none, so
    that this statement cannot be recorded again later. Null: signed by a version that did not state it."""
    environment: Name
    time: datetime


DECLARATION = SignedKind(
    TYPE, Declaration, "a declaration of schedules", signer_of=lambda said: said.person,
    subjects_of=lambda said: {"deployments.yaml": said.file_sha256},
)  # fmt: skip
SWITCH = SignedKind(
    SWITCH_TYPE, Switch, "a pause or its end", signer_of=lambda said: said.person,
    subjects_of=lambda said: {said.name: sha256_bytes(said.name.encode())},
)  # fmt: skip
