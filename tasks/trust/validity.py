"""Keys and roles that count for a time, and statements judged by the keys that counted then.

The words are those of OpenSSH's allowed_signers, see ssh-keygen(1). A period holds its first moment and not its last:
where one key follows another on a date, exactly one of them counts at any moment.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, model_validator

from tasks.core.config import Frozen
from tasks.core.errors import InputError, Refused
from tasks.core.moments import in_utc
from tasks.core.params.values import Name, Text
from tasks.trust import dsse, keys

State = Literal["current", "later", "ended", "revoked"]
AHEAD = timedelta(minutes=10)
"""How far clocks may differ: a signed statement may be dated that much later than the ledger's time."""


def _moment(value: Any) -> Any:
    """A day means its midnight, and a time without a zone is in UTC."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise ValueError(f"expected a day or a time as in 2026-03-31 or 2026-03-31T12:00:00Z, got {value!r}") from (
                None
            )
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    return datetime(value.year, value.month, value.day, tzinfo=UTC) if isinstance(value, date) else value


def _key_line(value: str) -> str:
    try:
        keys.fingerprint(value)
    except InputError as error:
        raise ValueError(str(error)) from None
    return value


Moment = Annotated[datetime, BeforeValidator(_moment), AfterValidator(in_utc)]
PublicKey = Annotated[str, AfterValidator(_key_line)]


class Period(Frozen):
    valid_after: Moment | None = None
    """From when it counts, though not before its adoption (rules/counting.py); left out, from then on."""
    valid_before: Moment | None = None
    """Until when it counts, that moment no more; left out, without an end."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.valid_after and self.valid_before and self.valid_before <= self.valid_after:
            raise ValueError(f"valid_before ({shown(self.valid_before)}) is not after valid_after "
                             f"({shown(self.valid_after)})")  # fmt: skip
        return self

    def within(self, begin: datetime | None, end: datetime | None) -> Self | None:
        """What of it lies from `begin` on and before `end`; None where nothing does."""
        after = max((moment for moment in (self.valid_after, begin) if moment), default=None)
        before = min((moment for moment in (self.valid_before, end) if moment), default=None)
        if after and before and before <= after:
            return None
        return self.model_copy(update={"valid_after": after, "valid_before": before})

    def began(self, at: datetime) -> bool:
        return self.valid_after is None or self.valid_after <= at

    def ended(self, at: datetime) -> bool:
        return self.valid_before is not None and self.valid_before <= at


class HeldRole(Period):
    """A role that a person has, or had."""

    role: Name
    """Its name; policy.yaml and sources.yaml use it."""

    def holds(self, at: datetime) -> bool:
        return self.began(at) and not self.ended(at)


class Key(Period):
    """A public key of a person or machine. One that was in use stays here: what it signed then stays valid."""

    public_key: PublicKey
    """An OpenSSH ed25519 public key line."""
    revoked_as_of: Moment | None = None
    """From when somebody else may have had it: what it signed from then on is void, whenever that came to be known."""
    reason: Text | None = None
    """Why it was revoked."""
    installed: bool = False
    """Made by `hallmark init`: an adoption says so, people.yaml never does."""

    @model_validator(mode="after")
    def _reasoned(self) -> Self:
        if (self.revoked_as_of is None) != (self.reason is None):
            raise ValueError("revoked_as_of and reason belong together: say both, or neither")
        return self

    @property
    def fingerprint(self) -> str:
        return keys.fingerprint(self.public_key)

    def revoked(self, at: datetime) -> bool:
        return self.revoked_as_of is not None and self.revoked_as_of <= at

    def state(self, at: datetime) -> State:
        if self.revoked(at):
            return "revoked"
        return "ended" if self.ended(at) else "current" if self.began(at) else "later"

    def counts(self, at: datetime) -> bool:
        return self.state(at) == "current"

    def state_in_words(self, at: datetime) -> str:
        """How it stands, in words."""
        moments = {"later": self.valid_after, "ended": self.valid_before, "revoked": self.revoked_as_of}
        words = {"current": "counts", "later": "counts only from", "ended": "ended on", "revoked": "is revoked as of"}
        state = self.state(at)
        since = f" {shown(moment)}" if (moment := moments.get(state)) else ""
        return f"{words[state]}{since}" + (f" ({self.reason})" if state == "revoked" else "")


def lines(those: Iterable[Key], at: datetime) -> list[str]:
    """The public key lines that count at a moment."""
    return [key.public_key for key in those if key.counts(at)]


def lines_by(those: Iterable[Key], by: datetime) -> list[str]:
    """The lines that may have signed what carries no time of its own and was there `by` then.

    A key that has ended may have; one that was revoked by then may not, since nobody can say from before or after.
    """
    return [key.public_key for key in those if key.began(by) and not key.revoked(by)]


def verify(envelope: Mapping[str, Any], those: Sequence[Key], at: datetime, whose: str) -> dict[str, Any]:
    """The statement of an envelope that one of the keys signed while it counted.

    Raises Refused where it was another's or did not count then; the message says which.
    """
    signers = dsse.signers(envelope)
    for key in those:
        if key.fingerprint in signers and not key.counts(at):
            raise Refused(f"{whose}'s key {key.fingerprint} {key.state_in_words(at)}, and this is of {shown(at)}")
    return dsse.verify(envelope, lines(those, at))


def shown(moment: datetime) -> str:
    """`2026-03-01`, with the time of day where it is not midnight UTC."""
    spelled = f"{in_utc(moment):%Y-%m-%d %H:%M UTC}"
    return spelled.removesuffix(" 00:00 UTC")
