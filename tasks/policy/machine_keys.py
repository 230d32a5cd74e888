"""Check that an adoption keeps the keys of machines.

A machine's key stays in people.yaml after it has ended. Otherwise the documents that it signed could not be verified:
no act is allowed on a ledger whose heads an unknown key signed, not even the adoption that brings the key back.
"""

from tasks.core.errors import Refused
from tasks.policy.adoption import Adoption
from tasks.policy.people import MACHINES, People


def require_machine_keys_kept(people: People, before: Adoption | None) -> None:
    """Verify that people has every machine key of the adoption in force.

    Chains of earlier versions may lack keys, so this is required of those who sign an adoption, not of its readers.

    Raises:
        Refused: A machine's key is missing.
    """
    if before is None:
        return
    for name in MACHINES:
        kept = {key.fingerprint for key in people.keys_of_machine(name)}
        lost = [key.fingerprint for key in before.people.keys_of_machine(name) if key.fingerprint not in kept]
        if lost:
            raise Refused(
                f"people.yaml leaves out a key of machine {name} that is in force: {', '.join(lost)}. What it signed "
                f"could not be verified any more; list it under machines.{name}.keys beside the new one, with "
                "valid_before if it has ended, or revoked_as_of and reason if somebody else may have had it"
            )
