"""Description of the changes that an adoption would make to people, roles, keys, machines and policy settings."""

from collections.abc import Iterator, Mapping
from typing import Any

from tasks.core.formatting import format_time
from tasks.policy.people import People, Person, SignInAccount
from tasks.policy.policy import Policy
from tasks.trust.validity import HeldRole, Key


def describe_differences(policy: Policy, people: People, new_policy: Policy, new_people: People) -> list[str]:
    before, after = policy.model_dump(mode="json"), new_policy.model_dump(mode="json")
    return [*_people_differences(people, new_people), *_value_differences("policy", before, after)]


def _people_differences(before: People, after: People) -> Iterator[str]:
    old, new = ({person.id: person for person in each.people} for each in (before, after))
    for name in sorted({*old, *new}):
        if name not in new:
            yield f"person {name} is taken out, with what they signed"
        elif name not in old:
            yield f"person {name} is added: {new[name].name}, {_roles_text(new[name])}"
            yield from (f"person {name}: sign-in as {each} is added" for each in map(_account_text, new[name].sign_in))
            yield from (f"person {name}: key {each} is added" for each in map(_key_text, new[name].keys))
        elif old[name] != new[name]:
            yield from _person_differences(old[name], new[name])
    for machine in sorted({*before.machines, *after.machines}):
        keys = [set(map(_key_text, each.keys_of_machine(machine))) for each in (before, after)]
        yield from _set_differences(f"machine {machine}: key", *keys)


def _person_differences(before: Person, after: Person) -> Iterator[str]:
    name = f"person {after.id}"
    if before.name != after.name:
        yield f"{name}: name {before.name} becomes {after.name}"
    if before.demo != after.demo:
        yield f"{name}: demo {before.demo} becomes {after.demo}"
    yield from _set_differences(
        f"{name}: role", {_role_text(each) for each in before.roles}, {_role_text(each) for each in after.roles}
    )
    yield from _set_differences(
        f"{name}: sign-in as", set(map(_account_text, before.sign_in)), set(map(_account_text, after.sign_in))
    )
    yield from _set_differences(f"{name}: key", set(map(_key_text, before.keys)), set(map(_key_text, after.keys)))


def _set_differences(what: str, before: set[str], after: set[str]) -> Iterator[str]:
    yield from (f"{what} {each} is taken out" for each in sorted(before - after))
    yield from (f"{what} {each} is added, for what comes after" for each in sorted(after - before))


def _roles_text(person: Person) -> str:
    return ", ".join(map(_role_text, person.roles)) + (", a demo identity" if person.demo else "")


def _role_text(held: HeldRole) -> str:
    return " ".join(filter(None, [held.role, _period_text(held)]))


def _account_text(account: SignInAccount) -> str:
    return f"{account.subject} of {account.issuer}"


def _key_text(key: Key) -> str:
    revoked = f"revoked as of {format_time(key.revoked_as_of)} ({key.reason})" if key.revoked_as_of else ""
    made = "made by `hallmark init`" if key.installed else ""
    return " ".join(filter(None, [key.fingerprint, made, _period_text(key), revoked]))


def _period_text(each: HeldRole | Key) -> str:
    after = f"from {format_time(each.valid_after)}" if each.valid_after else ""
    before = f"until {format_time(each.valid_before)}" if each.valid_before else ""
    return " ".join(filter(None, [after, before]))


def _value_differences(where: str, before: Any, after: Any) -> Iterator[str]:
    """Yield a line for each difference. List items that have a name or role are matched by it, not by position."""
    before, after = _items_by_name(before), _items_by_name(after)
    if before == after:
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in [*before, *(key for key in after if key not in before)]:
            place = f"{where}.{key}"
            if key not in after:
                yield f"{place} is taken out (was {_value_text(before[key])})"
            elif key not in before:
                yield f"{place} is added: {_value_text(after[key])}"
            else:
                yield from _value_differences(place, before[key], after[key])
    else:
        yield f"{where}: {_value_text(before)} becomes {_value_text(after)}"


def _items_by_name(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    for key in ("name", "role"):
        if value and all(isinstance(item, Mapping) and key in item for item in value):
            return {f"{key} {item[key]!r}": item for item in value}
    return {} if value == [] else value


def _value_text(value: Any) -> str:
    if isinstance(value, Mapping):
        return (
            ", ".join(f"{key} {_value_text(item)}" for key, item in value.items() if item not in (None, False))
            or "none"
        )
    if isinstance(value, list):
        return ", ".join(map(_value_text, value)) or "none"
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
