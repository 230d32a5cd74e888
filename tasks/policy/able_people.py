"""Check whether people could sign and decide with the roles and keys that are valid when an environment begins."""

from datetime import datetime
from pathlib import Path

from tasks.core.errors import InputError
from tasks.core.formatting import format_time
from tasks.policy import staffing
from tasks.policy.people import People
from tasks.policy.policy import Policy


def require_able_people(policy: Policy, people: People, path: Path, at: datetime) -> None:
    """Check whether people could satisfy every rule with roles and keys that are valid at one time.

    A root key signs only the first adoption. If nobody could sign the next one, nobody could mend the environment.

    Args:
        policy: Policy of the first adoption.
        people: People of the first adoption.
        path: Path of policy.yaml, for the messages.
        at: Time at which roles and keys must be valid.

    Raises:
        InputError: Nobody could satisfy a rule, or no key of a machine is valid. The message lists all problems.
    """
    problems = staffing.policy_problems(policy, _with_valid_keys(people, at), path, at)
    for name, machine in people.machines.items():
        if not any(key.is_valid(at) for key in machine.keys):
            problems.append(f"{path.with_name('people.yaml')}: machines.{name}: no key is valid; add one beside these")
    if problems:
        told = f"only roles and keys count that are valid on {format_time(at)}, since the root key signs only once"
        raise InputError("\n".join([*problems, told]))


def _with_valid_keys(people: People, at: datetime) -> People:
    """Return the people with only the keys that are valid at a time, without people who have none left.

    People without any key stay: `hallmark init` makes their keys in environment `local`.
    """
    able = []
    for person in people.people:
        valid = [key for key in person.keys if key.is_valid(at)]
        if valid or not person.keys:
            able.append(person.model_copy(update={"keys": valid}))
    return people.model_copy(update={"people": able})
