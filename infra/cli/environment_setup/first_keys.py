"""Keys with which an environment would begin: where each is from, and which of them nobody has named."""

from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from tasks.core.documents import config
from tasks.core.errors import InputError
from tasks.policy.people import MACHINES, Machine, People
from tasks.trust import keys


def machine_fingerprints(people: Any) -> dict[str, str]:
    """Return the name of the machine by fingerprint for each machine key of a document in the form of people.yaml."""
    machines = config.to_plain_value(people.get("machines")) or {}
    return {
        key.fingerprint: str(name) for name, machine in machines.items() for key in Machine.model_validate(machine).keys
    }


def own_fingerprints(state: Path) -> set[str]:
    """Return the fingerprints of the machine keys whose private halves are in `.hallmark/keys`."""
    found = set()
    for name in MACHINES:
        with suppress(InputError):  # there is no such key
            found.add(keys.fingerprint(keys.make_public_line(keys.load_private_key(state / "keys" / name))))
    return found


def require_named(people: Any, state: Path, named: Collection[str]) -> None:
    """Verify that the user named each machine key whose private key is not on this machine.

    Everybody who may commit can add such a key to people.yaml, and could then sign as that machine.

    Args:
        people: Proposed document of people and machines.
        state: Folder `.hallmark`.
        named: Fingerprints that the file of people or --machine-key names.

    Raises:
        InputError: Nobody named a key. The message lists all of them.
    """
    own = own_fingerprints(state)
    unnamed = {mark: name for mark, name in machine_fingerprints(people).items() if mark not in own | set(named)}
    if unnamed:
        listed = "\n".join(f"  --machine-key {mark}   of machine {name}" for mark, name in unnamed.items())
        raise InputError(
            "people.yaml has keys of machines that are not of this checkout. Who holds one signs as that machine. With "
            f"--yes name each that is meant, in the file of --people or as an option, or delete it:\n{listed}"
        )


def key_lines(people: People, state: Path, named: Collection[str]) -> Iterator[str]:
    """Yield a line for each key of a person or machine; for a machine with the place that the key is from."""
    own = own_fingerprints(state)
    for holder, key in people.keys_by_holder():
        if holder not in MACHINES:
            origin = ""
        elif key.fingerprint in own:
            origin = " (new, in .hallmark/keys)"
        else:
            origin = " (as you named it)" if key.fingerprint in named else " (from people.yaml, not of this checkout)"
        yield f"key of {holder}: {key.fingerprint}{origin}"
