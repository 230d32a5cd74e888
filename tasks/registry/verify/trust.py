"""Trusted keys, as established by the adoptions of policy and people, starting from the root key."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tasks.core.errors import InputError, Refused
from tasks.core.formatting import format_time
from tasks.ledger.heads import publication
from tasks.policy import adoption
from tasks.policy.adoption import AdoptionInForce
from tasks.policy.governance import Governance
from tasks.policy.people import MachineName, Person
from tasks.policy.policy import Policy
from tasks.policy.signed_document import KeyDirectory
from tasks.registry.release import bundle, contents
from tasks.registry.release.report import Check
from tasks.trust import dsse, keys
from tasks.trust.validity import Key

UNADOPTED_MESSAGE = (
    "the release holds no adoption of policy and people: it was made under proposed files (`--governance`), and counts "
    "nowhere but in its own project"
)


@dataclass(frozen=True)
class TrustedKeys:
    gate_keys: tuple[Key, ...]
    scheduler_keys: tuple[Key, ...]
    ledger_keys: tuple[Key, ...]
    worker_keys: tuple[Key, ...]
    adoptions: tuple[Mapping[str, Any], ...]
    """Known adoptions of policy and people, oldest first; empty if nothing was adopted. The adoptions in a release must
    be a prefix of this sequence."""
    root_fingerprint: str
    """Fingerprint of the root key or, in a project without adoptions, of the gate keys."""
    allows_unadopted: bool
    """Whether a release without any adoption is accepted."""
    root_check: Check
    people: Mapping[str, Person] = field(default_factory=dict)

    def keys_of(self, who: Person | MachineName) -> list[Key]:
        machines = {
            "gate": self.gate_keys,
            "scheduler": self.scheduler_keys,
            "ledger": self.ledger_keys,
            "worker": self.worker_keys,
        }
        return who.keys if isinstance(who, Person) else list(machines.get(who, ()))


def trust_from_governance(governance: Governance) -> TrustedKeys:
    gate = tuple(governance.keys_of("gate"))
    chain = governance.chain
    root = (
        keys.fingerprint(adoption.read_adoption(chain[0]).root) if chain else ", ".join(key.fingerprint for key in gate)
    )
    text = f"this project's own root key, {root}" if chain else f"this project's own gate key, {root}"
    return TrustedKeys(
        gate_keys=gate,
        scheduler_keys=tuple(governance.keys_of("scheduler")),
        ledger_keys=tuple(publication.ledger_keys(governance)),
        worker_keys=_worker_keys(governance),
        adoptions=chain,
        root_fingerprint=root,
        allows_unadopted=governance.is_local or not chain,
        root_check=Check(about="root of trust", state="ok", text=text),
    )


def _worker_keys(governance: Governance) -> tuple[Key, ...]:
    """Return the worker keys. An installation that only verifies releases has none."""
    try:
        return tuple(governance.keys_of("worker"))
    except InputError:
        return ()


def trust_from_root(
    folder: Path, root_fingerprint: str, adoptions_folder: str = bundle.GOVERNANCE_ADOPTIONS
) -> TrustedKeys:
    """Return the keys that the adoptions in a folder establish, starting from a root key.

    Args:
        folder: Folder of a release or dossier.
        root_fingerprint: Fingerprint of the root key.
        adoptions_folder: Folder of the adoptions, relative to `folder`.

    Raises:
        Refused: The folder contains no adoptions, or the adoptions cannot be traced to the root key.
    """
    place = folder / adoptions_folder
    names = [f"{adoptions_folder}/{name}" for name in contents.file_names(place)] if place.is_dir() else []
    if not names:
        raise Refused(UNADOPTED_MESSAGE)
    chain: list[dict[str, Any]] = []

    def read_adoptions() -> Iterator[dict[str, Any]]:
        """Read each adoption only after the previous one was verified, so that forged files cannot exhaust memory."""
        for name in names:
            chain.append(dsse.parse_envelope(contents.read_file(folder, name), name))
            yield chain[-1]

    people = adoption.verify_chain(read_adoptions(), root_fingerprint).people

    def keys_of(machine: MachineName) -> tuple[Key, ...]:
        return tuple(people.keys_of_machine(machine))

    number = f"{len(chain)} adoption{'s' if len(chain) > 1 else ''}"
    text = f"policy, people and keys follow from root key {root_fingerprint}, as was told, by {number}"
    check = Check(about="root of trust", state="ok", text=text)
    machines = (keys_of("gate"), keys_of("scheduler"), keys_of("ledger"), keys_of("worker"))
    return TrustedKeys(*machines, tuple(chain), root_fingerprint, allows_unadopted=False, root_check=check)


def require_unrevoked_ledger_key(keyid: str, signers: KeyDirectory, signed_thing: str) -> None:
    """Refuse a document that is not in the ledger and was signed with a revoked ledger key, whatever time it states.

    Only the signature itself states this time, so the holder of the key could have backdated it.

    Args:
        keyid: Fingerprint of the key that signed the document.
        signers: Keys of people and machines.
        signed_thing: Name of the document for the error message, including "a" or "the".

    Raises:
        Refused: The key is revoked.
    """
    for key in signers.keys_of("ledger"):
        if key.fingerprint == keyid and key.revoked_as_of:
            raise Refused(
                f"the ledger's key {keyid}, which signed {signed_thing}, is revoked as of "
                f"{format_time(key.revoked_as_of)}: have {signed_thing} written anew"
            )


def last_adoption(envelopes: Sequence[Mapping[str, Any]], trusted: TrustedKeys) -> AdoptionInForce | None:
    """Return the last adoption in a release; None if the release has no adoption and none is required.

    Raises:
        Refused: The adoptions are missing, or differ from the first ones of the trusted adoptions.
    """
    if not envelopes:
        if trusted.allows_unadopted:
            return None
        raise Refused(UNADOPTED_MESSAGE)
    if trusted.adoptions and tuple(envelopes) != trusted.adoptions[: len(envelopes)]:
        raise Refused("policy and people of the release are not what was adopted here: its adoptions are others")
    in_force: AdoptionInForce | None = None
    for envelope in envelopes:
        in_force = adoption.apply_adoption(adoption.read_adoption(envelope), in_force)
    return in_force


def adoption_differences(newest: AdoptionInForce, policy: Policy, people: Mapping[str, Person]) -> Iterator[str]:
    if policy != newest.adoption.policy:
        yield "policy.json is not the policy that was adopted"
    for person in people.values():
        if person != newest.people.get(person.id):
            yield f"people.json says something else of {person.id} than what was adopted"
