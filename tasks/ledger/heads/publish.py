"""Take signed heads of the ledger to the places of HALLMARK_LEDGER_HEADS.

What is signed is the last head's own tree with the entries that came since, and it goes on from every head that another
machine published meanwhile. So whoever rewrote the database, and its tree with it, gets no signature for that, and is
told of. A place that is away gets its heads the next time.

A head that was signed with a key that did not count then, since it is revoked or was followed by another, is passed
over wherever it lies: the next one goes on from the newest that counts.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from tasks.core import locks
from tasks.core.errors import HallmarkError, Refused, Unavailable
from tasks.core.files import canonical_json
from tasks.ledger.heads import heads
from tasks.ledger.heads.heads import Head, Void
from tasks.ledger.heads.places import named
from tasks.ledger.heads.places.folder import Folder
from tasks.ledger.heads.places.place import Place
from tasks.ledger.ledger import HEADS, Ledger
from tasks.ledger.tree.merkle import Frontier
from tasks.trust.keyholder import Keyholder
from tasks.trust.keys import Signer
from tasks.trust.validity import Key

PLACES = "HALLMARK_LEDGER_HEADS"
"""Environment variable: places, with spaces between."""


@dataclass(frozen=True)
class Published:
    newest: Head | None
    """None where the ledger is empty."""
    delivered: dict[str, int]
    """How many heads went to each place that could be reached."""
    away: list[str]
    """Why each of the others could not be."""
    void: int
    """Heads kept here, newer than the one gone on from, that count for nothing: what they covered has only this one."""


@dataclass(frozen=True)
class _Look:
    """A place as it was found."""

    where: Place
    there: set[int] = field(default_factory=set)
    ahead: list[Head] = field(default_factory=list)
    """Heads of more entries than the newest that was signed here."""


def publish(ledger: Ledger, keyholder: Keyholder) -> Published:
    """Sign a head where the ledger grew since the last, and take to each place the heads that it lacks.

    Raises Refused where the ledger does not go on from a head, or a place holds another head of one size: somebody
    rewrote the ledger, or the place is another's. Raises InputError where there is no key to sign with.
    """
    with _turn(keyholder):
        last = newest(keyholder)
        void = sum(size > (last.size if last else 0) for size in local(keyholder).sizes())
        looked, away, wrong = _look_around(keyholder, last.size if last else 0)
        head = _sign_next(ledger, keyholder, last, looked)
        delivered = {}
        for look in looked:
            try:
                delivered[look.where.name] = _deliver(look, keyholder)
            except Unavailable as error:
                away.append(str(error))
            except Refused as error:
                wrong.append(str(error))
    if wrong:
        raise Refused("\n".join(wrong))
    return Published(head, delivered, [f"{why}; the ledger's heads go there the next time" for why in away], void)


def publish_grown(ledger: Ledger, keyholder: Keyholder) -> list[str]:
    """Publish where the ledger is not as long as the newest head here. Returns what a person should be told, in words:
    one that is shorter was cut.

    For whoever has something else to do: what was recorded stands, whatever becomes of the head.
    """
    try:
        last = newest(keyholder)
        if ledger.frontier().size == (last.size if last else 0):
            return []
        return publish(ledger, keyholder).away
    except HallmarkError as error:
        return [str(error)]


def newest(keyholder: Keyholder) -> Head | None:
    """The newest head kept here that counts. Raises Refused where it is not what was signed."""
    envelope = newest_envelope(keyholder)
    return heads.verify(envelope, signers(keyholder)) if envelope else None


def newest_envelope(keyholder: Keyholder) -> dict[str, Any] | None:
    """The newest head kept here that counts, as it was signed."""
    kept = local(keyholder)
    for size in sorted(kept.sizes(), reverse=True):
        try:
            return heads.parse(kept.read({size})[size], signers(keyholder))[1]
        except Void:
            continue
        except Refused as error:
            raise Refused(f"the head of {size} entries in {kept.name} does not count: {error}") from None
    return None


def local(keyholder: Keyholder) -> Folder:
    """Every head that was signed here."""
    return Folder(keyholder.state / HEADS)


def places(keyholder: Keyholder) -> list[Place]:
    """Where heads are published. Raises InputError for a setting that names no places."""
    return named.named(os.environ.get(PLACES, ""), keyholder.state.parent, keyholder.state)


def signers(keyholder: Keyholder) -> list[Key]:
    """Keys whose heads count, each for its time."""
    return keyholder.keys_of("ledger")


@contextmanager
def _turn(keyholder: Keyholder) -> Iterator[None]:
    with ExitStack() as stack:
        try:
            lock = keyholder.state / "heads" / ".lock"
            stack.enter_context(locks.turn(lock, "another process publishes heads of the ledger"))
        except OSError as error:
            raise Unavailable(f"{local(keyholder).name} cannot be used ({error.strerror or error})") from None
        yield


def _look_around(keyholder: Keyholder, reached: int) -> tuple[list[_Look], list[str], list[str]]:
    """What the places hold, why some are away, and what is wrong with others."""
    looked, away, wrong = [], [], []
    for where in places(keyholder):
        try:
            there = where.sizes()
            ahead = where.read({size for size in there if size > reached})
            looked.append(_Look(where, there, list(_counting(ahead, keyholder).values())))
        except Unavailable as error:
            away.append(str(error))
        except Refused as error:
            wrong.append(f"{where.name}: {error}; nothing is published there")
    return looked, away, wrong


def _counting(stored: Mapping[int, bytes], keyholder: Keyholder) -> dict[int, Head]:
    """The heads by their size, without those that are void. Raises Refused where one is none."""
    counting = {}
    for size, data in stored.items():
        with suppress(Void):
            counting[size] = heads.parse(data, signers(keyholder))[0]
    return counting


def _signer(keyholder: Keyholder) -> Signer:
    try:
        return keyholder.signer("ledger")
    except Refused as error:
        place = keyholder.state / "keys" / "ledger"
        raise Refused(
            f"{error}. So no head is signed: put the private key that counts in the place of {place}, or move that and "
            "its .pub away, make one with `hallmark identity create ledger --replace` and have it adopted"
        ) from None


def _sign_next(ledger: Ledger, keyholder: Keyholder, last: Head | None, looked: list[_Look]) -> Head | None:
    """The newest head, signed now where the ledger grew, after a walk from the last one over the entries since."""
    ahead = {head.size: (head, look.where.name) for look in looked for head in look.ahead}
    tree, target, ours = (last.tree if last else Frontier()), ledger.frontier(), last.ledger if last else ""
    for row in ledger.rows(tree.size, target.size):
        if row.seq != tree.size + 1:
            raise _rewritten(ledger, f"entry {tree.size + 1} is missing")
        tree, ours = tree.append(row.leaf_hash()), ours or row.leaf_hash().hex()
        if tree.size in ahead:
            head, name = ahead.pop(tree.size)
            if head.facts != (ours, tree.size, tree.root().hex()):
                raise _rewritten(ledger, f"{name} has a head of {head.describe()}, and its entries give another root")
    if tree != target or ahead:
        known = [f"it had {last.describe()}"] if last else []
        known += [f"{name} has a head of {head.describe()}" for head, name in ahead.values()]
        raise _rewritten(
            ledger, f"its tree of {target.size:,} entries does not go on from what is known: {'; '.join(known)}"
        )
    if not tree.size or (last and tree.size == last.size):
        return last
    head = heads.of(tree, ours, ledger.now())
    if head.size in local(keyholder).sizes():
        raise Refused(
            f"{local(keyholder).name} has a void head of {head.size:,} entries, and one of each size is kept: "
            "the next is signed once the ledger has grown"
        )
    local(keyholder).add({head.size: canonical_json(heads.sign(head, _signer(keyholder)))})
    return head


def _rewritten(ledger: Ledger, why: str) -> Refused:
    return Refused(f"the ledger at {ledger.where} was rewritten: {why}. No head is made; see `hallmark ledger verify`")


def _deliver(look: _Look, keyholder: Keyholder) -> int:
    """Add what a place lacks. The newest head that both have is compared before, what was added after."""
    kept = local(keyholder)
    here = kept.sizes()
    missing = set(_counting(kept.read(here - look.there), keyholder))
    _compare(look.where, kept, {max(here & look.there)} if here & look.there else set(), keyholder)
    look.where.add(kept.read(missing))
    _compare(look.where, kept, missing, keyholder)
    return len(missing)


def _compare(where: Place, kept: Folder, sizes: set[int], keyholder: Keyholder) -> None:
    """Raises Refused where a place has no such head of a size as was signed here, be it another machine's."""
    ours, theirs = kept.read(sizes), where.read(sizes) if sizes else {}
    for size in sorted(sizes):
        if ours[size] == theirs.get(size):
            continue
        mine = _counting({size: ours[size]}, keyholder).get(size)
        if mine is None:
            continue
        try:
            other, _ = heads.parse(theirs.get(size, b""), signers(keyholder))
            difference = "" if other.facts == mine.facts else other.describe()
        except Refused as error:
            difference = str(error)
        if difference:
            raise Refused(
                f"{where.name} has another head of {size:,} entries than was signed here ({difference}; here "
                f"{mine.describe()}): that place is another ledger's, or somebody rewrote one. Nothing there was "
                "written over; see `hallmark ledger verify`"
            )
