"""Leases in the ledger's database: which of several machines does work that one is enough for.

A lease saves work, and nothing that is right hangs on it: whatever is done under one may be done twice, by two that
each believe to hold it, and comes to the same. So neither a wrong clock nor somebody who writes into this table does
more harm than work that is done twice, or late.

Time is the database server's; with SQLite it is this machine's, which all its processes share. One who stops renewing
has lost the lease once its term is over. A lease that lasts longer than any does was written before the clock was put
back, and counts as over.
"""

import os
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple, TypeVar

from sqlalchemy import BigInteger, Column, Engine, MetaData, Table, Text, func, select
from sqlalchemy.engine import Connection

from tasks.core import database, migrations
from tasks.core.migrations import Schema
from tasks.core.moments import in_utc
from tasks.ledger import ledger

Value = TypeVar("Value")
TERM = timedelta(seconds=30)
"""How long a lease lasts unless it is renewed."""
BOOTTIME: int | None = getattr(time, "CLOCK_BOOTTIME", None)
"""None on macOS, whose monotonic clock stands still too: a lease counts there until its next renewal."""
METADATA = MetaData()
LEASES = Table(
    "hallmark_leases",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("owner", Text, nullable=False),  # empty: nobody since `until`
    Column("place", Text, nullable=False),
    Column("since", Text, nullable=False),  # as `until`: UTC, ISO 8601
    Column("until", Text, nullable=False),
    Column("come", BigInteger),
    comment="who does what one machine does for all; nothing is proven by it",
)
NO_NUMBER = 2**63 - 1
"""How far somebody has come whose row says none, as SQLite takes any text: further than any ledger."""
SCHEMA = Schema("leases", METADATA, METADATA.create_all)
"""With a version of its own, so that the ledger's tables stay as they are."""


class Lease(NamedTuple):
    name: str
    owner: str
    """Whoever holds it: one process of one installation. Empty where it was let go of."""
    place: str
    """The same for people: the machine's name and the process."""
    since: datetime
    until: datetime

    def is_over(self, now: datetime) -> bool:
        return not self.owner or not now < self.until <= now + 2 * TERM


class Leases:
    """Every method raises Unavailable where the database is away."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._prepared = False

    def take(self, name: str, owner: str, place: str) -> Lease:
        """Take or renew a lease where nobody else has it. Returns the one that counts now, whoever's it is."""

        def turn(connection: Connection) -> Lease:
            now, held = self._now(connection), _read(connection, name)
            if held and held.owner != owner and not held.is_over(now):
                return held
            since = held.since if held and held.owner == owner and not held.is_over(now) else now
            mine = Lease(name, owner, place, since, now + TERM)
            _write(connection, mine)
            return mine

        return self._write(turn)

    def let_go(self, name: str, owner: str) -> None:
        """End a lease before its term, where `owner` has it."""

        def turn(connection: Connection) -> None:
            held = _read(connection, name)
            if held and held.owner == owner:
                _write(connection, held._replace(owner="", until=self._now(connection)))

        self._write(turn)

    def read(self, name: str) -> tuple[Lease | None, datetime]:
        """Who has a lease or had it last, and what time it is there. Writes nothing, and makes no table."""
        with self._reading() as connection:
            there = migrations.version(connection, SCHEMA) is not None
            return _read(connection, name) if there else None, self._now(connection)

    def come(self, name: str) -> int | None:
        """How far in the ledger those have come who held a lease one after the other; None where nobody has said."""
        with self._reading() as connection:
            there = migrations.version(connection, SCHEMA) is not None
            come = connection.scalar(select(LEASES.c.come).where(LEASES.c.name == name)) if there else None
        return come if come is None or isinstance(come, int) else NO_NUMBER

    def advance(self, name: str, seq: int) -> None:
        """Say so. It never goes back."""

        def turn(connection: Connection) -> None:
            if not connection.scalar(select(func.count()).where(LEASES.c.name == name)):
                now = self._now(connection)
                _write(connection, Lease(name, "", "", now, now))
            further = LEASES.update().where(LEASES.c.name == name, func.coalesce(LEASES.c.come, -1) < seq)
            connection.execute(further.values(come=seq))

        self._write(turn)

    def take_back(self, name: str, seq: int) -> None:
        """Say so where the row says what cannot be."""
        back = LEASES.update().where(LEASES.c.name == name).values(come=seq)
        self._write(lambda connection: connection.execute(back))

    def _write(self, turn: Callable[[Connection], Value]) -> Value:
        with self._reaching():
            if not self._prepared:
                migrations.prepare(self._engine, SCHEMA)
                self._prepared = True
            with self._engine.begin() as connection:
                return turn(connection)

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._reaching(), self._engine.connect().execution_options(takes_turn=False) as connection:
            yield connection

    def _reaching(self) -> AbstractContextManager[None]:
        return database.reaching(f"the ledger at {self._engine.url.render_as_string(hide_password=True)}")

    def _now(self, connection: Connection) -> datetime:
        if self._engine.dialect.name == "sqlite":
            return datetime.now(UTC)
        return connection.scalars(select(func.clock_timestamp())).one().astimezone(UTC)


class Turn:
    """The lease of one name, as one process tries to have it again and again."""

    def __init__(self, leases: Leases, name: str, installation: str, one: bool = False) -> None:
        """`one`: the processes of an installation are one owner; something else keeps them apart."""
        self._leases, self._name = leases, name
        self._owner = installation if one else f"{installation}/{os.getpid()}/{secrets.token_hex(4)}"
        self._place = f"{socket.gethostname()}, installation {installation}, process {os.getpid()}"
        self._until = 0.0

    @property
    def is_mine(self) -> bool:
        """Whether this process has it, by its own clock since the last renewal. One that slept has lost it."""
        return _clock() < self._until

    def renew(self) -> Lease:
        """Take or renew it. Returns the one that counts. Raises Unavailable as the ledger does; it runs out then."""
        asked = _clock()
        lease = self._leases.take(self._name, self._owner, self._place)
        self._until = asked + TERM.total_seconds() if lease.owner == self._owner else 0.0
        return lease

    def let_go(self) -> None:
        """Have another process take over at once."""
        self._until = 0.0
        self._leases.let_go(self._name, self._owner)


def _clock() -> float:
    """Seconds that pass while the machine is suspended as well, which Linux does not count as monotonic."""
    return time.clock_gettime(BOOTTIME) if BOOTTIME is not None else time.monotonic()


def open_leases(state: Path) -> Leases:
    """Those of the ledger's database. Nothing is made before the first one is taken."""
    return Leases(ledger.engine(state))


def _read(connection: Connection, name: str) -> Lease | None:
    """None also of a row that no Hallmark wrote: whoever takes the lease writes over it."""
    row = connection.execute(select(LEASES).where(LEASES.c.name == name)).first()
    try:
        return Lease(row.name, row.owner, row.place, _moment(row.since), _moment(row.until)) if row else None
    except (TypeError, ValueError):
        return None


def _moment(spelled: str) -> datetime:
    return in_utc(datetime.fromisoformat(spelled))


def _write(connection: Connection, lease: Lease) -> None:
    row = lease._asdict() | {"since": lease.since.isoformat(), "until": lease.until.isoformat()}
    if not connection.execute(LEASES.update().where(LEASES.c.name == lease.name).values(row)).rowcount:
        connection.execute(LEASES.insert().values(row))
