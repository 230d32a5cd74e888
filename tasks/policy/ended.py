"""A key that ended or was revoked stays so: in all later adoptions, whoever is given it, also left out in between.

The end of every key that adoptions ever named is carried along the chain by fingerprint, over people, demo identities
and machines. While a key has not ended its end may be put off; a revocation may only be put earlier.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from tasks.core.errors import Refused
from tasks.policy.people import People
from tasks.trust.validity import Key, shown


class End(NamedTuple):
    """What the adoptions say of a key."""

    valid_before: datetime | None
    revoked_as_of: datetime | None


Ends = Mapping[str, End]
"""By fingerprint."""


def carried(said: People, before: Ends, at: datetime) -> Ends:
    """The ends after the adoption of `said` at `at`. Raises Refused where a key that had ended by the adoptions
    `before` would count again, or a revocation is taken back."""
    ends = dict(before)
    for whose, key in said.held():
        known = before.get(key.fingerprint, End(None, None))
        _require_stays(whose, key, known, at)
        ended = known.valid_before if known.valid_before and known.valid_before < at else None
        ends[key.fingerprint] = End(
            min(filter(None, (ended, key.valid_before)), default=None),
            min(filter(None, (known.revoked_as_of, key.revoked_as_of)), default=None),
        )
    return ends


def _require_stays(whose: str, key: Key, known: End, at: datetime) -> None:
    mark, anew = f"the key {key.fingerprint} of {whose}", "and would count again; give a new key"
    if known.revoked_as_of and not key.revoked(known.revoked_as_of):
        raise Refused(f"{mark} is revoked as of {shown(known.revoked_as_of)}, {anew}")
    if known.valid_before and known.valid_before < at and key.within(at, None):
        raise Refused(f"{mark} ended on {shown(known.valid_before)}, {anew}")
