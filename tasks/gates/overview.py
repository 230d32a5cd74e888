"""States of all open gates, for lists and for processes that poll them.

If nobody has decided at a gate, its state follows from the policy and the evidence's summary. Metrics and signatures
are not verified in this case, so a thousand gates take a third of a second. If somebody has decided, the gate is judged
in full. Every gate is also judged in full when a person decides and before its run continues (gates.py).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from pydantic import ConfigDict, ValidationError

from tasks.core.errors import HallmarkError, Refused
from tasks.gates import cases, gates, signed_request
from tasks.gates.cases import OpenedGate
from tasks.gates.evidence import EvidenceSummary
from tasks.gates.gates import GateStatus
from tasks.gates.signed_decision import ENTRY_KIND
from tasks.ledger.attachments import DIGEST_KEY
from tasks.ledger.ledger import Entry, Ledger
from tasks.policy.governance import Governance

GovernanceLookup = Callable[[EvidenceSummary], Governance]


@dataclass(frozen=True)
class OpenGate:
    entry: Entry
    summary: EvidenceSummary | None
    status: GateStatus | HallmarkError


class _Summary(EvidenceSummary):
    """Summary that is parsed from complete evidence. Other fields of the evidence are ignored."""

    model_config = ConfigDict(extra="ignore")


def open_gates(ledger: Ledger, find_governance: GovernanceLookup) -> Iterator[OpenGate]:
    """Yield every open gate, oldest first. The states of all gates are determined for the same time."""
    with ledger.reading():
        now, asked = ledger.now(), ledger.open_questions()
        documents = ledger.documents_or_errors(asked)
        summaries = [_summary(*each) for each in zip(asked, documents, strict=True)]
        about = {each.subject.sha256 for each in summaries if each}
        ledger.preload({signed_request.ENTRY_KIND: {entry.subject for entry in asked}, ENTRY_KIND: about})
        for entry, document, summary in zip(asked, documents, summaries, strict=True):
            try:
                yield OpenGate(entry, summary, _status(entry, document, summary, ledger, find_governance, now))
            except HallmarkError as error:
                yield OpenGate(entry, summary, error)


def _summary(entry: Entry, document: bytes | Refused) -> EvidenceSummary | None:
    try:
        return None if isinstance(document, Refused) else _Summary.model_validate_json(document)
    except ValidationError:
        return None


def _status(
    entry: Entry,
    document: bytes | Refused,
    summary: EvidenceSummary | None,
    ledger: Ledger,
    governed: GovernanceLookup,
    now: datetime,
) -> GateStatus:
    if isinstance(document, Refused):
        raise document
    # Only the dataset says who is the sole owner and so may not decide, and a summary does not hold it.
    if summary is None or ledger.entries(ENTRY_KIND, summary.subject.sha256) or summary.asks.besides_owner:
        case = cases.open_case(entry, document)
        return gates.judge_case(case, ledger, governed(case.evidence), now)
    governance = governed(summary)
    asked = OpenedGate(entry, summary, str(entry.body.get(DIGEST_KEY)), None, entry.time)
    return gates.gate_status(asked, gates.rules_for_gate(summary, governance), [], governance, now)
