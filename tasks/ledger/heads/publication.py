"""Publication of signed heads in the places that HALLMARK_LEDGER_HEADS names.

The next head is signed over the tree of the last head, extended by the entries since then. It must also extend every
head that another machine has published in the meantime. If somebody rewrites the database, including the stored tree,
no head is signed, and the rewriting is reported. A place that is unavailable gets its heads at the next publication.

A head is void if its key was not valid at the head's time, because the key had been revoked or replaced. Void heads are
skipped wherever they are stored; the next head extends the newest valid one.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from tasks.core.errors import HallmarkError, Refused, Unavailable
from tasks.core.json_text import canonical_json
from tasks.core.machine import locks
from tasks.ledger.heads import heads
from tasks.ledger.heads.heads import Head, VoidHead
from tasks.ledger.heads.places import setting
from tasks.ledger.heads.places.folder import FolderPlace
from tasks.ledger.heads.places.place import HeadPlace
from tasks.ledger.ledger import HEADS_FOLDER, Ledger
from tasks.ledger.tree.merkle import Frontier
from tasks.trust.keys import Signer
from tasks.trust.ledger_keys import LedgerKeys
from tasks.trust.validity import Key

PLACES_VARIABLE = "HALLMARK_LEDGER_HEADS"


@dataclass(frozen=True)
class Publication:
    newest_head: Head | None
    delivered: dict[str, int]
    """Number of heads that were added to each place, by name of the place. Unavailable places are left out."""
    unavailable: list[str]
    void_heads: int
    """Number of void heads on this machine that are newer than the last valid head. The next head covers their entries
    again."""


@dataclass(frozen=True)
class _PlaceState:
    place: HeadPlace
    sizes: set[int] = field(default_factory=set)
    later_heads: list[Head] = field(default_factory=list)
    """Heads in this place that cover more entries than the newest head signed on this machine."""


def publish(ledger: Ledger, keyholder: LedgerKeys) -> Publication:
    """Sign a new head if the ledger has grown, and publish to each location the heads that it lacks.

    Raises:
        Refused: The ledger does not extend a published head, or a location has another head of the same size. Either
            the ledger was rewritten, or the location belongs to another ledger.
        InputError: There is no key to sign with.
    """
    with _publication_lock(keyholder):
        last = newest_head(keyholder)
        void = sum(size > (last.size if last else 0) for size in local_head_place(keyholder).sizes())
        states, away, wrong = _read_places(keyholder, last.size if last else 0)
        head = _sign_next_head(ledger, keyholder, last, states)
        delivered = {}
        for state in states:
            try:
                delivered[state.place.name] = _add_missing_heads(state, keyholder)
            except Unavailable as error:
                away.append(str(error))
            except Refused as error:
                wrong.append(str(error))
    if wrong:
        raise Refused("\n".join(wrong))
    return Publication(head, delivered, [f"{why}; the ledger's heads go there the next time" for why in away], void)


def publish_if_changed(ledger: Ledger, keyholder: LedgerKeys) -> list[str]:
    """Publish a head if the ledger's length differs from that of the newest head, and return problems as messages.

    Hallmark's errors are returned rather than raised, because entries that the caller has recorded are valid even if no
    head is published. A ledger that is shorter than the newest head was truncated, which is reported as a problem.
    """
    try:
        last = newest_head(keyholder)
        if ledger.frontier().size == (last.size if last else 0):
            return []
        return publish(ledger, keyholder).unavailable
    except HallmarkError as error:
        return [str(error)]


def newest_head(keyholder: LedgerKeys) -> Head | None:
    """Return the newest valid head that is stored on this machine, or None if there is none.

    Raises:
        Refused: The stored head was changed.
    """
    envelope = newest_envelope(keyholder)
    return heads.verify_head(envelope, ledger_keys(keyholder)) if envelope else None


def newest_head_in_places(keyholder: LedgerKeys) -> Head | None:
    """Return the newest valid head in the places that HALLMARK_LEDGER_HEADS names.

    Places that are unavailable and void heads are skipped.

    Raises:
        Refused: The newest head in a place is neither valid nor void. It may be by a key whose adoption was cut off the
            ledger.
    """
    newest: list[Head] = []
    for place in configured_places(keyholder):
        with suppress(Unavailable):
            newest += _newest_valid_head(place, keyholder)
    return max(newest, key=lambda head: head.size, default=None)


def _newest_valid_head(place: HeadPlace, keyholder: LedgerKeys) -> list[Head]:
    for size in sorted(place.sizes(), reverse=True):
        try:
            if valid := list(_valid_heads(place.read({size}), keyholder).values()):
                return valid
        except Refused as error:
            raise Refused(f"the head of {size:,} entries in {place.name} does not count: {error}") from None
    return []


def newest_envelope(keyholder: LedgerKeys) -> dict[str, Any] | None:
    kept = local_head_place(keyholder)
    for size in sorted(kept.sizes(), reverse=True):
        try:
            return heads.parse_head(kept.read({size})[size], ledger_keys(keyholder))[1]
        except VoidHead:
            continue
        except Refused as error:
            raise Refused(f"the head of {size} entries in {kept.name} does not count: {error}") from None
    return None


def local_head_place(keyholder: LedgerKeys) -> FolderPlace:
    return FolderPlace(keyholder.state / HEADS_FOLDER)


def configured_places(keyholder: LedgerKeys) -> list[HeadPlace]:
    return setting.parse_places(os.environ.get(PLACES_VARIABLE, ""), keyholder.state.parent, keyholder.state)


def ledger_keys(keyholder: LedgerKeys) -> list[Key]:
    return keyholder.keys_of("ledger")


@contextmanager
def _publication_lock(keyholder: LedgerKeys) -> Iterator[None]:
    with ExitStack() as stack:
        try:
            lock = keyholder.state / "heads" / ".lock"
            stack.enter_context(locks.hold_exclusive_lock(lock, "another process publishes heads of the ledger"))
        except OSError as error:
            raise Unavailable(
                f"{local_head_place(keyholder).name} cannot be used ({error.strerror or error})"
            ) from None
        yield


def _read_places(keyholder: LedgerKeys, reached: int) -> tuple[list[_PlaceState], list[str], list[str]]:
    states, away, wrong = [], [], []
    for where in configured_places(keyholder):
        try:
            there = where.sizes()
            ahead = where.read({size for size in there if size > reached})
            states.append(_PlaceState(where, there, list(_valid_heads(ahead, keyholder).values())))
        except Unavailable as error:
            away.append(str(error))
        except Refused as error:
            wrong.append(f"{where.name}: {error}; nothing is published there")
    return states, away, wrong


def _valid_heads(stored: Mapping[int, bytes], keyholder: LedgerKeys) -> dict[int, Head]:
    """Verify stored heads, and return them by tree size. Void heads are left out.

    Raises:
        Refused: A file is not a signed head, or its head has another size than the file name states. If such a head
            were accepted, anybody who can write to a place could make the ledger seem rewritten.
    """
    counting = {}
    for size, data in stored.items():
        with suppress(VoidHead):
            head = heads.parse_head(data, ledger_keys(keyholder))[0]
            if head.size != size:
                raise Refused(f"what is stored as the head of {size:,} entries is one of {head.size:,}")
            counting[size] = head
    return counting


def _ledger_signer(keyholder: LedgerKeys) -> Signer:
    try:
        return keyholder.find_signer("ledger")
    except Refused as error:
        place = keyholder.state / "keys" / "ledger"
        raise Refused(
            f"{error}. So no head is signed: put the private key that counts in the place of {place}, or move that and "
            "its .pub away, make one with `hallmark identity create ledger --replace` and have it adopted"
        ) from None


def _sign_next_head(ledger: Ledger, keyholder: LedgerKeys, last: Head | None, states: list[_PlaceState]) -> Head | None:
    ahead = {head.size: (head, state.place.name) for state in states for head in state.later_heads}
    tree, target, ours = (last.tree if last else Frontier()), ledger.frontier(), last.ledger if last else ""
    for row in ledger.rows(tree.size, target.size):
        if row.seq != tree.size + 1:
            raise _rewritten_error(ledger, f"entry {tree.size + 1} is missing")
        tree, ours = tree.append(row.leaf_hash()), ours or row.leaf_hash().hex()
        if tree.size in ahead:
            head, name = ahead.pop(tree.size)
            if head.identity != (ours, tree.size, tree.root().hex()):
                raise _rewritten_error(
                    ledger, f"{name} has a head of {head.describe()}, and its entries give another root"
                )
    if tree != target or ahead:
        known = [f"it had {last.describe()}"] if last else []
        known += [f"{name} has a head of {head.describe()}" for head, name in ahead.values()]
        raise _rewritten_error(
            ledger, f"its tree of {target.size:,} entries does not go on from what is known: {'; '.join(known)}"
        )
    if not tree.size or (last and tree.size == last.size):
        return last
    head = heads.make_head(tree, ours, ledger.now())
    if head.size in local_head_place(keyholder).sizes():
        raise Refused(
            f"{local_head_place(keyholder).name} has a void head of {head.size:,} entries, "
            "and one of each size is kept: "
            "the next is signed once the ledger has grown"
        )
    local_head_place(keyholder).add({head.size: canonical_json(heads.sign_head(head, _ledger_signer(keyholder)))})
    return head


def _rewritten_error(ledger: Ledger, why: str) -> Refused:
    return Refused(f"the ledger at {ledger.url} was rewritten: {why}. No head is made; see `hallmark ledger verify`")


def _add_missing_heads(state: _PlaceState, keyholder: LedgerKeys) -> int:
    """Add the heads that a place lacks, and return their number.

    Before heads are added, the newest head that the place and this machine have in common is compared. Afterwards, the
    added heads are read back and compared.
    """
    kept = local_head_place(keyholder)
    here = kept.sizes()
    missing = set(_valid_heads(kept.read(here - state.sizes), keyholder))
    _require_same_heads(state.place, kept, {max(here & state.sizes)} if here & state.sizes else set(), keyholder)
    state.place.add(kept.read(missing))
    _require_same_heads(state.place, kept, missing, keyholder)
    return len(missing)


def _require_same_heads(place: HeadPlace, local: FolderPlace, sizes: set[int], keyholder: LedgerKeys) -> None:
    """Verify that a place has the same heads as this machine.

    Heads over the same entries count as the same, even if different machines signed them.

    Raises:
        Unavailable: The place lacks a head.
        Refused: The place has another head of the same size.
    """
    ours, theirs = local.read(sizes), place.read(sizes) if sizes else {}
    for size in sorted(sizes):
        if ours[size] == theirs.get(size):
            continue
        mine = _valid_heads({size: ours[size]}, keyholder).get(size)
        if mine is None:
            continue
        if size not in theirs:
            raise Unavailable(
                f"{place.name} lacks the head of {size:,} entries, which was listed or stored: it does not keep what "
                "is stored, or somebody removes heads"
            )
        try:
            other, _ = heads.parse_head(theirs[size], ledger_keys(keyholder))
            difference = "" if other.identity == mine.identity else other.describe()
        except Refused as error:
            difference = str(error)
        if difference:
            raise Refused(
                f"{place.name} has another head of {size:,} entries than was signed here ({difference}; here "
                f"{mine.describe()}): that place is another ledger's, or somebody rewrote one. Nothing there was "
                "written over; see `hallmark ledger verify`"
            )
