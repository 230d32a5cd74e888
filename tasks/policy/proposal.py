"""Proposed changes of people.yaml, written into the file with its comments preserved, either all of them or none.

A change comes into force once the people named by policy have signed it off.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from tasks.core.documents import config
from tasks.core.errors import InputError, Refused
from tasks.core.formatting import format_time
from tasks.core.utc import to_utc
from tasks.policy.people import MACHINES, People
from tasks.trust import keys
from tasks.trust.validity import Key

Change = Callable[[Any, People], bool]
"""Function that changes the YAML document in place, and returns False if there is nothing to change."""


def propose(governance: Path, *changes: Change, before: Callable[[], None] = lambda: None) -> bool:
    """Apply changes to people.yaml, and return whether anything was changed.

    Args:
        governance: Folder with people.yaml.
        changes: Changes to apply, in this order.
        before: Function to call before the file is written. If it raises an error, the file stays unchanged.

    Raises:
        InputError: The file would not be valid.
        Refused: The file was changed while this function ran.
    """
    path = governance / "people.yaml"
    read = config.read_text(path)
    document = config.parse_yaml(read, path)
    made = [change(document, config.validate(document, People, path)) for change in changes]
    if not any(made):
        return False
    config.validate(document, People, path)
    before()
    text = StringIO()
    writer = YAML()
    writer.width = 4096  # so that a public key is not wrapped
    writer.indent(mapping=2, sequence=4, offset=2)
    writer.dump(document, text)
    config.replace_text(path, read, text.getvalue())
    return True


def add_person(person_id: str, name: str, roles: Sequence[str]) -> Change:
    def change(document: Any, people: People) -> bool:
        if people.get(person_id):
            raise InputError(f"{person_id} is in people.yaml already; leave --name and --role out")
        document["people"].append(_inline(id=person_id, name=name, roles=_flow(CommentedSeq(roles))))
        return True

    return change


def add_key(who: str, line: str, now: datetime, replace: bool = False, made: str | None = None) -> Change:
    """Return a change that adds a key. The key is not valid before its adoption.

    Args:
        who: Id of a person, or name of a machine.
        line: Public key to add.
        now: Start of the new key's validity if it replaces others.
        replace: Whether valid keys end when this one begins. If False, they stay valid too.
        made: Public key created by `hallmark init`. It is written to the file if the file has no key, so that it stays
            valid.
    """

    def change(document: Any, people: People) -> bool:
        held = _keys(document, who)
        mark = keys.fingerprint(line)
        if any(Key.model_validate(_mapping(item)).fingerprint == mark for item in held):
            return False
        turned = _yaml_time(now)
        if not replace:
            held.extend([made] * bool(not held and made))  # else its signatures would no longer count
            held.append(line)
            return True
        for number, item in enumerate(held):
            key = Key.model_validate(_mapping(item))
            if key.is_valid(now):
                held[number] = _inline(**_mapping(item) | {"valid_before": turned})
        if not held and made:
            held.append(_inline(public_key=made, valid_before=turned))
        held.append(_inline(public_key=line, valid_after=turned))
        return True

    return change


def revoke(who: str, fingerprint: str, as_of: datetime, reason: str) -> Change:
    def change(document: Any, people: People) -> bool:
        held = _keys(document, who)
        for number, item in enumerate(held):
            key = Key.model_validate(_mapping(item))
            if key.fingerprint != fingerprint:
                continue
            if key.revoked_as_of == as_of:
                return False
            if key.revoked_as_of is not None and key.revoked_as_of < as_of:
                since = format_time(key.revoked_as_of)
                raise Refused(f"{fingerprint} is revoked as of {since} so; later would make count again what is void")
            held[number] = _inline(**_mapping(item) | {"revoked_as_of": _yaml_time(as_of), "reason": reason})
            return True
        known = ", ".join(Key.model_validate(_mapping(item)).fingerprint for item in held) or "none"
        raise InputError(f"{who} has no key {fingerprint} in people.yaml, which has {known}")

    return change


def _keys(document: Any, who: str) -> Any:
    if who in MACHINES:
        entry = document.setdefault("machines", CommentedMap()).setdefault(who, CommentedMap())
    else:
        entry = next((person for person in document["people"] if person["id"] == who), None)
    if entry is None:
        raise InputError(f"{who} is nobody in people.yaml; say --name and --role to propose them too")
    return entry.setdefault("keys", _flow(CommentedSeq()))


def _mapping(item: Any) -> dict[str, Any]:
    return {"public_key": str(item)} if isinstance(item, str) else dict(item)


def _inline(**values: Any) -> CommentedMap:
    return _flow(CommentedMap(values))


def _flow(value: Any) -> Any:
    value.fa.set_flow_style()
    return value


def _yaml_time(at: datetime) -> Any:
    """Return the date if the time is midnight UTC, else the time rounded up to a whole second."""
    at = to_utc(at)
    at = at.replace(microsecond=0) + timedelta(seconds=bool(at.microsecond))
    return at.date() if (at.hour, at.minute, at.second) == (0, 0, 0) else at
