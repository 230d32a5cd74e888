"""Agreement of several machines on a run's outputs, if policy requires it. Each machine signs with its own worker key.

`hallmark reproduce RUN` repeats a run on another machine, and records the stages with equal outputs in the ledger.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress

from tasks.core.errors import Refused
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance
from tasks.trust import stage_record, validity
from tasks.trust.stage_record import SignedRecord

REPRODUCED_ENTRY_KIND = "run.reproduced"
AgreeingRecords = Mapping[str, Sequence[SignedRecord]]


def agreeing_records(
    ledger: Ledger, governance: Governance, run: str, records: Mapping[str, SignedRecord]
) -> AgreeingRecords:
    """Return other machines' records of the stages in which they computed the same outputs, by stage name.

    For each stage, the newest record of each worker key is returned.
    """
    lines = validity.possible_key_lines(governance.keys_of("worker"), ledger.now())
    found: dict[str, dict[str, SignedRecord]] = {name: {} for name in records}
    for entry in ledger.entries(REPRODUCED_ENTRY_KIND, run):
        envelopes = entry.body.get("records")
        for envelope in envelopes.values() if isinstance(envelopes, dict) else ():
            with suppress(Refused):
                again = stage_record.verify_executed_record(envelope, lines)
                own = records.get(again.record.name)
                if own and again.keyid != own.executed_by and stage_record.have_same_outputs(own, again):
                    found[again.record.name][again.keyid] = again
    return {name: list(by_key.values()) for name, by_key in found.items()}


def require_agreement(
    min_machines: int, records: Mapping[str, SignedRecord], agreeing: AgreeingRecords, run: str
) -> None:
    """Verify that the required number of machines computed the same outputs in each stage.

    Raises:
        Refused: Fewer machines agree. The message names the stages.
    """
    if short := disagreeing_stages(min_machines, records, agreeing):
        raise Refused(
            f"policy asks for {min_machines} machines that make the same of a run before it is released, "
            "and fewer did of "
            f"stage {', '.join(short)}; on another machine: hallmark reproduce {run}; then: hallmark run --resume {run}"
        )


def disagreeing_stages(min_machines: int, records: Mapping[str, SignedRecord], agreeing: AgreeingRecords) -> list[str]:
    made = {
        name: {record.executed_by, *(each.keyid for each in agreeing.get(name, ()))} for name, record in records.items()
    }
    return sorted(name for name, by in made.items() if len(by) < min_machines)
