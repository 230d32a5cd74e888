"""Validity periods of keys and roles, and verification of statements with the keys that were valid at a given time.

Fields are named as in OpenSSH's allowed_signers file, see ssh-keygen(1). A period includes its start and excludes its
end. So if one key replaces another on a date, exactly one of them is valid at any time.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, model_validator

from tasks.core.documents.config import FrozenModel
from tasks.core.errors import InputError, Refused
from tasks.core.formatting import format_time
from tasks.core.params.values import Name, NonEmptyText
from tasks.core.utc import to_utc
from tasks.trust import dsse, keys

KeyState = Literal["current", "later", "ended", "revoked"]
CLOCK_TOLERANCE = timedelta(minutes=10)
"""Maximum time by which a signed statement can be ahead of the ledger's clock."""


def _parse_time(value: Any) -> Any:
    """Parse a time or a date. A date means midnight, and a time without a time zone is in UTC."""
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


def _validated_key_line(value: str) -> str:
    try:
        keys.fingerprint(value)
    except InputError as error:
        raise ValueError(str(error)) from None
    return value


UtcTime = Annotated[datetime, BeforeValidator(_parse_time), AfterValidator(to_utc)]
PublicKey = Annotated[str, AfterValidator(_validated_key_line)]


class Period(FrozenModel):
    valid_after: UtcTime | None = None
    """Start of the validity, by default the time of the adoption. A key or role that is added by a later adoption than
    the first is never valid before that adoption (tasks/policy/effective_times.py)."""
    valid_before: UtcTime | None = None
    """End of the validity, exclusive; null if there is no end."""

    @model_validator(mode="after")
    def _require_order(self) -> Self:
        if self.valid_after and self.valid_before and self.valid_before <= self.valid_after:
            raise ValueError(f"valid_before ({format_time(self.valid_before)}) is not after valid_after "
                             f"({format_time(self.valid_after)})")  # fmt: skip
        return self

    def clip(self, begin: datetime | None, end: datetime | None) -> Self | None:
        """Return the part of this period between `begin` and `end` (exclusive), or None if there is none."""
        after = max((moment for moment in (self.valid_after, begin) if moment), default=None)
        before = min((moment for moment in (self.valid_before, end) if moment), default=None)
        if after and before and before <= after:
            return None
        return self.model_copy(update={"valid_after": after, "valid_before": before})

    def has_begun(self, at: datetime) -> bool:
        return self.valid_after is None or self.valid_after <= at

    def has_ended(self, at: datetime) -> bool:
        return self.valid_before is not None and self.valid_before <= at


class HeldRole(Period):
    """Role that a person holds for a period."""

    role: Name
    """Name of the role, as in policy.yaml and sources.yaml."""

    def is_valid(self, at: datetime) -> bool:
        return self.has_begun(at) and not self.has_ended(at)


class Key(Period):
    """Public key of a person or machine. Expired keys stay in the list, so that earlier signatures remain valid."""

    public_key: PublicKey
    """OpenSSH public key line of an ed25519 key, an ed25519 key in hardware or a passkey."""
    revoked_as_of: UtcTime | None = None
    """Time from which another person may have had the key. Everything that was signed with the key since then is void,
    even if the revocation is recorded later."""
    reason: NonEmptyText | None = None
    """Reason for the revocation."""
    installed: bool = False
    """Whether `hallmark init` created the key; set in adoptions, never in people.yaml."""

    @model_validator(mode="after")
    def _require_revocation_reason(self) -> Self:
        if (self.revoked_as_of is None) != (self.reason is None):
            raise ValueError("revoked_as_of and reason belong together: say both, or neither")
        return self

    @property
    def fingerprint(self) -> str:
        return keys.fingerprint(self.public_key)

    def is_revoked(self, at: datetime) -> bool:
        return self.revoked_as_of is not None and self.revoked_as_of <= at

    def state(self, at: datetime) -> KeyState:
        if self.is_revoked(at):
            return "revoked"
        return "ended" if self.has_ended(at) else "current" if self.has_begun(at) else "later"

    def is_valid(self, at: datetime) -> bool:
        return self.state(at) == "current"

    def describe_state(self, at: datetime) -> str:
        moments = {"later": self.valid_after, "ended": self.valid_before, "revoked": self.revoked_as_of}
        words = {"current": "counts", "later": "counts only from", "ended": "ended on", "revoked": "is revoked as of"}
        state = self.state(at)
        since = f" {format_time(moment)}" if (moment := moments.get(state)) else ""
        return f"{words[state]}{since}" + (f" ({self.reason})" if state == "revoked" else "")


def valid_key_lines(candidate_keys: Iterable[Key], at: datetime) -> list[str]:
    return [key.public_key for key in candidate_keys if key.is_valid(at)]


def possible_key_lines(candidate_keys: Iterable[Key], existed_at: datetime) -> list[str]:
    """Return the public key lines of keys that may have signed a document without a time.

    The document existed at the time `existed_at`, but may have been signed long before. Expired keys are therefore
    included. Revoked keys are not, because the document may have been signed after the revocation.
    """
    return [key.public_key for key in candidate_keys if key.has_begun(existed_at) and not key.is_revoked(existed_at)]


def verify_at_time(
    envelope: Mapping[str, Any], candidate_keys: Sequence[Key], at: datetime, signer_name: str
) -> dict[str, Any]:
    """Verify an envelope with the keys that are valid at a given time, and return its statement.

    Args:
        envelope: DSSE envelope.
        candidate_keys: Keys of the expected signer.
        at: Time at which the key must be valid.
        signer_name: Name of the signer, for error messages.

    Raises:
        Refused: The signature is not from any of these keys, or the key is not valid at that time.
    """
    signers = dsse.unverified_signers(envelope)
    for key in candidate_keys:
        if key.fingerprint in signers and not key.is_valid(at):
            raise Refused(
                f"{signer_name}'s key {key.fingerprint} {key.describe_state(at)}, and this is of {format_time(at)}"
            )
    return dsse.verify_envelope(envelope, valid_key_lines(candidate_keys, at))
