"""Statements that people sign about schedules and triggers: declarations, pauses and resumptions."""

from datetime import datetime
from typing import Literal

from tasks.core.files import sha256_bytes
from tasks.core.params.values import Name, Sha256
from tasks.policy.signed_document import DatedDocument, SignedKind

DECLARED, PAUSED, RESUMED = "deployment.declared", "schedule.paused", "schedule.resumed"
"""Kinds of ledger entries. The subject of a declaration is the file's digest; the subject of a pause or resumption is
the name of the schedule or trigger."""
DECLARATION_TYPE = "urn:hallmark:deployment:v1"
SWITCH_TYPE = "urn:hallmark:schedule-switch:v1"
SwitchAction = Literal["pause", "resume"]


class Declaration(DatedDocument):
    """Predicate of a signed statement that activates a deployments file."""

    person: Name
    file_sha256: Sha256
    """SHA-256 of the deployments file."""
    text: str
    """Content of the deployments file."""
    follows: Sha256 | None
    """SHA-256 of the deployments file that this one replaces; null if there was none."""
    environment: Name
    time: datetime


class ScheduleSwitch(DatedDocument):
    """Predicate of a signed statement that pauses or resumes a schedule or trigger."""

    deed: SwitchAction
    name: Name
    """Name of the schedule or trigger."""
    person: Name
    reason: str
    follows: Sha256 | None = None
    """Digest of the signed pause or resumption of the same deployment before this one, or SHA-256 of the deployments
    file if there is none. It prevents an old statement from being recorded again. Null in statements of earlier
    Hallmark versions, which had no such field."""
    environment: Name
    time: datetime


DECLARATION = SignedKind(
    DECLARATION_TYPE, Declaration, "a declaration of schedules", signer_of=lambda said: said.person,
    subjects_of=lambda said: {"deployments.yaml": said.file_sha256},
)  # fmt: skip
SWITCH = SignedKind(
    SWITCH_TYPE, ScheduleSwitch, "a pause or its end", signer_of=lambda said: said.person,
    subjects_of=lambda said: {said.name: sha256_bytes(said.name.encode())},
)  # fmt: skip
