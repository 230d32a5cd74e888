"""What a browser is given to sign, and what comes back: decisions and closed incidents, signed with a key that the
server never sees."""

import base64
import binascii
from collections.abc import Sequence
from datetime import UTC, datetime, time
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from infra.console.site import Here
from infra.console.views.gate import question
from tasks.core.errors import InputError, Refused
from tasks.core.files import canonical_json
from tasks.gates import decisions
from tasks.gates.cases import Case
from tasks.gates.decisions import Wish
from tasks.gates.signed_decision import Verb
from tasks.incidents import incidents
from tasks.ledger.ledger import Entry
from tasks.policy import signed_entry
from tasks.policy.governance import Governance
from tasks.policy.people import Person
from tasks.policy.signed_entry import Draft
from tasks.trust import dsse, keys

Line = Annotated[str, Field(max_length=200)]


class Wanted(BaseModel):
    """What somebody wants decided at a gate, as their page says it."""

    model_config = ConfigDict(extra="forbid")

    verb: Verb
    evidence: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    """SHA-256 of what they looked at."""
    reason: Annotated[str, Field(max_length=2_000)]
    role: Line = ""
    """Empty: the one that they hold."""
    checks: Annotated[list[Line], Field(max_length=100)] = []
    expires: Annotated[str, Field(max_length=10)] = ""
    """Of waive: the last day that it counts, e.g. 2026-04-01."""
    public_key: Annotated[str, Field(max_length=400)]
    """OpenSSH public key line of the key that the browser has."""

    def wish(self) -> Wish:
        """Raises InputError for a day that is none."""
        return Wish(self.verb, self.reason, self.role or None, tuple(self.checks), _end_of(self.expires))


class Signed(Wanted):
    """The same, signed."""

    payload: Annotated[str, Field(max_length=64_000)]
    """Base64 of the statement that was signed."""
    signature: Annotated[str, Field(max_length=128)]
    """Base64 of the 64 bytes of an ed25519 signature."""


class Close(BaseModel):
    """An incident that somebody wants closed, as their page says it."""

    model_config = ConfigDict(extra="forbid")

    reason: Annotated[str, Field(max_length=2_000)]
    public_key: Annotated[str, Field(max_length=400)]


class SignedClose(Close):
    """The same, signed."""

    payload: Annotated[str, Field(max_length=64_000)]
    signature: Annotated[str, Field(max_length=128)]


class ToSign(BaseModel):
    """What the browser signs; nothing is asked of it where the decision stands already."""

    payload: str
    """Base64 of the statement, in canonical JSON."""
    payload_type: str = dsse.PAYLOAD_TYPE
    entry: int | None = None
    """The entry that says it already."""


class Done(BaseModel):
    entry: int
    """Of the ledger."""
    state: Literal["recorded"] = "recorded"


def draw(here: Here, person: Person, run: str, gate: str, wanted: Wanted) -> ToSign:
    """The statement to sign. Raises what `decisions.decide` raises, and Refused where other evidence was looked at."""
    case, governed = _looked_at(here, run, gate, wanted)
    drawn = decisions.draw(here.ledger, governed, case.evidence, person.id, wanted.wish(), _line(wanted.public_key))
    return _to_sign(drawn)


def take(here: Here, person: Person, run: str, gate: str, signed: Signed) -> Done:
    """Record a signed decision. Raises as `draw`, and Refused where the signature is not theirs."""
    case, governed = _looked_at(here, run, gate, signed)
    line = _line(signed.public_key)
    entry = decisions.take(here.ledger, governed, case.evidence, person.id, signed.wish(), _envelope(signed), line)
    return Done(entry=entry.seq)


def draw_close(here: Here, person: Person, incident: str, wanted: Close) -> ToSign:
    """The closing of an incident, to sign. Raises what `incidents.close` raises."""
    _, drafts = incidents.to_close(here.ledger, here.governance, incident, person.id, wanted.reason)
    return _to_sign(signed_entry.draw(here.ledger, drafts))


def take_close(here: Here, person: Person, incident: str, signed: SignedClose) -> Done:
    """Record the signed closing of an incident. Raises as `draw_close`, and Refused for another's signature."""
    closer, drafts = incidents.to_close(here.ledger, here.governance, incident, person.id, signed.reason)
    return Done(entry=signed_entry.enter(here.ledger, here.governance, closer, drafts, [_envelope(signed)]).seq)


def _to_sign(drawn: Entry | Sequence[Draft]) -> ToSign:
    if isinstance(drawn, Entry):
        return ToSign(payload="", entry=drawn.seq)
    return ToSign(payload=base64.b64encode(canonical_json(_only(drawn).statement)).decode())


def _envelope(signed: Signed | SignedClose) -> dict[str, Any]:
    line = _line(signed.public_key)
    return dsse.sealed(_bytes(signed.payload, "payload"), line, _bytes(signed.signature, "signature"))


def _looked_at(here: Here, run: str, gate: str, wanted: Wanted) -> tuple[Case, Governance]:
    case, governed = question(here, run, gate)
    if case.sha256 != wanted.evidence:
        raise Refused("the gate has other evidence by now than your page shows; load the page anew and look at it")
    return case, governed


def _only(drawn: Sequence[Draft]) -> Draft:
    (draft,) = drawn
    return draft


def _line(public_key: str) -> str:
    keys.load_public(public_key)
    return keys.bare(public_key)


def _bytes(text: str, what: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise InputError(f"{what}: expected base64") from None


def _end_of(day: str) -> datetime | None:
    if not day:
        return None
    try:
        return datetime.combine(datetime.strptime(day, "%Y-%m-%d"), time(23, 59, 59), UTC)
    except ValueError:
        raise InputError(f"expected a day such as 2026-04-01, got {day!r}") from None
