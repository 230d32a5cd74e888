"""Whether several machines made the same of a run, where policy asks for that: each signs with a worker's own key.

A machine that builds a run again (`hallmark reproduce RUN`) puts the records of what came out the same on the ledger.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress

from tasks.core.errors import Refused
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance
from tasks.trust import stage_record, validity
from tasks.trust.stage_record import SignedRecord

AGAIN = "run.reproduced"
"""Ledger entry: a run was built again; its subject is the run."""
Again = Mapping[str, Sequence[SignedRecord]]
"""By stage, records of other machines that agree with that of the run."""


def of_run(ledger: Ledger, governance: Governance, run: str, records: Mapping[str, SignedRecord]) -> Again:
    """What other machines left, of each stage the newest by each key."""
    lines = validity.lines_by(governance.keys_of("worker"), ledger.now())
    found: dict[str, dict[str, SignedRecord]] = {name: {} for name in records}
    for entry in ledger.entries(AGAIN, run):
        envelopes = entry.body.get("records")
        for envelope in envelopes.values() if isinstance(envelopes, dict) else ():
            with suppress(Refused):
                again = stage_record.verify_computed(envelope, lines)
                own = records.get(again.said.name)
                if own and again.keyid != own.computed_by and stage_record.agree(own, again):
                    found[again.said.name][again.keyid] = again
    return {name: list(by_key.values()) for name, by_key in found.items()}


def require(machines: int, records: Mapping[str, SignedRecord], again: Again, run: str) -> None:
    """Raises Refused where fewer machines than these made the same of a stage."""
    if short := lacking(machines, records, again):
        raise Refused(
            f"policy asks for {machines} machines that make the same of a run before it is released, and fewer did of "
            f"stage {', '.join(short)}; on another machine: hallmark reproduce {run}; then: hallmark run --resume {run}"
        )


def lacking(machines: int, records: Mapping[str, SignedRecord], again: Again) -> list[str]:
    """The stages of which fewer machines than these left the same, sorted."""
    made = {
        name: {record.computed_by, *(each.keyid for each in again.get(name, ()))} for name, record in records.items()
    }
    return sorted(name for name, by in made.items() if len(by) < machines)
