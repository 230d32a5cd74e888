"""Declaration, pause and resumption of schedules and triggers by people, each signed and recorded once."""

from collections.abc import Mapping
from typing import Any

from tasks.core.documents.config import validate_reason
from tasks.core.errors import Refused
from tasks.core.files import sha256_bytes
from tasks.ledger.ledger import Entry, Ledger
from tasks.policy import signed_entry
from tasks.policy.governance import Governance
from tasks.policy.people import Person
from tasks.policy.signed_entry import Draft, DraftFunction
from tasks.scheduling import deployments_in_force
from tasks.scheduling.deployments_file import Deployments
from tasks.scheduling.signed_statements import (
    DECLARATION,
    DECLARED,
    PAUSED,
    RESUMED,
    SWITCH,
    Declaration,
    ScheduleSwitch,
    SwitchAction,
)

SWITCH_KINDS = {"pause": PAUSED, "resume": RESUMED}


def declare_deployments(ledger: Ledger, governance: Governance, person_id: str, text: str) -> Entry | None:
    """Activate a deployments file by a signed declaration.

    Returns:
        Entry of the ledger, or None if the file is active already and everybody who declared it still holds a role.

    Raises:
        InputError: The file is not valid, or the person's key is not available.
        Refused: The person holds no role, or is only an auditor.
    """
    deployments_in_force.parse_deployments(text)
    person = governance.require_actor(person_id, ledger.now())
    digest = sha256_bytes(text.encode())
    before = deployments_in_force.read_deployments(ledger, governance)
    if before.sha256 == digest and not before.without_declarer:
        return None

    def draft() -> Entry | list[Draft]:
        now = deployments_in_force.read_deployments(ledger, governance)
        if now.sha256 == digest and not now.without_declarer:
            return ledger.entries(DECLARED, digest)[-1]
        said = Declaration(
            person=person.id, file_sha256=digest, text=text, follows=now.sha256,
            environment=governance.policy.environment, time=ledger.now(),
        )  # fmt: skip
        return [Draft(DECLARED, digest, DECLARATION.statement(said))]

    return signed_entry.sign_and_record(ledger, governance, person, draft)


def pause_or_resume(
    ledger: Ledger, governance: Governance, action: SwitchAction, name: str, person_id: str, reason: str
) -> Entry:  # fmt: skip
    """Pause or resume a schedule or trigger.

    Raises:
        InputError: There is no schedule or trigger with this name, or the reason is empty.
        Refused: The schedule or trigger is already paused, or is not paused and cannot be resumed.
    """
    return signed_entry.sign_and_record(
        ledger, governance, *draft_pause_or_resume(ledger, governance, action, name, person_id, reason)
    )


def draft_pause_or_resume(
    ledger: Ledger, governance: Governance, action: SwitchAction, name: str, person_id: str, reason: str
) -> tuple[Person, DraftFunction]:
    """Return the person who pauses or resumes a schedule or trigger, and a function that drafts the statement to sign.

    Raises:
        InputError: The reason is empty, or the person is unknown. The returned function raises it for an unknown name.
        Refused: The person holds no role, or is only an auditor. The returned function raises it if nothing would
            change.
    """
    reason = validate_reason(reason)
    person = governance.require_actor(person_id, ledger.now())

    def draft() -> list[Draft]:
        now = deployments_in_force.read_deployments(ledger, governance)
        now.require_in_force(name)
        _require_other(now.pauses.get(name), action, name)
        said = ScheduleSwitch(
            deed=action, name=name, person=person.id, reason=reason, follows=now.predecessor_digest(name),
            environment=governance.policy.environment, time=ledger.now(),
        )  # fmt: skip
        return [Draft(SWITCH_KINDS[action], name, SWITCH.statement(said))]

    return person, draft


def _require_other(paused: ScheduleSwitch | None, deed: str, name: str) -> None:
    if deed == "pause" and paused:
        raise Refused(f"{name} rests already: {paused.person} paused it ({paused.reason})")
    if deed == "resume" and not paused:
        raise Refused(f"{name} does not rest, so there is nothing to resume")


def describe_differences(before: Deployments, now: Deployments) -> list[str]:
    was, becomes = _flatten(before.model_dump(mode="json")), _flatten(now.model_dump(mode="json"))
    removed = {name for name in before.named if name not in now.named}
    new = {name for name in now.named if name not in before.named}
    lines = [f"{_kind(now, name)} {name} is new: {_timing_in_words(now, name)}" for name in now.named if name in new]
    lines += [f"{_kind(before, name)} {name} is gone" for name in before.named if name in removed]
    lines += [f"pool {name} is new: {pool.in_words}" for name, pool in now.pools.items() if name not in before.pools]
    lines += [f"pool {name} is gone" for name in before.pools if name not in now.pools]
    for key in dict.fromkeys([*was, *becomes]):
        if key[0] in ("schedules", "triggers") and len(key) > 1 and key[1] in removed | new:
            continue
        if key[0] == "pools" and len(key) > 1 and key[1] in before.pools.keys() ^ now.pools.keys():
            continue
        if was.get(key) != becomes.get(key):
            lines.append(
                f"{'.'.join(key)}: {_value_in_words(was.get(key))} becomes {_value_in_words(becomes.get(key))}"
            )
    return lines


def _flatten(value: Any, where: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    if not isinstance(value, Mapping):
        return {where: value}
    return {key: it for name, item in value.items() for key, it in _flatten(item, (*where, str(name))).items()}


def _kind(deployments: Deployments, name: str) -> str:
    return "schedule" if name in deployments.schedules else "trigger"


def _timing_in_words(deployments: Deployments, name: str) -> str:
    schedule = deployments.schedules.get(name)
    return schedule.in_words if schedule else str(deployments.triggers[name].on)


def _value_in_words(value: Any) -> str:
    return "nothing" if value is None else str(value)
