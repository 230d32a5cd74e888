"""Where every gate that stands open stands: for lists, and for what looks at all of them again and again.

Where nobody has decided, what was asked and the policy say where a gate stands, and neither figures nor signatures are
looked at; so a thousand take a third of a second. Where somebody has, it is judged. Whoever decides, and every run that
goes on, has it judged in any case (gates.py).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from pydantic import ConfigDict, ValidationError

from tasks.core.errors import HallmarkError, Refused
from tasks.gates import cases, gates, signed_request
from tasks.gates.cases import Asked
from tasks.gates.evidence import Summary
from tasks.gates.gates import Standing
from tasks.gates.signed_decision import KIND
from tasks.ledger.attached import NAMED
from tasks.ledger.ledger import Entry, Ledger
from tasks.policy.governance import Governance

Governed = Callable[[Summary], Governance]
"""Gives what a gate is judged by, or raises HallmarkError."""


@dataclass(frozen=True)
class Glance:
    """A gate that stands open."""

    entry: Entry
    """What asks; its subject is the run."""
    summary: Summary | None
    """None where the evidence is not what was written."""
    stands: Standing | HallmarkError
    """Or why that cannot be said."""


class _Summary(Summary):
    """As it is read from evidence, whose rest is passed over."""

    model_config = ConfigDict(extra="ignore")


def overview(ledger: Ledger, governed: Governed) -> Iterator[Glance]:
    """Every gate that stands open, oldest first, and all as of one moment."""
    with ledger.reading():
        now, asked = ledger.now(), ledger.questions()
        documents = ledger.documents_or_why(asked)
        summaries = [_summary(*each) for each in zip(asked, documents, strict=True)]
        about = {each.subject.sha256 for each in summaries if each}
        ledger.read_ahead({signed_request.KIND: {entry.subject for entry in asked}, KIND: about})
        for entry, document, summary in zip(asked, documents, summaries, strict=True):
            try:
                yield Glance(entry, summary, _stands(entry, document, summary, ledger, governed, now))
            except HallmarkError as error:
                yield Glance(entry, summary, error)


def _summary(entry: Entry, document: bytes | Refused) -> Summary | None:
    try:
        return None if isinstance(document, Refused) else _Summary.model_validate_json(document)
    except ValidationError:
        return None


def _stands(
    entry: Entry,
    document: bytes | Refused,
    summary: Summary | None,
    ledger: Ledger,
    governed: Governed,
    now: datetime,
) -> Standing:
    if isinstance(document, Refused):
        raise document
    # Who is barred as the sole owner, the dataset says, which a summary is without.
    if summary is None or ledger.entries(KIND, summary.subject.sha256) or summary.asks.besides_owner:
        case = cases.open_case(entry, document)
        return gates.judge_case(case, ledger, governed(case.evidence), now)
    governance = governed(summary)
    asked = Asked(entry, summary, str(entry.body.get(NAMED)), None)
    return gates.stands(asked, gates.rules_for(summary, governance), [], governance, now)
