"""Times before which a ledger entry cannot have been recorded, whatever the entry says.

Whoever may append to the database writes the times of entries too. An entry therefore counts as recorded at its own
time or at the newest signed time before it, whichever is later: the time of an adoption in an earlier entry, or of a
head of the ledger over earlier entries. So a key that an adoption revoked is not valid in an entry that is dated back.

The times of other entries prove nothing. If each of them bounded the later ones, one entry dated ahead would make all
that is recorded until then count as of its date, when keys and roles may have ended.
"""

from bisect import bisect_left
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from tasks.core.errors import HallmarkError
from tasks.core.files import open_regular_file
from tasks.core.utc import to_utc
from tasks.ledger.head_files import MAX_HEAD_BYTES
from tasks.ledger.heads import heads, publication
from tasks.trust import dsse
from tasks.trust.ledger_keys import LedgerKeys
from tasks.trust.validity import CLOCK_TOLERANCE, Key


class SignedTime(NamedTuple):
    entries: int
    """Number of entries that the ledger had before this time. All others were recorded at this time or later."""
    time: datetime


def newest_before(times: Sequence[SignedTime], seq: int) -> datetime | None:
    """Return the newest signed time at which the ledger did not contain entry `seq` yet; None if there is none.

    Args:
        times: Times, oldest first.
        seq: Number of the entry.
    """
    index = bisect_left(times, seq, key=lambda each: each.entries)
    return times[index - 1].time if index else None


class HeadTimes:
    """Times of the heads that this machine signed. Unreadable and void heads are left out.

    A head's time is taken less CLOCK_TOLERANCE, because an entry may be recorded while a head is being signed. A head
    in the future is left out: the machine's clock was ahead when it was signed, and gates would stay closed until then.
    """

    def __init__(self, keyholder: LedgerKeys) -> None:
        self._place = publication.local_head_place(keyholder)
        self._keys: list[Key] = []
        self._sizes: list[int] = []
        with suppress(HallmarkError):
            self._keys, self._sizes = publication.ledger_keys(keyholder), sorted(self._place.sizes())

    def newest_before(self, seq: int, stated: datetime) -> datetime | None:
        """Return the time of the newest head over earlier entries, or None if it is not later than the stated time.

        A head is verified only if it is later, because verifying it takes ten times as long as reading it.

        Args:
            seq: Number of the entry.
            stated: Time that the entry states.
        """
        for size in reversed(self._sizes[: bisect_left(self._sizes, seq)]):
            time = _stated_time(self._place.path(size))
            if time and time - CLOCK_TOLERANCE <= stated:
                return None
            if time and time - CLOCK_TOLERANCE > datetime.now(UTC):
                continue
            with suppress(HallmarkError):
                head, _ = heads.parse_head(self._place.read({size}).get(size, b""), self._keys)
                if head.size == size:
                    return head.time - CLOCK_TOLERANCE
        return None


@lru_cache(maxsize=2**14)
def _stated_time(path: Path) -> datetime | None:
    """Return the time in a head's file without verifying it; None if there is none. Heads are never written over."""
    try:
        with open_regular_file(path) as file:
            data = file.read(MAX_HEAD_BYTES + 1)
        predicate = dsse.unverified_statement(dsse.parse_envelope(data, str(path)))["predicate"]
        return to_utc(datetime.fromisoformat(predicate["time"]))
    except (OSError, HallmarkError, KeyError, TypeError, ValueError):
        return None
