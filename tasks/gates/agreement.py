"""Agreement of several machines on a run's outputs, if policy requires it. Each machine signs with its own worker key.

A machine that reproduces a run (`hallmark reproduce RUN`) records in the ledger the stages whose outputs are equal.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress

from tasks.core.errors import Refused
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance
from tasks.trust import stage_record, validity
from tasks.trust.stage_record import SignedRecord

REPRODUCED = "run.reproduced"
AgreeingRecords = Mapping[str, Sequence[SignedRecord]]


def records_of_others(
    ledger: Ledger, governance: Governance, run: str, records: Mapping[str, SignedRecord]
) -> AgreeingRecords:
    """Return other machines' stage records with equal outputs: per stage, the newest record of each worker key."""
    lines = validity.possible_lines(governance.keys_of("worker"), ledger.now())
    found: dict[str, dict[str, SignedRecord]] = {name: {} for name in records}
    for entry in ledger.entries(REPRODUCED, run):
        envelopes = entry.body.get("records")
        for envelope in envelopes.values() if isinstance(envelopes, dict) else ():
            with suppress(Refused):
                again = stage_record.verify_executed(envelope, lines)
                own = records.get(again.record.name)
                if own and again.keyid != own.executed_by and stage_record.have_same_outputs(own, again):
                    found[again.record.name][again.keyid] = again
    return {name: list(by_key.values()) for name, by_key in found.items()}


def require(machines: int, records: Mapping[str, SignedRecord], again: AgreeingRecords, run: str) -> None:
    """Verify that at least `machines` machines produced the same outputs in each stage.

    Raises:
        Refused: Fewer machines agree. The message names the stages.
    """
    if short := disagreeing_stages(machines, records, again):
        raise Refused(
            f"policy asks for {machines} machines that make the same of a run before it is released, and fewer did of "
            f"stage {', '.join(short)}; on another machine: hallmark reproduce {run}; then: hallmark run --resume {run}"
        )


def disagreeing_stages(machines: int, records: Mapping[str, SignedRecord], again: AgreeingRecords) -> list[str]:
    made = {
        name: {record.executed_by, *(each.keyid for each in again.get(name, ()))} for name, record in records.items()
    }
    return sorted(name for name, by in made.items() if len(by) < machines)
