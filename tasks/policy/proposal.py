"""Proposed changes to people.yaml, which are written to the file all together or not at all. Comments are preserved.

A change comes into force once the people named in the policy have signed it off.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from ruamel.yaml.comments import CommentedMap, CommentedSeq

from tasks.core.documents import config, yaml_edit
from tasks.core.errors import InputError, Refused
from tasks.core.formatting import format_time
from tasks.core.utc import to_utc
from tasks.policy.people import MACHINES, People
from tasks.trust import keys
from tasks.trust.validity import Key

PeopleChange = Callable[[Any, People], bool]
"""Function that changes the YAML document in place, and returns False if there is nothing to change."""


def propose_changes(governance: Path, *changes: PeopleChange, before_write: Callable[[], None] = lambda: None) -> bool:
    """Apply changes to people.yaml, and return whether anything was changed.

    Args:
        governance: Folder with people.yaml.
        changes: Changes to apply, in this order.
        before_write: Function to call before the file is written. If it raises an error, the file stays unchanged.

    Raises:
        InputError: The file would not be valid.
        Refused: The file was changed while this function ran.
    """
    path = governance / "people.yaml"
    read = config.read_yaml_text(path)
    document = config.parse_yaml(read, path)
    made = [change(document, config.validate_document(document, People, path)) for change in changes]
    if not any(made):
        return False
    config.validate_document(document, People, path)
    before_write()
    config.overwrite_if_unchanged(path, read, yaml_edit.render_document(document))
    return True


def person_addition(person_id: str, name: str, roles: Sequence[str]) -> PeopleChange:
    def change(document: Any, people: People) -> bool:
        if people.get(person_id):
            raise InputError(f"{person_id} is in people.yaml already; leave --name and --role out")
        added = yaml_edit.with_flow_style(CommentedSeq(roles))
        document["people"].append(yaml_edit.inline_mapping(id=person_id, name=name, roles=added))
        return True

    return change


def key_addition(
    holder: str, public_key: str, now: datetime, replace: bool = False, init_key: str | None = None
) -> PeopleChange:
    """Return a change that adds a key. The key is not valid before its adoption.

    Args:
        holder: Id of a person, or name of a machine.
        public_key: Public key to add.
        now: Start of the new key's validity if it replaces others.
        replace: Whether the keys that are valid now end when the new key begins. If False, they stay valid.
        init_key: Public key created by `hallmark init`. If the file has no key yet, this key is added too, so that it
            stays valid.
    """

    def change(document: Any, people: People) -> bool:
        held = _keys_in_document(document, holder)
        mark = keys.fingerprint(public_key)
        if any(Key.model_validate(_key_as_mapping(item)).fingerprint == mark for item in held):
            return False
        turned = _to_yaml_time(now)
        if not replace:
            held.extend([init_key] * bool(not held and init_key))  # else its signatures would no longer count
            held.append(public_key)
            return True
        for number, item in enumerate(held):
            key = Key.model_validate(_key_as_mapping(item))
            if key.is_valid(now):
                held[number] = yaml_edit.inline_mapping(**_key_as_mapping(item) | {"valid_before": turned})
        if not held and init_key:
            held.append(yaml_edit.inline_mapping(public_key=init_key, valid_before=turned))
        held.append(yaml_edit.inline_mapping(public_key=public_key, valid_after=turned))
        return True

    return change


def key_revocation(holder: str, fingerprint: str, as_of: datetime, reason: str) -> PeopleChange:
    def change(document: Any, people: People) -> bool:
        held = _keys_in_document(document, holder)
        for number, item in enumerate(held):
            key = Key.model_validate(_key_as_mapping(item))
            if key.fingerprint != fingerprint:
                continue
            if key.revoked_as_of == as_of:
                return False
            if key.revoked_as_of is not None and key.revoked_as_of < as_of:
                since = format_time(key.revoked_as_of)
                raise Refused(f"{fingerprint} is revoked as of {since} so; later would make count again what is void")
            held[number] = yaml_edit.inline_mapping(
                **_key_as_mapping(item) | {"revoked_as_of": _to_yaml_time(as_of), "reason": reason}
            )
            return True
        known = ", ".join(Key.model_validate(_key_as_mapping(item)).fingerprint for item in held) or "none"
        raise InputError(f"{holder} has no key {fingerprint} in people.yaml, which has {known}")

    return change


def _keys_in_document(document: Any, who: str) -> Any:
    if who in MACHINES:
        entry = document.setdefault("machines", CommentedMap()).setdefault(who, CommentedMap())
    else:
        entry = next((person for person in document["people"] if person["id"] == who), None)
    if entry is None:
        raise InputError(f"{who} is nobody in people.yaml; say --name and --role to propose them too")
    return entry.setdefault("keys", yaml_edit.with_flow_style(CommentedSeq()))


def _key_as_mapping(item: Any) -> dict[str, Any]:
    return {"public_key": str(item)} if isinstance(item, str) else dict(item)


def _to_yaml_time(at: datetime) -> Any:
    """Return the date if the time is midnight UTC, else the time rounded up to a whole second."""
    at = to_utc(at)
    at = at.replace(microsecond=0) + timedelta(seconds=bool(at.microsecond))
    return at.date() if (at.hour, at.minute, at.second) == (0, 0, 0) else at
