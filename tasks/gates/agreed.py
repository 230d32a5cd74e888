"""Agreement of several machines on the outputs of a run, if policy asks for that; each signs with its own worker key.

A machine that builds a run again (`hallmark reproduce RUN`) records in the ledger the stages whose outputs are equal.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress

from tasks.core.errors import Refused
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance
from tasks.trust import stage_record, validity
from tasks.trust.stage_record import SignedRecord

AGAIN = "run.reproduced"
"""Kind of the ledger entry about a run that was built again; its subject is the run."""
Again = Mapping[str, Sequence[SignedRecord]]
"""Stage records of other machines that agree with those of the run, by stage."""


def of_run(ledger: Ledger, governance: Governance, run: str, records: Mapping[str, SignedRecord]) -> Again:
    """Return the agreeing records of other machines: for each stage the newest of each key."""
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
    """Verify that at least `machines` machines made the same outputs in each stage.

    Raises:
        Refused: Fewer machines agree. The message names the stages.
    """
    if short := lacking(machines, records, again):
        raise Refused(
            f"policy asks for {machines} machines that make the same of a run before it is released, and fewer did of "
            f"stage {', '.join(short)}; on another machine: hallmark reproduce {run}; then: hallmark run --resume {run}"
        )


def lacking(machines: int, records: Mapping[str, SignedRecord], again: Again) -> list[str]:
    """Return the stages on which fewer than `machines` machines agree, sorted."""
    made = {
        name: {record.computed_by, *(each.keyid for each in again.get(name, ()))} for name, record in records.items()
    }
    return sorted(name for name, by in made.items() if len(by) < machines)
