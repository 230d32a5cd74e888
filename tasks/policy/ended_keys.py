"""Ends and revocations of keys, which no later adoption can take back.

They apply to every later holder of the key, even if adoptions in between leave the key out. Ends are carried along the
chain by fingerprint, across people, demo identities and machines. The end of a key can be postponed as long as the key
has not ended. A revocation can only be moved to an earlier time.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from tasks.core.errors import Refused
from tasks.core.formatting import format_time
from tasks.policy.people import People
from tasks.trust.validity import Key


class KeyEnd(NamedTuple):
    """Time at which a key ends, and time as of which it is revoked; each is None if no adoption has set it."""

    valid_before: datetime | None
    revoked_as_of: datetime | None


KeyEnds = Mapping[str, KeyEnd]


def carry_over_key_ends(adopted: People, before: KeyEnds, at: datetime) -> KeyEnds:
    """Return the ends of all keys after an adoption.

    Raises:
        Refused: A key that had ended would be valid again, or a revocation would be taken back.
    """
    ends = dict(before)
    for whose, key in adopted.keys_by_holder():
        known = before.get(key.fingerprint, KeyEnd(None, None))
        _require_stays_ended(whose, key, known, at)
        ended = known.valid_before if known.valid_before and known.valid_before < at else None
        ends[key.fingerprint] = KeyEnd(
            min(filter(None, (ended, key.valid_before)), default=None),
            min(filter(None, (known.revoked_as_of, key.revoked_as_of)), default=None),
        )
    return ends


def _require_stays_ended(whose: str, key: Key, known: KeyEnd, at: datetime) -> None:
    mark, anew = f"the key {key.fingerprint} of {whose}", "and would count again; give a new key"
    if known.revoked_as_of and not key.is_revoked(known.revoked_as_of):
        raise Refused(f"{mark} is revoked as of {format_time(known.revoked_as_of)}, {anew}")
    if known.valid_before and known.valid_before < at and key.clip(at, None):
        raise Refused(f"{mark} ended on {format_time(known.valid_before)}, {anew}")
